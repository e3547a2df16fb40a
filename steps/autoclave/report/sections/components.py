"""The image's components: the SBOM with its NTIA fields, matched with the SOUP register."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from autoclave.gates import soup as gate
from autoclave.gates.soup import Match
from autoclave.model.declared import Component
from autoclave.report.inputs import Inputs, decode
from autoclave.report.rows import ComponentRow, FieldCount, SoupRow
from autoclave.report.schema import Sbom, Soup


def soup(known: Inputs, matches: Sequence[Match]) -> Soup:
    """Return the register's entries with how many components each covers, and the components without one."""
    register = known.evidence.declared.register
    counts: dict[int, int] = {}
    for each in matches:
        if each.entry:
            counts[id(each.entry)] = counts.get(id(each.entry), 0) + 1
    today = known.now.date()
    lacking = [each.component for each in matches if each.entry is None]
    return Soup(
        declared=register is not None,
        entries=tuple(
            SoupRow(
                title=each.title,
                manufacturer=each.manufacturer,
                component=each.component,
                version=each.version,
                why=each.why,
                support_end=each.support_end,
                support_level=each.support_level,
                anomalies=each.anomalies,
                reviewed_by=each.reviewed_by,
                reviewed_on=each.reviewed_on,
                components=counts.get(id(each), 0),
                defect=gate.defect(each, known.policy.soup, today),
            )
            for each in register or ()
        ),
        with_entry=len(matches) - len(lacking),
        without_entry=tuple(f"{each.name} {each.version}" for each in lacking)
        if register is not None
        else (),
    )


def sbom(known: Inputs, matches: Sequence[Match]) -> Sbom:
    """Return the SBOM's components with their NTIA fields, and how many have each."""
    record = known.newest("sbom")
    if record is None:
        return Sbom(present=False)
    bom: _Bom = decode(record, _Bom)
    author = bom.metadata.author
    rows = components(matches)
    return Sbom(
        present=True,
        format=f"{bom.bom_format} {bom.spec_version}",
        serial=bom.serial_number,
        author=author,
        made=bom.metadata.timestamp,
        fields=fields(rows, author=author, dated=bom.metadata.timestamp is not None),
        components=rows,
    )


def components(matches: Sequence[Match]) -> tuple[ComponentRow, ...]:
    """Return a row for each component, by name."""
    related = {ref for each in matches for ref in each.component.depends}
    rows = [_component(each, related) for each in matches]
    return tuple(sorted(rows, key=lambda row: (row.name, row.version)))


def fields(rows: Sequence[ComponentRow], *, author: str, dated: bool) -> tuple[FieldCount, ...]:
    """Count the NTIA minimum elements; author and time are the SBOM's, for all components or none."""
    total = len(rows)
    lacking = {name: sum(name in row.missing for row in rows) for name in _FIELDS}
    counts = [FieldCount(field=name, have=total - lacking[name], of=total) for name in _FIELDS]
    counts.append(FieldCount(field="author of the SBOM", have=total if author else 0, of=total))
    counts.append(FieldCount(field="time stamp", have=total if dated else 0, of=total))
    supported = sum(row.support_end is not None for row in rows)
    return (*counts, FieldCount(field="end of support (SOUP register)", have=supported, of=total))


_FIELDS = ("supplier", "name", "version", "identifier", "relationship")


def _component(match: Match, related: set[str]) -> ComponentRow:
    each, entry = match.component, match.entry
    is_related = bool(each.depends) or each.ref in related
    have = (each.supplier or (entry.manufacturer if entry else ""), each.name, each.version, each.purl)
    return ComponentRow(
        name=each.name,
        version=each.version,
        supplier=have[0],
        purl=each.purl,
        license=each.license,
        depends=len(each.depends),
        related=is_related,
        register=_register(match),
        support_end=entry.support_end if entry else None,
        support_level=entry.support_level if entry else "",
        missing=tuple(name for name, value in zip(_FIELDS, (*have, is_related), strict=True) if not value),
    )


def _register(match: Match) -> str:
    if match.entry:
        return match.entry.title
    return f"none for this version (for {match.changed.version})" if match.changed else ""


class _Named(Struct):
    name: str = ""
    version: str = ""


class _Metadata(Struct, frozen=True):
    timestamp: datetime | None = None
    authors: list[_Named] = []
    tools: Any = None

    @property
    def author(self) -> str:
        """The authors, else the tools that wrote it: a list (CycloneDX up to 1.4) or a table of lists."""
        named = [each.name for each in self.authors if each.name]
        if named:
            return ", ".join(named)
        listed = self.tools.get("components") if isinstance(self.tools, dict) else self.tools
        tools = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        return ", ".join(f"{each.get('name', '')} {each.get('version', '')}".strip() for each in tools)


class _Bom(Struct, rename="camel"):
    bom_format: str = ""
    spec_version: str = ""
    serial_number: str = ""
    metadata: _Metadata = _Metadata()


def match(components: Sequence[Component], known: Inputs) -> tuple[Match, ...]:
    """Return each component with its entry in the register of the release."""
    return gate.match_components(components, known.evidence.declared.register or ())
