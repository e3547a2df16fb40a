"""The whole flow: which steps run, which at the same time, and which error counts."""

from __future__ import annotations

import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autoclave import pipeline, targets
from autoclave.console.json import JsonScreen
from autoclave.context import Context
from autoclave.errors import EngineError, ScanGateClosed, UnitTestGateClosed, UsageError
from autoclave.model.plan import StepPlan
from autoclave.model.steps import Step
from autoclave.pipeline import Options
from autoclave.runtime.options import StepOptions
from autoclave.store.oci import MANIFEST, Descriptor
from builders.memory_target import MemoryTarget

DEVICE = """\
[device]
name = "pump"
version = "1"
safety-class = "A"
[[image]]
name = "app"
[[image]]
name = "exporter"
[[environment]]
name = "staging"
"""
DIGEST = "sha256:" + "1" * 64


class Placed(StepOptions, frozen=True, kw_only=True):
    environment: str


class Flow:
    """A device whose steps are calls of the test's own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "autoclave.toml").write_text(DEVICE)
        self.folder = folder
        monkeypatch.setattr(targets, "create", lambda environment, _: MemoryTarget(environment=environment))
        self.calls: dict[str, Callable[[], object]] = {}
        self.ran: list[tuple[str, StepOptions, str]] = []
        monkeypatch.setattr(pipeline, "load_module", self.load)
        monkeypatch.setattr(pipeline, "_sweep", lambda ctx: None)
        image = Descriptor(media_type=MANIFEST, digest=DIGEST, size=1)
        self.calls["build"] = lambda: [SimpleNamespace(image=SimpleNamespace(name="app"), descriptor=image)]

    def load(self, step: Step) -> Any:
        def run(options: StepOptions, ctx: Context) -> object:
            self.ran.append((step.name, options, threading.current_thread().name))
            return self.calls.get(step.name, list)()

        def make_plans(options: StepOptions, ctx: Context) -> list[StepPlan]:
            return [
                StepPlan(step=step.name, image=each.name, commands=(), tools={}, inputs={})
                for each in ctx.device.image
            ]

        kind = Placed if step.name == "deploy" else StepOptions
        return SimpleNamespace(Options=kind, run=run, make_plans=make_plans)

    def context(self, **options: Any) -> tuple[Options, Context]:
        made = Options(folder=str(self.folder), **options)
        return made, Context(made, JsonScreen())

    def run(self, **options: Any) -> dict[str, Any]:
        return pipeline.run(*self.context(**options))

    @property
    def steps(self) -> list[str]:
        return [name for name, _, _ in self.ran]

    def verdicts(self) -> dict[str, bool]:
        report = ET.parse(self.folder / ".autoclave" / "reports" / "device" / "gates.xml")
        return {str(each.get("name")): each.find("failure") is None for each in report.iter("testcase")}


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flow:
    return Flow(tmp_path, monkeypatch)


def test_the_flow_goes_up_to_a_deployment_when_there_is_an_environment(flow: Flow) -> None:
    assert flow.run() == {"images": {"app": DIGEST}, "environment": "staging", "deployed": False}
    assert sorted(flow.steps) == sorted(["build", "unit-test", "scan", "sign", "deploy"])
    assert [flow.steps[0], *flow.steps[3:]] == ["build", "sign", "deploy"]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("build", ["build"]),
        ("unit-test", ["build", "unit-test"]),
        ("scan", ["build", "scan"]),
        ("sign", ["build", "scan", "sign", "unit-test"]),
    ],
)
def test_a_step_runs_after_what_it_needs_and_nothing_else(flow: Flow, last: str, expected: list[str]) -> None:
    assert flow.run(to=last) == {"images": {"app": DIGEST}}
    assert sorted(flow.steps) == expected


def test_steps_that_need_nothing_of_each_other_run_at_the_same_time(flow: Flow) -> None:
    both = threading.Barrier(2, timeout=20)
    flow.calls |= {"unit-test": both.wait, "scan": both.wait}
    flow.run(to="sign")
    assert not both.broken


def test_a_step_of_its_own_runs_in_the_main_thread_where_ctrl_c_arrives(flow: Flow) -> None:
    flow.run()
    here = threading.current_thread().name
    assert {name for name, _, thread in flow.ran if thread == here} == {"build", "sign", "deploy"}


def test_the_first_error_counts_after_the_other_step_has_finished(flow: Flow) -> None:
    done = threading.Event()

    def fail_early() -> None:
        raise UnitTestGateClosed("closed")

    def fail_late() -> None:
        done.set()
        raise ScanGateClosed("closed as well")

    flow.calls |= {"unit-test": fail_early, "scan": fail_late}
    with pytest.raises(UnitTestGateClosed):
        flow.run()
    assert done.is_set()
    assert "sign" not in flow.steps
    assert flow.verdicts() == {"build": True, "unit-test": False, "scan": False}


def test_a_step_gets_the_run_s_options_and_the_environment_that_was_found(flow: Flow) -> None:
    flow.run(again_step=("scan",), verbose=True)
    options = {name: each for name, each, _ in flow.ran}
    assert [options[name].again for name in ("build", "unit-test", "scan")] == [False, False, True]
    assert all(each.verbose for each in options.values())
    assert isinstance(options["deploy"], Placed)
    assert options["deploy"].environment == "staging"


def test_plans_are_listed_image_by_image_in_the_order_of_the_steps(flow: Flow) -> None:
    plans = pipeline.make_plans(*flow.context(to="sign"))
    order = ["build", "unit-test", "scan", "sign"]
    assert [(each.image, each.step) for each in plans] == [
        (image, step) for image in ("app", "exporter") for step in order
    ]


@pytest.mark.parametrize("options", [{"to": "nowhere"}, {"again_step": ("nowhere",)}])
def test_a_step_that_does_not_exist_is_refused(flow: Flow, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="there is no step 'nowhere'"):
        flow.run(**options)
    assert flow.steps == []


def test_a_defect_of_a_step_is_no_passed_gate(flow: Flow) -> None:
    def break_down() -> None:
        raise ZeroDivisionError("no digits")

    flow.calls["scan"] = break_down
    with pytest.raises(ZeroDivisionError):
        flow.run()
    assert flow.verdicts() == {"build": True, "unit-test": True, "scan": False}


def test_what_ends_a_run_between_two_steps_is_no_passed_gate(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    options_of = pipeline._options_of

    def refuse(*words: Any) -> StepOptions:
        if words[1].name == "sign":
            raise UsageError("not like this")
        return options_of(*words)

    monkeypatch.setattr(pipeline, "_options_of", refuse)
    with pytest.raises(UsageError):
        flow.run()
    assert flow.verdicts()["run"] is False


def test_an_engine_that_is_gone_does_not_hide_that_a_run_was_stopped(flow: Flow) -> None:
    class Absent:
        def containers(self, labels: object) -> None:
            raise EngineError("the engine does not answer")

    _, ctx = flow.context()
    ctx.__dict__["_engine"] = Absent()
    ctx.cancel()
    assert ctx.cancelled.is_set()
