"""`autoclave database update`: where each database comes from, and what is printed of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autoclave.actions import databases
from autoclave.cli.commands import database
from autoclave.console.json import JsonScreen
from autoclave.context import Context
from autoclave.errors import UsageError
from autoclave.model.facts import Database
from builders.sample_facts import NOW

DEVICE = '[device]\nname = "pump"\nversion = "1"\nsafety-class = "A"\n[[image]]\nname = "app"\n'


class Named:
    """A scanner of a name."""

    def __init__(self, name: str) -> None:
        self.name = name


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Which scanner's database was renewed, and from where."""
    found: list[tuple[str, str]] = []

    def renew(scanner: Any, origin: str, shell: object) -> Database:
        found.append((scanner.name, origin))
        return Database(updated=NOW, digest="sha256:1", complete=True)

    monkeypatch.setattr(databases, "renew", renew)
    monkeypatch.setattr(
        database, "create_scanners", lambda options, ctx: tuple(map(Named, options.scanner or ("trivy",)))
    )
    return found


def update(folder: Path, *names: str, **options: Any) -> None:
    (folder / "autoclave.toml").write_text(DEVICE)
    scanners = database.ScannerOptions(scanner=names)
    opts = database.Options(folder=str(folder), scanners=scanners, **options)
    database._run(opts, Context(opts, JsonScreen()))


@pytest.mark.parametrize(
    ("options", "origin"),
    [
        ({}, "publisher"),
        ({"named": True}, "none"),
        ({"database_from": "publisher", "named": True}, "publisher"),
        ({"database_from": "oci://mirror/db"}, "oci://mirror/db"),
        ({"database_from": "oci://mirror/db", "named": True}, "oci://mirror/db"),
        ({"database_from": "none"}, "none"),
    ],
)
def test_a_job_fetches_only_from_where_it_is_told(
    options: dict[str, Any], origin: str, asked: list[tuple[str, str]], tmp_path: Path
) -> None:
    update(tmp_path, **options)
    assert asked == [("trivy", origin)]


def test_the_age_is_printed_for_people_and_machines(
    asked: list[tuple[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    update(tmp_path, "trivy", "grype")
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"trivy", "grype"} == {each.get("name") for each in printed}
    assert all("hours" in each for each in printed)


@pytest.mark.parametrize("options", [{"database_from": "db.tar.gz"}, {"save": "db.tar.gz"}])
def test_one_file_is_not_the_database_of_two_scanners(
    options: dict[str, str], asked: list[tuple[str, str]], tmp_path: Path
) -> None:
    with pytest.raises(UsageError):
        update(tmp_path, "trivy", "grype", **options)
    assert asked == []
