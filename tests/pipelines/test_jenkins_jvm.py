"""All Jenkinsfiles of a worker run in one JVM: none sees another, and none brings the next one down."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.devices import Repository
from pipelines import jenkins_jvm, jenkins_unit
from pipelines.jenkins_unit import Scenario

LEAVES = "String.metaClass.shout = 'LEFT!'.&toString\necho 'left'.shout()\nenv.LEFT = 'behind'\n"
LOOKS = "echo 'LEFT is ' + env.LEFT\necho 'left'.shout()\n"


@pytest.fixture
def nothing(tmp_path: Path) -> Repository:
    """No device: these Jenkinsfiles check nothing out."""
    return Repository(tmp_path / "device", tmp_path / "home")


@pytest.mark.parametrize("mode", ["cps", "plain"])
def test_a_build_sees_nothing_that_another_left(nothing: Repository, tmp_path: Path, mode: str) -> None:
    files = [LEAVES, LOOKS]
    left, looked = jenkins_unit.run(
        tmp_path / "jenkins", *(Scenario(nothing, file, mode=mode) for file in files)
    )
    assert "LEFT!\n" in left.said["console"], left.log
    assert "LEFT is null\n" in looked.said["console"]
    assert looked.said["kind"] == "groovy.lang.MissingMethodException", looked.log


def test_a_jvm_that_dies_or_hangs_fails_its_test_alone(
    nothing: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(name: str, jenkinsfile: str) -> jenkins_unit.Build:
        (build,) = jenkins_unit.run(tmp_path / name, Scenario(nothing, jenkinsfile))
        return build

    with pytest.raises(AssertionError, match=r"the JVM died \(7\)\nsome last words\n"):
        run("dies", "System.err.println('some last words')\nRuntime.runtime.halt(7)\n")
    assert run("after", "echo 'alive'\n").said["console"] == "alive\n"
    with monkeypatch.context() as patch:
        patch.setattr(jenkins_jvm, "LIMIT_SECONDS", 1)
        with pytest.raises(AssertionError, match="the JVM did not answer within 1 s"):
            run("hangs", "while (true) { }\n")
    assert run("again", "echo 'alive'\n").said["console"] == "alive\n"
