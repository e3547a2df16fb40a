"""What differs between two plans, and the files of the CI hosts that `init` writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from autoclave import __version__
from autoclave.cli.commands import init
from autoclave.errors import ConfigError
from autoclave.model.plan import StepPlan, differences

BUILD = StepPlan(
    step="build", image="app", commands=(("docker", "build"),), tools={"builder": "x"}, inputs={}
)
SCAN = StepPlan(step="scan", image="app", commands=(), tools={"trivy": "1"}, inputs={"database": "a"})


def test_equal_plans_have_no_difference() -> None:
    assert differences([BUILD, SCAN], [BUILD, SCAN]) == []


def test_each_difference_is_named_with_both_values() -> None:
    other = StepPlan(step="scan", image="app", commands=(("trivy",),), tools={"trivy": "2"}, inputs={})
    assert differences([BUILD, SCAN], [BUILD, other]) == [
        "scan app: tool trivy: 1 | 2",
        "scan app: input database: a | nothing",
        "scan app: command 1: nothing | trivy",
    ]


def test_a_step_missing_from_one_plan_is_named() -> None:
    assert differences([BUILD], [SCAN]) == [
        "build app: only in the first plan",
        "scan app: only in the second plan",
    ]


@pytest.mark.parametrize(("host", "name"), [("gitlab", ".gitlab-ci.yml"), ("jenkins", "Jenkinsfile")])
def test_init_writes_the_host_s_file_beside_a_device_file_that_is_there(
    tmp_path: Path, host: str, name: str
) -> None:
    (tmp_path / "autoclave.toml").write_text("mine")
    assert init.run(tmp_path, init.Answers(host=host)) == 0
    assert f"v{__version__}" in (tmp_path / name).read_text("utf-8")
    assert (tmp_path / "autoclave.toml").read_text() == "mine"
    with pytest.raises(ConfigError, match="exists already"):
        init.run(tmp_path, init.Answers(host=host))


def test_a_plan_s_hash_covers_everything_in_it() -> None:
    plan = StepPlan(step="scan", image="app", commands=(("a",),), tools={"t": "1"}, inputs={"i": "1"})
    changed = [
        replace(plan, step="sign"),
        replace(plan, image="b"),
        replace(plan, commands=(("b",),)),
        replace(plan, tools={"t": "2"}),
        replace(plan, inputs={"i": "2"}),
    ]
    assert len({each.digest for each in [plan, *changed]}) == 6
    assert (
        replace(plan, inputs={"b": "1", "a": "2"}).digest == replace(plan, inputs={"a": "2", "b": "1"}).digest
    )
