"""Which source a command works on: the commit, or what lies there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from autoclave import build, pipeline, scan, sign, unit_test
from autoclave.console.json import JsonScreen
from autoclave.context import Context
from autoclave.errors import AutoclaveError, ConfigError, SourceError, UsageError
from autoclave.runtime.options import Common
from builders.commits import commit, git

DEVICE = """\
[device]
name = "pump"
version = "1"
safety-class = "{}"
[[image]]
name = "app"
"""
RELEASING = [each.Options for each in (build, unit_test, scan, sign, pipeline)]


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A device of class B in a repository, outside of a job."""
    for name in ("GITLAB_CI", "JENKINS_URL", "CI"):
        monkeypatch.delenv(name, raising=False)
    commit(tmp_path / "device", {"autoclave.toml": DEVICE.format("B")})
    return tmp_path / "device"


@contextmanager
def context(options: Common) -> Iterator[Context]:
    made = Context(options, JsonScreen())
    try:
        yield made
    finally:
        made.close()


def read_device(options: Common) -> None:
    """Read the device as a command does."""
    with context(options) as ctx:
        try:
            assert ctx.device
        except AutoclaveError as error:
            ctx.name_checkout(error)
            raise


@pytest.mark.parametrize("kind", RELEASING)
def test_what_makes_a_release_takes_the_commit(device: Path, kind: Any) -> None:
    (device / "autoclave.toml").write_text(DEVICE.format("C"))
    with context(kind(folder=str(device))) as ctx:
        assert not ctx.source.is_worktree
        assert ctx.device.device.safety_class == "B"
        made_from = (ctx.source.commit, ctx.source.tree)
        assert made_from == (git(device, "rev-parse", "HEAD"), git(device, "rev-parse", "HEAD^{tree}"))
    with context(kind(folder=str(device), worktree=True)) as ctx:
        assert ctx.source.is_worktree
        assert ctx.device.device.safety_class == "C"
        assert (ctx.source.commit, ctx.source.tree) == (git(device, "rev-parse", "HEAD"), "")
        assert ctx.source.folder == device


def test_without_a_clean_tree_in_the_policy_a_person_gets_what_lies_there(
    device: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(device, {"autoclave.toml": DEVICE.format("A")})
    with context(build.Options(folder=str(device))) as ctx:
        assert ctx.source.is_worktree
    policy = tmp_path / "policy.toml"
    policy.write_text("[release]\nclean-tree = true\n")
    with context(build.Options(folder=str(device), policy=str(policy))) as ctx:
        assert not ctx.source.is_worktree
    monkeypatch.setenv("GITLAB_CI", "true")
    with context(build.Options(folder=str(device))) as ctx:
        assert not ctx.source.is_worktree
    with pytest.raises(UsageError, match="--worktree is not for a job"):
        read_device(build.Options(folder=str(device), worktree=True))


def test_a_job_does_not_even_read_the_device_file_that_lies_there(
    device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    (device / "autoclave.toml").write_text("not TOML")
    with context(build.Options(folder=str(device))) as ctx:
        assert ctx.device.device.name == "pump"


def test_other_commands_work_without_git(tmp_path: Path, device: Path) -> None:
    (tmp_path / "autoclave.toml").write_text(DEVICE.format("C"))
    with context(Common(folder=str(tmp_path))) as ctx:
        assert (ctx.source.is_worktree, ctx.source.commit, ctx.source.time) == (True, "", 0)
    with pytest.raises(SourceError, match="is in no git repository"):
        read_device(build.Options(folder=str(tmp_path)))


def test_an_error_names_the_file_that_a_person_edits(device: Path) -> None:
    commit(device, {"autoclave.toml": DEVICE.format("B") + "[unknown]\n"})
    (device / "autoclave.toml").write_text(DEVICE.format("B"))
    with pytest.raises(ConfigError) as caught:
        read_device(build.Options(folder=str(device)))
    assert str(device / "autoclave.toml") in caught.value.what
    assert ".autoclave/source" not in caught.value.what + caught.value.why + caught.value.next
    assert not list((device / ".autoclave/source").iterdir())


def test_a_command_to_paste_works_in_the_checkout(device: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with context(build.Options(folder=str(device), verbose=True)) as ctx:
        ctx.shell.show(["docker", "build", "."], cwd=ctx.source.folder)
    assert f"cd {device} && docker build ." in capsys.readouterr().out


def test_a_person_is_told_what_is_not_used(device: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with context(build.Options(folder=str(device))) as ctx:
        assert ctx.device
        assert capsys.readouterr().out == ""
    (device / "autoclave.toml").write_text(DEVICE.format("C"))
    with context(build.Options(folder=str(device))) as ctx:
        assert ctx.device
        said = capsys.readouterr().out
        assert f"this is commit {ctx.source.commit[:12]}; here 1 file differs" in said
        assert "--worktree" in said


def test_a_device_file_that_is_not_committed_is_named(device: Path) -> None:
    git(device, "rm", "-q", "--cached", "autoclave.toml")
    git(device, "commit", "-q", "-m", "without")
    with pytest.raises(SourceError, match=r"autoclave\.toml is not committed"):
        read_device(build.Options(folder=str(device)))
