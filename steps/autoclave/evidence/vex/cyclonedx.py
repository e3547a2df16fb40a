"""CycloneDX VEX documents of suppliers.

Source: CycloneDX 1.4 to 1.7, `vulnerabilities[].analysis` and `affects[]`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec
from msgspec import Struct, field

from autoclave.errors import RecordError
from autoclave.evidence.vex.document import Claim, Document, name
from autoclave.model import purl
from autoclave.model.declared import Justification, VexStatus
from autoclave.model.moment import Moment
from autoclave.model.vex import Named, Statement

TYPES = "https://cyclonedx.org/"
_FORMAT = "CycloneDX"


class _State(StrEnum):
    RESOLVED = "resolved"
    RESOLVED_WITH_PEDIGREE = "resolved_with_pedigree"
    EXPLOITABLE = "exploitable"
    IN_TRIAGE = "in_triage"
    FALSE_POSITIVE = "false_positive"
    NOT_AFFECTED = "not_affected"


_STATUS = {
    _State.RESOLVED: VexStatus.FIXED,
    _State.RESOLVED_WITH_PEDIGREE: VexStatus.FIXED,
    _State.EXPLOITABLE: VexStatus.AFFECTED,
    _State.IN_TRIAGE: VexStatus.UNDER_INVESTIGATION,
    _State.FALSE_POSITIVE: VexStatus.NOT_AFFECTED,
    _State.NOT_AFFECTED: VexStatus.NOT_AFFECTED,
}


_READ = {
    "code_not_present": Justification.VULNERABLE_CODE_NOT_PRESENT,
    "code_not_reachable": Justification.VULNERABLE_CODE_NOT_IN_EXECUTE_PATH,
    "requires_environment": Justification.VULNERABLE_CODE_CANNOT_BE_CONTROLLED,
    "protected_by_mitigating_control": Justification.INLINE_MITIGATIONS,
}
_APPLY = {
    VexStatus.FIXED: frozenset({"affected", "unaffected"}),
    VexStatus.NOT_AFFECTED: frozenset({"affected", "unaffected"}),
    VexStatus.AFFECTED: frozenset({"affected", "unknown"}),
    VexStatus.UNDER_INVESTIGATION: frozenset({"affected", "unknown"}),
}
"""The states of a version to which an analysis applies: one that is affected may be so without effect."""


class _Hash(Struct):
    alg: str
    content: str


class _Component(Struct):
    name: str = ""
    bom_ref: str = field(name="bom-ref", default="")
    type: str = ""
    purl: str = ""
    cpe: str = ""
    hashes: list[_Hash] = []
    components: list[_Component] = []


class _Named(Struct):
    name: str = ""


class _Metadata(Struct, frozen=True):
    timestamp: Moment | None = None
    authors: list[_Named] = []
    supplier: _Named | None = None
    manufacturer: _Named | None = None
    component: _Component | None = None


class _Version(Struct):
    version: str = ""
    range: str = ""
    status: str = "affected"


class _Affected(Struct):
    ref: str
    versions: list[_Version] = []


class _Reference(Struct):
    id: str = ""


class _Analysis(Struct, frozen=True, rename="camel"):
    state: _State | None = None
    justification: str = ""
    detail: str = ""
    first_issued: Moment | None = None
    last_updated: Moment | None = None


class _Vulnerability(Struct):
    id: str = ""
    references: list[_Reference] = []
    analysis: _Analysis = _Analysis()
    affects: list[_Affected] = []
    updated: Moment | None = None
    published: Moment | None = None


class _Bom(Struct, rename="camel"):
    bom_format: str
    metadata: _Metadata = _Metadata()
    components: list[_Component] = []
    vulnerabilities: list[_Vulnerability] = []


def read(raw: bytes, _subjects: Sequence[Named]) -> Document:
    """Read a document. One about a component is about it in the document's product, when it names one."""
    bom = msgspec.json.decode(raw, type=_Bom)
    if bom.bom_format != _FORMAT:
        raise RecordError("it is not of CycloneDX", why=f"bomFormat: {bom.bom_format[:100]}")
    main = bom.metadata.component
    things = {each.bom_ref: _name(each) for each in _all(bom.components) if each.bom_ref}
    product = _name(main) if main else None
    if main and main.bom_ref:
        things[main.bom_ref] = _name(main)
    claims = tuple(
        claim for each in bom.vulnerabilities for claim in _claims(each, things, product, bom.metadata)
    )
    makers = [bom.metadata.supplier, bom.metadata.manufacturer, *bom.metadata.authors]
    author = next(
        (each.name for each in makers if each and each.name), "a supplier that the document does not name"
    )
    return Document(author=author, claims=claims)


def _claims(
    one: _Vulnerability, things: dict[str, Named], product: Named | None, metadata: _Metadata
) -> Iterator[Claim]:
    names = tuple(filter(None, dict.fromkeys((one.id, *(each.id for each in one.references))))) or (
        "unnamed",
    )
    said = one.analysis
    created = said.last_updated or said.first_issued or one.updated or one.published or metadata.timestamp
    if created is None:
        raise RecordError(
            f"{names[0][:100]} has no date", why="neither its analysis nor the document has one"
        )
    status = _STATUS[said.state] if said.state else VexStatus.UNDER_INVESTIGATION
    for thing in _affected(one.affects, things, status) if one.affects else [product or name([])]:
        inside = product is not None and thing != product
        yield Claim(
            statement=Statement(
                names=names,
                product=product if inside and product else thing,
                part=thing if inside else None,
            ),
            status=status,
            created=created,
            justification=_READ.get(said.justification),
            rationale=said.detail,
        )


def _affected(affects: Sequence[_Affected], things: dict[str, Named], status: VexStatus) -> Iterator[Named]:
    for each in affects:
        # A link into another BOM says which component, but not which product it is part of.
        known = things.get(each.ref) or name([each.ref])
        if not each.versions:
            yield known
        for version in each.versions:
            if version.status in _APPLY[status]:
                yield _with_version(known, version)


def _with_version(known: Named, version: _Version) -> Named:
    """Return a component with one version: one that its package URL names already must be the same."""
    if not version.version:
        return msgspec.structs.replace(known, versions=version.range)
    texts = [
        with_version for each in known.purls if (with_version := purl.with_version(each, version.version))
    ]
    return msgspec.structs.replace(known, purls=tuple(texts), others=known.others or (version.version,))


def _all(components: Sequence[_Component]) -> Iterator[_Component]:
    open_components = list(components)
    while open_components:
        each = open_components.pop()
        open_components += each.components
        yield each


def _name(component: _Component) -> Named:
    hashes = [f"{each.alg}:{each.content}" for each in component.hashes]
    image = component.type == "container"
    sha256 = [each.content for each in component.hashes if image and each.alg == "SHA-256"]
    texts = [component.purl, component.cpe]
    found = name(texts, sha256=sha256, others=[] if sha256 else hashes)
    if found.purls or found.digests:
        return found
    # A reference is often the package URL itself.
    return name([component.bom_ref], others=(component.name or "a component without a name",))
