"""The marker plugin in a real pytest, as the test container runs it: the file alone on PYTHONPATH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autoclave.junit import reader
from autoclave.model.facts import TestFacts

PLUGIN = Path(__file__).parents[2] / "steps/autoclave/harness/pytest_plugin.py"

TESTS = """
import pytest

@pytest.mark.requirement("R-1", "R-2")
def test_two(): pass

@pytest.mark.requirement("R-3")
@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.requirement("R-4"))])
def test_many(n): pass

@pytest.mark.requirement("R-5")
class TestClass:
    def test_plain(self): pass
    @pytest.mark.requirement("R-6", "R-5")
    def test_more(self): assert False

@pytest.fixture
def broken(): raise OSError("no database")

@pytest.fixture
def leaking():
    yield
    raise OSError("still open")

@pytest.mark.requirement("R-7")
def test_setup(broken): pass

@pytest.mark.requirement("R-8")
def test_teardown(leaking): pass

@pytest.mark.requirement("R-9")
@pytest.mark.skip
def test_skipped(): pass

@pytest.mark.requirement("R-10")
def test_fails_and_leaks(leaking): assert False

def test_unlinked(): pass
"""


def pytest_of(
    folder: Path, tests: str, *arguments: str
) -> tuple[subprocess.CompletedProcess[str], TestFacts]:
    (folder / "plugins").mkdir()
    shutil.copy(PLUGIN, folder / "plugins" / "autoclave_requirements.py")
    (folder / "test_it.py").write_text(tests)
    argv = [sys.executable, "-m", "pytest", "-p", "autoclave_requirements", "--strict-markers", *arguments]
    done = subprocess.run(
        [*argv, "-c", "/dev/null", "--rootdir", str(folder), "--junit-xml=r.xml", "test_it.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "plugins")},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    report = folder / "r.xml"
    return done, reader.read([report.read_bytes()]) if report.exists() else TestFacts()


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_every_test_says_its_requirements(tmp_path: Path, workers: tuple[str, ...]) -> None:
    done, facts = pytest_of(tmp_path, TESTS, *workers)
    assert done.returncode == 1, done.stderr
    found = {each.name.rpartition("::")[2]: (each.outcome, each.requirements) for each in facts.traced}
    assert found == {
        "test_two": ("passed", ("R-1", "R-2")),
        "test_many[1]": ("passed", ("R-3",)),
        "test_many[2]": ("passed", ("R-3", "R-4")),
        "test_plain": ("passed", ("R-5",)),
        "test_more": ("failed", ("R-6", "R-5")),
        "test_setup": ("error", ("R-7",)),
        "test_teardown": ("error", ("R-8",)),
        "test_skipped": ("skipped", ("R-9",)),
        "test_fails_and_leaks": ("error", ("R-10",)),
    }
    assert facts.unlinked_names == ("test_it::test_unlinked",)


@pytest.mark.parametrize(
    "mark", ["()", "(1)", "('')", "('R-1,R-2')", "(id='R-1')", "('R-1', kind='x')", "('R-1', test_type=1)"]
)
def test_an_invalid_id_stops_pytest(tmp_path: Path, mark: str) -> None:
    tests = f"import pytest\n@pytest.mark.requirement{mark}\ndef test_it(): pass\n"
    done, _ = pytest_of(tmp_path, tests)
    assert done.returncode == 4
    assert "requirement" in done.stderr


def test_the_report_lists_the_plugins_that_ran(tmp_path: Path) -> None:
    _, facts = pytest_of(tmp_path, "def test_it(): pass\n", "-n", "2")
    report = (tmp_path / "r.xml").read_text()
    listed = re.findall(r'name="pytest-plugins" value="([^"]*)"', report)
    assert re.search(r"pytest-xdist \d", listed[0])
    assert "autoclave" in listed[0]
    assert facts.hidden_retries == {}


def test_the_mark_says_kind_and_derivation_the_closest_one_first(tmp_path: Path) -> None:
    tests = """
import pytest

@pytest.mark.requirement("R-1", test_type="integration", derivation_technique="requirements-analysis")
class TestClass:
    def test_plain(self): pass
    @pytest.mark.requirement("R-2", test_type="fault-injection")
    def test_more(self): pass
"""
    _, facts = pytest_of(tmp_path, tests)
    assert [(each.name.rpartition("::")[2], each.kind, each.technique) for each in facts.traced] == [
        ("test_plain", "integration", "requirements-analysis"),
        ("test_more", "fault-injection", "requirements-analysis"),
    ]
