"""VEX in and out: suppliers' signed OpenVEX documents, and ours as OpenVEX and CycloneDX.

Sources: OpenVEX specification 0.2.0; CycloneDX 1.6, `vulnerabilities[].analysis`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct, field

from autoclave.errors import RecordError
from autoclave.evidence import dsse
from autoclave.evidence.statement import PAYLOAD_TYPE, parse
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.model.declared import Justification, Scope, SignedWaiver, VexStatus, Waiver
from autoclave.model.digest import Digest, digest_of
from autoclave.model.facts import Finding
from autoclave.model.moment import Moment

CONTEXT = "https://openvex.dev/ns/v0.2.0"
_CONTEXTS = "https://openvex.dev/ns"
_BELIEVED = timedelta(days=365)  # a document has no end of its own


class _Vulnerability(Struct):
    name: str


class _Product(Struct, rename={"id": "@id"}):
    id: str = ""
    subcomponents: list[_Product] = []
    identifiers: dict[str, str] = {}


class _VexStatement(Struct):
    vulnerability: _Vulnerability | str
    status: VexStatus
    products: list[_Product] = []
    justification: Justification | None = None
    impact_statement: str = ""
    action_statement: str = ""
    status_notes: str = ""
    timestamp: Moment | None = None


class _Document(Struct):
    context: str = field(name="@context")
    author: str
    timestamp: Moment
    statements: list[_VexStatement]


def verify(raw: bytes, trust: Trust, *, name: str, device: str) -> tuple[SignedWaiver, ...]:
    """Return what a supplier's signed OpenVEX document says, one waiver for each package that it names.

    `defect` says why one does not count: nobody signed it who may sign for that package. Raises RecordError
    when the file does not contain a document.
    """
    payload, kind, _ = dsse.decode(raw)
    statement = parse(payload)
    if kind != PAYLOAD_TYPE or not statement.predicate_type.startswith(_CONTEXTS):
        raise RecordError(f"{name} does not contain an OpenVEX document", why=statement.predicate_type[:200])
    try:
        document = msgspec.json.decode(statement.predicate, type=_Document)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RecordError(f"{name} is not a usable OpenVEX document", why=str(error)) from error
    _, _, good = dsse.verify(raw, [each.key for each in trust.keys])
    suppliers = [each for each in trust.keys if each.key in good and "vex" in each.may]
    return tuple(
        SignedWaiver(
            waiver=waiver,
            digest=digest_of(raw),
            supplier=suppliers[0].name if suppliers else document.author,
            defect=_defect(waiver.scope.package, suppliers),
        )
        for waiver in _waivers(document, name, device)
    )


def _defect(package: str, suppliers: Sequence[TrustedKey]) -> str:
    """Return why nobody who signed may sign for a package; empty when somebody may."""
    if not suppliers:
        return 'it is not signed with a supplier\'s key of the trust file (may = ["vex"])'
    if any(each.may_speak_of(package) for each in suppliers):
        return ""
    packages = ", ".join(f"{each.name} may sign for {', '.join(each.packages)}" for each in suppliers)
    return f"the trust file lets no signer sign for {package}: {packages}"


def openvex(
    waived: Sequence[tuple[SignedWaiver, Sequence[Finding]]], *, image: str, author: str, now: datetime
) -> dict[str, Any]:
    """Return our decisions as an OpenVEX document. `image` is the product's package URL."""
    statements = [_openvex(signed.waiver, finding, image) for signed, found in waived for finding in found]
    body = {"author": author, "timestamp": now, "version": 1, "statements": statements}
    name = Digest(digest_of(msgspec.json.encode(statements))).hex
    return {"@context": CONTEXT, "@id": f"urn:autoclave:vex:{name}", **body}


def cyclonedx(
    waived: Sequence[tuple[SignedWaiver, Sequence[Finding]]], *, serial: str, refs: dict[str, str]
) -> dict[str, Any]:
    """Return our decisions as a CycloneDX VEX. `serial` is the SBOM's; `refs` its bom-refs by package URL."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "vulnerabilities": [
            _cyclonedx(signed.waiver, finding, serial, refs) for signed, found in waived for finding in found
        ],
    }


def _waivers(document: _Document, name: str, device: str) -> Iterator[Waiver]:
    number = 0
    for said in document.statements:
        created = said.timestamp or document.timestamp
        vulnerability = said.vulnerability if isinstance(said.vulnerability, str) else said.vulnerability.name
        things = [part for product in said.products for part in product.subcomponents or [product]]
        for purl in filter(None, (each.identifiers.get("purl") or each.id for each in things)):
            number += 1
            package, _, version = purl.partition("?")[0].partition("@")
            yield Waiver(
                id=f"{re.sub(r'[^A-Za-z0-9._-]', '-', name)[:80]}-{number}",
                device=device,
                finding=vulnerability,
                scope=Scope(package=package, versions=version),
                status=said.status,
                justification=said.justification,
                rationale=said.impact_statement or said.action_statement or said.status_notes or "not given",
                author=document.author,
                created=created,
                expires=_end_of(created),
            )


def _end_of(created: datetime) -> datetime:
    """Return until when a document counts; one from the end of the calendar has no later day."""
    try:
        return created + _BELIEVED
    except OverflowError:
        return created


def _openvex(waiver: Waiver, finding: Finding, image: str) -> dict[str, Any]:
    product: dict[str, Any] = {"@id": image}
    if finding.purl:
        product["subcomponents"] = [{"@id": finding.purl}]
    said: dict[str, Any] = {
        "vulnerability": {"name": finding.id},
        "products": [product],
        "status": waiver.status,
        "timestamp": waiver.created,
    }
    if waiver.status is VexStatus.AFFECTED:
        return said | {"action_statement": waiver.rationale}
    if waiver.status is not VexStatus.NOT_AFFECTED:
        return said | {"status_notes": waiver.rationale}
    # Readers of the schema refuse a statement that has both.
    if waiver.justification:
        return said | {"justification": waiver.justification, "status_notes": waiver.rationale}
    return said | {"impact_statement": waiver.rationale}


_ANALYSIS = {
    VexStatus.NOT_AFFECTED: "not_affected",
    VexStatus.AFFECTED: "exploitable",
    VexStatus.FIXED: "resolved",
    VexStatus.UNDER_INVESTIGATION: "in_triage",
}
_JUSTIFIED = {
    Justification.COMPONENT_NOT_PRESENT: "code_not_present",
    Justification.VULNERABLE_CODE_NOT_PRESENT: "code_not_present",
    Justification.VULNERABLE_CODE_NOT_IN_EXECUTE_PATH: "code_not_reachable",
    Justification.VULNERABLE_CODE_CANNOT_BE_CONTROLLED: "requires_environment",
    Justification.INLINE_MITIGATIONS: "protected_by_mitigating_control",
}


def _cyclonedx(waiver: Waiver, finding: Finding, serial: str, refs: dict[str, str]) -> dict[str, Any]:
    analysis: dict[str, Any] = {"state": _ANALYSIS[waiver.status], "detail": waiver.rationale}
    if waiver.justification:
        analysis["justification"] = _JUSTIFIED[waiver.justification]
    ref = refs.get(finding.purl, finding.purl or finding.target)
    where = f"urn:cdx:{serial.removeprefix('urn:uuid:')}/1#{ref}" if serial else ref
    return {
        "id": finding.id,
        "ratings": [{"severity": str(finding.severity)}],
        "analysis": analysis,
        "affects": [{"ref": where}],
    }
