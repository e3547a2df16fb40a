"""What the device file says about requirements, and what of it goes into plans, containers and warnings."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from autoclave.device import device_file
from autoclave.device.schema import UnitTest
from autoclave.engines.base import ImageState
from autoclave.errors import ConfigError, SourceError
from autoclave.harness import archive, container, traceability
from autoclave.model.facts import TestFacts, TestRun, TracedTest
from builders.sample_facts import POLICY, TESTS

HEAD = '[device]\nname = "pump"\nversion = "1"\nsafety-class = "B"\n'
TAIL = '[[image]]\nname = "app"\n[unit-test]\ncommand = ["t"]\n'


class Said:
    """A screen that only remembers warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, step: str, text: str) -> None:
        self.warnings.append(f"{step}: {text}")


def context(folder: Path, more: str = "", head: str = HEAD) -> Any:
    (folder / "autoclave.toml").write_text(head + TAIL + more)
    return SimpleNamespace(
        source=SimpleNamespace(folder=folder, read=lambda name: (folder / name).read_bytes()),
        device=device_file.load(folder),
        policy=POLICY["B"],
        screen=Said(),
    )


def test_a_device_without_the_table_has_the_plan_it_always_had(tmp_path: Path) -> None:
    assert traceability.inputs(context(tmp_path)) == {}
    assert traceability.plugin(context(tmp_path)) == {}


def test_the_links_file_the_property_and_the_plugin_go_into_the_plan(tmp_path: Path) -> None:
    links = tmp_path / "links.toml"
    links.write_text('[[link]]\ntest = "a"\nrequirements = ["R-1"]\n')
    table = '[traceability]\nlinks = "links.toml"\n'
    plans = [traceability.inputs(context(tmp_path, table + more)) for more in ("", 'property = "id"\n')]
    plans.append(traceability.inputs(context(tmp_path, table + "pytest-plugin = true\n")))
    links.write_text(links.read_text() + "# changed\n")
    plans.append(traceability.inputs(context(tmp_path, table)))
    assert len({str(each) for each in plans}) == 4
    links.write_text("")
    with pytest.raises(ConfigError, match=r"links\.toml"):
        traceability.inputs(context(tmp_path, table))


def test_the_links_file_must_be_inside_the_device(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is not a file"):
        context(tmp_path, '[traceability]\nlinks = "links.toml"\n')
    with pytest.raises(SourceError, match="leaves the device folder"):
        context(tmp_path, '[traceability]\nlinks = "../links.toml"\n')


def test_the_plugin_is_copied_over_whatever_the_device_has_there(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/autoclave_requirements.py").write_text("not ours")
    ctx = context(tmp_path, "[traceability]\npytest-plugin = true\n")
    raw = archive.pack(tmp_path, ["plugins"], empty_folders=["results"], added=traceability.plugin(ctx))
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        last = tar.extractfile("plugins/autoclave_requirements.py")  # of two members the last one stays
        assert last is not None
        assert b"def pytest_configure" in last.read()


@pytest.mark.parametrize(
    ("theirs", "image", "path"),
    [
        ({}, {}, "/autoclave/plugins"),
        ({}, {"PYTHONPATH": "/app"}, "/autoclave/plugins:/app"),
        ({"PYTHONPATH": "/tests"}, {"PYTHONPATH": "/app"}, "/autoclave/plugins:/tests"),
    ],
)
def test_python_still_finds_what_it_found(theirs: dict[str, str], image: dict[str, str], path: str) -> None:
    tests = UnitTest(command=["t"], environment=theirs)
    state = ImageState(id="sha256:1", layers=(), user="10001", environment=image)
    spec = container.spec_of(
        tests, state, "", user="10001", outbound="out", shell=False, labels={}, plugin=True
    )
    assert spec.environment["PYTHONPATH"] == path
    without = container.spec_of(tests, state, "", user="10001", outbound="out", shell=False, labels={})
    assert without.environment.get("PYTHONPATH") == theirs.get("PYTHONPATH")


def run_with(*ids: str) -> TestRun:
    test = TracedTest(name="t", outcome="passed", requirements=ids)
    return replace(TESTS, report=TestFacts(passed=1, traced=(test,)))


def test_a_warning_announces_why_the_release_gate_will_close(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("id,text\nR-1,a\nR-2,b\n")
    ctx = context(tmp_path, head=HEAD + 'requirements = "r.csv"\n')
    traceability.warn_of_gaps(ctx.device.image[0], run_with("R-1", "R-2"), "unit-test", ctx)
    assert ctx.screen.warnings == []
    traceability.warn_of_gaps(ctx.device.image[0], run_with("R-1"), "unit-test", ctx)
    (warning,) = ctx.screen.warnings
    assert "1 requirement without a test that passed on this image: R-2" in warning
    (tmp_path / "r.csv").write_text("id\n")
    traceability.warn_of_gaps(ctx.device.image[0], run_with("R-1"), "unit-test", ctx)
    assert "the requirements cannot be read: r.csv:1" in ctx.screen.warnings[1]


def test_of_several_images_no_single_run_covers_all(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("id,text\nR-1,a\n")
    ctx = context(tmp_path, '[[image]]\nname = "other"\n', head=HEAD + 'requirements = "r.csv"\n')
    traceability.warn_of_gaps(ctx.device.image[0], run_with(), "unit-test", ctx)
    assert ctx.screen.warnings == []
