"""`--dry-run` belongs to the commands that honour it, and to no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from autoclave.actions import waive as action
from autoclave.cli import main as cli
from autoclave.cli.commands import waive
from autoclave.cli.commands.jenkins import approvals
from autoclave.console.json import JsonScreen
from autoclave.context import Context
from autoclave.model.declared import Person
from autoclave.store.layout import LayoutStore
from builders import sample_image

HONOURED = {
    *("build", "unit-test", "scan", "sign", "deploy", "run", "plan", "rollback", "approve", "waive", "init"),
    *(
        "gitlab note",
        "gitlab status",
        "gitlab release",
        "gitlab deployment",
        "gitlab approvals",
        "fleet bump",
        "github summary",
    ),
    *("jenkins approvals", "jenkins describe", "jenkins provision"),
}
DEVICE = '[device]\nname = "pump"\nversion = "1"\nsafety-class = "A"\n[[image]]\nname = "app"\n'
ENVIRONMENT = '[[environment]]\nname = "ward"\n'
ANN = Person(id="ann", name="Ann", roles=("qa",))


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command, with the words by which it is called."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found
        if isinstance(found, click.Group):
            yield from commands(found, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", found


def test_the_commands_that_have_it_are_those_that_honour_it() -> None:
    assert isinstance(cli.program, click.Group)
    found = dict(commands(cli.program))
    assert {"seal", "import", "export", "doctor"} <= found.keys()
    assert {
        words for words, each in found.items() if any(one.name == "dry_run" for one in each.params)
    } == HONOURED


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "autoclave.toml").write_text(DEVICE + ENVIRONMENT)
    return tmp_path


@pytest.mark.parametrize("approve", [False, True])
def test_a_dry_run_signs_no_waiver(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], approve: bool
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a dry run writes nothing")

    monkeypatch.setattr(Context, "open_signer", lambda *_: object())
    monkeypatch.setattr(action, "person_of", lambda *_: ANN)
    monkeypatch.setattr(action, "find_unapproved", lambda *_: ("W-1.waiver.json", b""))
    monkeypatch.setattr(waive, "_findings", lambda *_: ({}, []))
    monkeypatch.setattr(action, "write", refuse)
    monkeypatch.setattr(waive.waivers, "sign", refuse)
    monkeypatch.setattr(action.waivers, "countersign", refuse)
    opts = waive.Options(
        folder=str(folder),
        finding="W-1" if approve else "CVE-1",
        id="W-1",
        key="file:/nowhere",
        approve=approve,
        rationale="not reachable",
        expires="2126-01-01",
        package="pkg:pypi/a",
        versions="1",
        dry_run=True,
    )
    monkeypatch.setattr(action, "_refuse_useless", lambda *_: None)
    waive._run(opts, Context(opts, JsonScreen()))
    assert '"signed":false' in capsys.readouterr().out
    assert not (folder / "decisions").exists()


def test_a_dry_run_attaches_no_statement_of_jenkins(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = LayoutStore(folder / ".autoclave" / "store")
    descriptor = sample_image.write_image(store, name="app")
    file = folder / ".autoclave" / approvals.FILE
    file.parent.mkdir(parents=True)
    answer = {
        "host": "jenkins",
        "environment": "ward",
        "submitter": "ann",
        "digest": descriptor.digest,
        "build": "https://j/1",
        "time": "2026-01-01T00:00:00Z",
    }
    file.write_text(json.dumps(answer))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a dry run attaches nothing")

    monkeypatch.setattr(Context, "attach", refuse)
    opts = approvals.Options(folder=str(folder), environment="ward", record=True, dry_run=True)
    approvals._run(opts, Context(opts, JsonScreen()))
    assert '"attached":false' in capsys.readouterr().out
