"""Tables of the documentation that tests write: compared in every run, updated by AUTOCLAVE_WRITE_DOCS=1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import worker_results

DOCS = Path(__file__).resolve().parents[1] / "docs"


@dataclass(frozen=True)
class Table:
    """A table on a page: everything between its two header lines and the next line that is not a row."""

    page: Path
    header: str

    def rows(self) -> list[str]:
        """Return the rows as the page has them."""
        return self._parts()[1]

    def write(self, found: Mapping[str, str], *, whole: bool) -> None:
        """Update the rows that were found; new ones come last, and a whole run removes the others."""
        before, rows, after = self._parts()
        left = dict(found)
        renewed = [left.pop(_case(row), "" if whole else row) for row in rows]
        lines = [*before, *filter(None, renewed), *left.values(), *after]
        self.page.write_text("\n".join(lines) + "\n", "utf-8")

    def complaints(self, found: Mapping[str, str], *, whole: bool) -> list[str]:
        """Return the cases in which the page differs; for a whole run also its surplus rows."""
        rows = self.rows()
        name = f"docs/{self.page.name}"
        again = "run the tests again with AUTOCLAVE_WRITE_DOCS=1, then read the difference"
        changed = [case for case, row in found.items() if row not in rows]
        added = [case for case in map(_case, rows) if whole and case not in found]
        said = [f"{name} differs from this run in: {case} ({again})" for case in changed]
        return said + [f"{name} has a row without a test: {case} ({again})" for case in added]

    def _parts(self) -> tuple[list[str], list[str], list[str]]:
        lines = self.page.read_text("utf-8").splitlines()
        start = lines.index(self.header) + 2
        end = start
        while end < len(lines) and lines[end].startswith("| "):
            end += 1
        return lines[:start], lines[start:end], lines[end:]


def _case(row: str) -> str:
    """Return the first cell of a row, which names its case."""
    return row.removeprefix("| ").partition(" | ")[0]


TABLES = {
    "gates": Table(DOCS / "gates.md", "| case | stopped by | exit code | it says |"),
    "scanning": Table(
        DOCS / "scanning.md", "| packages | Trivy sees | Trivy judges by | the gate says | Grype judges by |"
    ),
    "registry": Table(DOCS / "registry.md", "| what happens | requests | ends | it says |"),
    "overrides": Table(DOCS / "gitlab.md", "| in the repository's CI file | refused by | it says |"),
}


def judge(found: Mapping[str, Mapping[str, str]], *, whole: bool) -> list[str]:
    """Compare the rows that were found with each page, or write it; return the differences."""
    complaints = []
    for name, rows in found.items():
        table = TABLES[name]
        if worker_results.writes_pages():
            table.write(rows, whole=whole)
        else:
            complaints += table.complaints(rows, whole=whole)
    return complaints
