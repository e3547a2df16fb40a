"""Rows of docs/gates.md, gathered over the whole run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from integration.gates_page import PAGE, Row, line, merged, page


@pytest.fixture(scope="session")
def rows(request: pytest.FixtureRequest) -> Iterator[list[Row]]:
    """The known-bad cases as they end, in order; written to docs/gates.md when asked to."""
    gathered: list[Row] = []
    yield gathered
    known = PAGE.read_text("utf-8") if PAGE.exists() else ""
    whole = _is_whole(request.session, gathered)
    if os.environ.get("AUTOCLAVE_WRITE_DOCS") == "1":
        PAGE.write_text(page(gathered) if whole else merged(known, gathered), "utf-8")
        return
    changed = [row.case for row in gathered if line(row) not in known.splitlines()]
    again = "run pytest tests/integration with AUTOCLAVE_WRITE_DOCS=1"
    assert not changed, f"docs/gates.md does not say what happened in {changed}: {again}"
    assert not whole or known == page(gathered), f"docs/gates.md has other rows than this run: {again}"


def _is_whole(session: pytest.Session, gathered: list[Row]) -> bool:
    """Tell whether every known-bad test was chosen and ended as it should, so that no row is missing."""
    if session.config.option.keyword or any("::" in each for each in session.config.args):
        return False
    tests = [each for each in session.items if "rows" in getattr(each, "fixturenames", ())]
    here = PAGE.parents[1] / "tests" / "integration"
    files = set(here.glob("test_known_bad*.py"))
    return len(tests) == len(gathered) and files <= {each.path for each in tests}
