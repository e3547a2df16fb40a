"""Areas of ./check: no test is in none or in two of them, and a change finds those that it can break."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _load_areas() -> ModuleType:
    spec = importlib.util.spec_from_file_location("areas", ROOT / "setup" / "areas.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["areas"] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


areas = _load_areas()
KNOWN = areas.areas((ROOT / "tests" / "areas.toml").read_text("utf-8"))
ARROWS = areas.graph(ROOT)


def areas_of(path: str) -> set[str]:
    return set(areas.areas_touched(path, KNOWN.values(), ARROWS))


def test_every_test_file_is_in_one_area() -> None:
    for folder in ("integration", "pipelines", "cluster"):
        for file in (ROOT / "tests" / folder).glob("test_*.py"):
            path = file.relative_to(ROOT).as_posix()
            assert [name for name, area in KNOWN.items() if area.has_test(path)] != [], path
            assert len([name for name, area in KNOWN.items() if area.has_test(path)]) == 1, path


def test_what_an_area_names_is_there() -> None:
    script = (ROOT / "check").read_text("utf-8")
    brought = set(re.findall(r"^    ([a-z-]+)\) need_", script, re.MULTILINE))
    for area in KNOWN.values():
        assert set(area.needs) <= brought
        assert [each for each in area.tests if not (ROOT / "tests" / each).exists()] == []
        assert [each for each in area.uses if not (ROOT / each).exists()] == []
        assert [each for each in area.code if each not in ARROWS] == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("steps/autoclave/hosts/jenkins/run.py", {"jenkins"}),
        ("steps/autoclave/report/pdf.py", {"report"}),
        ("steps/autoclave/errors.py", set(KNOWN)),
        ("steps/autoclave/store/layout/blobs.py", set(KNOWN)),
        ("steps/autoclave/cli/main.py", set(KNOWN)),
        ("tests/integration/test_report.py", {"report"}),
        ("tests/integration/people.py", {"evidence"}),
        ("tests/builders/devices.py", set(KNOWN)),
        ("tests/cluster/conftest.py", {"kubernetes"}),
        ("pipelines/gitlab/scan.yml", {"gitlab", "image"}),
        ("examples/remote-monitoring/monitoring/service.py", {"kubernetes", "examples"}),
        ("setup/hudson/Boot.java", {"jenkins"}),
        ("setup/lib.sh", set(KNOWN)),
        ("requirements.lock", set(KNOWN)),
        ("new-folder/data.bin", set(KNOWN)),
        ("README.md", set()),
        ("docs/report.md", set()),
    ],
)
def test_a_change_finds_its_areas(path: str, expected: set[str]) -> None:
    assert areas_of(path) == expected


def test_a_scanner_loaded_by_name_is_part_of_every_scan() -> None:
    assert {"scan", "docker"} <= areas_of("steps/autoclave/scanners/trivy/__init__.py")


def test_steps_are_part_of_the_pipeline_that_loads_them_by_name() -> None:
    assert {"autoclave.unit_test", "autoclave.deploy"} <= ARROWS["autoclave.pipeline"]


def test_a_relative_import_is_an_arrow() -> None:
    assert "a.b.c" in areas.imports("a.b.d", "from . import c", is_package=False)
    assert "a.b.c" in areas.imports("a.b", "from .c import x", is_package=True)
    assert "a.c" in areas.imports("a.b.d", "def f():\n    from ..c import x", is_package=False)
