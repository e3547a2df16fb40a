"""What is added to the scans of images: catalogues about exploitation, and reports of other tools."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from autoclave.model.facts import ScanFacts
from autoclave.scanners import catalogues
from autoclave.scanners.catalogues import Catalogues
from autoclave.scanners.sarif import Content


class Additions(Struct, frozen=True, kw_only=True):
    """Catalogues and reports, read once for all images of a run; `raw` are the reports' bytes, in order."""

    catalogues: Catalogues
    reports: tuple[Content, ...] = ()
    raw: tuple[bytes, ...] = ()

    def inputs(self, *, is_first: bool) -> dict[str, str]:
        """Return what decides whether to scan again. Reports are taken in once: with the first scanner."""
        found = {f"catalogue {each.name}": each.digest for each in self.catalogues.records}
        reports = self.reports if is_first else ()
        # With the severities that block: they are the device file's, and may change.
        return found | {
            f"report {each.report.path}": f"{each.report.digest} {_list_blocking(each)}".strip()
            for each in reports
        }

    def add(self, facts: ScanFacts, *, is_first: bool) -> ScanFacts:
        """Return facts with what the catalogues say of the findings, and with the findings of the reports."""
        facts = catalogues.enrich(facts, self.catalogues)
        if not is_first or not self.reports:
            return facts
        found = tuple(finding for each in self.reports for finding in each.findings)
        return replace(
            facts,
            findings=tuple(dict.fromkeys((*facts.findings, *found))),
            imported=tuple(each.report for each in self.reports),
        )


def _list_blocking(content: Content) -> str:
    blocking: Sequence[str] = sorted({each.severity for each in content.findings if each.blocks})
    return ",".join(blocking)
