"""Read the components out of an SBOM record (CycloneDX, as scanners write it)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field

from autoclave.errors import RecordError
from autoclave.evidence.statement import Statement
from autoclave.model import purl
from autoclave.model.declared import Component


class _Supplier(Struct):
    name: str = ""


class _Component(Struct, rename="camel"):
    name: str
    type: str = "library"
    bom_ref: str = field(name="bom-ref", default="")
    group: str = ""
    version: str = ""
    purl: str = ""
    publisher: str = ""
    supplier: _Supplier | None = None
    licenses: list[dict[str, Any]] = []


class _Edge(Struct, rename="camel"):
    ref: str
    depends_on: list[str] = []


class _Metadata(Struct, frozen=True):
    tools: Any = None


class _Bom(Struct, rename="camel"):
    serial_number: str = ""
    metadata: _Metadata = _Metadata()
    components: list[_Component] = []
    dependencies: list[_Edge] = []


def components(statement: Statement) -> tuple[Component, ...]:
    """Return the software in an SBOM: what has a package URL, and the system. Raises RecordError."""
    bom = _decode(statement)
    edges = {each.ref: tuple(each.depends_on) for each in bom.dependencies}
    return tuple(
        _component(each, edges) for each in bom.components if each.purl or each.type == "operating-system"
    )


def serial(statement: Statement) -> str:
    """Return the serial number of an SBOM, `urn:uuid:…`. Raises RecordError."""
    return _decode(statement).serial_number


def author(statement: Statement) -> str:
    """Return the names of the tools that wrote an SBOM, without versions. Raises RecordError."""
    tools = _decode(statement).metadata.tools
    # A list in CycloneDX up to 1.4, then a table of lists.
    listed = tools.get("components") if isinstance(tools, dict) else tools
    named = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return ", ".join(sorted(str(each.get("name", "")) for each in named))


def require_author(statement: Statement, tool: str) -> None:
    """Raise RecordError unless an SBOM names this tool: by it, each scanner's newest SBOM is found."""
    found = author(statement)
    if tool not in found.split(", "):
        raise RecordError(
            f"the SBOM does not name '{tool}' as its tool", why=f"metadata.tools: {found or 'none'}"
        )


def _decode(statement: Statement) -> _Bom:
    try:
        return msgspec.json.decode(statement.predicate, type=_Bom)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RecordError("the sbom record is not a CycloneDX document", why=str(error)) from error


def _component(each: _Component, edges: dict[str, tuple[str, ...]]) -> Component:
    ref = each.bom_ref or each.purl
    return Component(
        name=f"{each.group}/{each.name}" if each.group else each.name,
        version=each.version,
        purl=each.purl,
        supplier=(each.supplier.name if each.supplier else "") or each.publisher,
        license=", ".join(filter(None, map(_license, each.licenses))),
        distro=purl.qualifier_of(each.purl, "distro"),
        kind=each.type,
        ref=ref,
        depends=edges.get(ref, ()),
    )


def _license(entry: dict[str, Any]) -> str:
    inner = entry.get("license")
    if isinstance(inner, dict):
        return str(inner.get("id") or inner.get("name") or "")
    return str(entry.get("expression") or "")
