"""The generated parts of docs/gitlab.md."""

from __future__ import annotations

import os

from integration.devices import ROOT

PAGE = ROOT / "docs" / "gitlab.md"
_OVERRIDES = "| in the repository's CI file | refused by | it says |\n| --- | --- | --- |\n"


def part(name: str) -> str:
    """Return what stands between two marks of the page."""
    text = PAGE.read_text("utf-8")
    return text.split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]


def overrides(rows: list[tuple[str, str, str]]) -> str:
    """Return the table of attempts: what was tried, the job that refused, its words."""
    cells = [[each.replace("|", "\\|") for each in row] for row in rows]
    return _OVERRIDES + "".join(f"| {tried} | `{job}` | {said} |\n" for tried, job, said in cells)


def keep(name: str, content: str) -> None:
    """Compare a part with what was found, or write it when asked to."""
    known = part(name)
    if os.environ.get("AUTOCLAVE_WRITE_DOCS") == "1":
        marks = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        text = PAGE.read_text("utf-8")
        PAGE.write_text(text.replace(known.join(marks), content.join(marks)), "utf-8")
        return
    again = "run pytest tests/pipelines with AUTOCLAVE_WRITE_DOCS=1"
    assert known == content, f"docs/gitlab.md says otherwise: {again}"
