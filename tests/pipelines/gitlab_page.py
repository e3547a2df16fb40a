"""The generated parts of docs/gitlab.md."""

from __future__ import annotations

import worker_results
from builders.devices import ROOT

PAGE = ROOT / "docs" / "gitlab.md"


def part(name: str) -> str:
    """Return the text between two marks of the page."""
    text = PAGE.read_text("utf-8")
    return text.split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]


def keep_override(attempt: str, override: str, job: str, said: str) -> None:
    """Keep the row of one attempt: what was tried, the job that refused, its words."""
    tried = "<br>".join([attempt, *(f"`{line}`" for line in override.splitlines())]).replace("|", "\\|")
    cells = [tried, f"`{job}`", said.replace("|", "\\|")]
    worker_results.keep("overrides", tried, f"| {' | '.join(cells)} |")
