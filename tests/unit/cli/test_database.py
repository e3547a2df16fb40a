"""`autoclave database update`: where each database comes from, and what is printed of it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autoclave.actions import databases
from autoclave.cli.commands import database
from autoclave.console.json import JsonScreen
from autoclave.context import Context
from autoclave.errors import DatabaseError, ScannerError, UsageError
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
        ({"database_from": "publisher"}, "publisher"),
        ({"database_from": "oci://mirror/db"}, "oci://mirror/db"),
        ({"database_from": "none"}, "none"),
    ],
)
def test_it_fetches_from_where_it_is_told(
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


@pytest.mark.parametrize(
    ("hours", "complete", "older_than", "fetched"),
    [
        (11.9, True, 12.0, False),
        (12.1, True, 12.0, True),
        (11.9, False, 12.0, True),  # partial: a whole one is to be had
        (0.0, True, 0.0, True),  # without the option it is fetched in any case
        (-1.0, True, 12.0, False),  # a clock that is behind: the scan judges that
    ],
)
def test_a_recent_database_is_kept(
    hours: float,
    complete: bool,
    older_than: float,
    fetched: bool,
    asked: list[tuple[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def versions(self: Named) -> Any:
        updated = NOW - timedelta(hours=hours)
        return SimpleNamespace(database=Database(updated=updated, digest="sha256:2", complete=complete))

    monkeypatch.setattr(Named, "versions", versions, raising=False)
    monkeypatch.setattr(Context, "now", lambda self: NOW)
    update(tmp_path, older_than=older_than)
    assert bool(asked) is fetched


def test_without_a_database_one_is_fetched(
    asked: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def versions(self: Named) -> Any:
        raise DatabaseError("Trivy's database is missing")

    monkeypatch.setattr(Named, "versions", versions, raising=False)
    update(tmp_path, older_than=12.0)
    assert asked == [("trivy", "publisher")]


def test_a_scanner_that_cannot_be_used_is_an_error(
    asked: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def versions(self: Named) -> Any:
        raise ScannerError("Trivy is missing")

    monkeypatch.setattr(Named, "versions", versions, raising=False)
    with pytest.raises(ScannerError):
        update(tmp_path, older_than=12.0)
    assert asked == []
