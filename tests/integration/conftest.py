"""Rows of docs/gates.md, gathered over the whole run."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator

import pytest

from integration.devices import free_port, program
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


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's registry on a loopback port."""
    folder = tmp_path_factory.mktemp("registry")
    address = f"127.0.0.1:{free_port()}"
    (folder / "config.yml").write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}\n"
        f'http: {{addr: "{address}"}}\n'
    )
    with (folder / "log").open("wb") as log:
        argv = [program("docker-registry"), "serve", str(folder / "config.yml")]
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://{address}/v2/", timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    yield address
    process.terminate()
    process.wait()
