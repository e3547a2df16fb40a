"""`autoclave github summary`: it writes what the records say, and changes no verdict when it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autoclave.cli.commands import github
from autoclave.cli.main import main
from autoclave.console.json import JsonScreen
from autoclave.context import Context
from autoclave.errors import HostError, StoreError
from autoclave.model.status import Gate, GateStatus
from autoclave.release.status import ImageStatus

DEVICE = '[device]\nname = "pump"\nversion = "1.2.0"\nsafety-class = "A"\n[[image]]\nname = "app"\n'
STATUS = ImageStatus(
    image="app", digest="sha256:" + "1" * 64, gates=(Gate(step="build", state=GateStatus.PASSED),)
)


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "autoclave.toml").write_text(DEVICE)
    monkeypatch.setattr(github, "read_standings", lambda opts, ctx: [STATUS])
    monkeypatch.delenv(github.VARIABLE, raising=False)
    monkeypatch.setenv("GITHUB_SHA", "c0ffee" * 6)
    return tmp_path


def summarise(
    folder: Path, capsys: pytest.CaptureFixture[str], *, dry_run: bool = False
) -> dict[str, object]:
    opts = github.Options(folder=str(folder), dry_run=dry_run)
    github._run(opts, Context(opts, JsonScreen()))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (done,) = [each for each in lines if "done" in each]
    return dict(done)


def test_it_is_added_to_the_file_of_the_job(
    device: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = device / "summary.md"
    file.write_text("# of another step\n")
    monkeypatch.setenv(github.VARIABLE, str(file))
    assert summarise(device, capsys)["done"] is True
    assert file.read_text().startswith("# of another step\n### ")
    assert "`pump` `1.2.0`" in file.read_text()


@pytest.mark.parametrize("dry_run", [True, False])
def test_without_a_job_it_is_printed(dry_run: bool, device: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = summarise(device, capsys, dry_run=dry_run)
    assert done["done"] is False
    assert "| `app` |" in str(done["text"])


def test_a_file_that_cannot_be_written_changes_nothing(
    device: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(github.VARIABLE, str(device / "missing" / "summary.md"))
    done = summarise(device, capsys)
    assert (done["done"], "no verdict depends on it" in str(done["text"])) == (False, True)


@pytest.mark.parametrize("error", [StoreError("nothing was built"), HostError("it does not answer")])
def test_records_that_cannot_be_read_change_nothing(
    error: Exception, device: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(opts: object, ctx: object) -> None:
        raise error

    monkeypatch.setattr(github, "read_standings", fail)
    assert summarise(device, capsys)["done"] is False


def test_init_writes_the_workflow_into_its_folder(tmp_path: Path) -> None:
    assert main(["init", "--host", "github", "-C", str(tmp_path)]) == 0
    text = (tmp_path / ".github" / "workflows" / "autoclave.yml").read_text()
    assert "uses: platform/autoclave/.github/workflows/autoclave.yml@v" in text
