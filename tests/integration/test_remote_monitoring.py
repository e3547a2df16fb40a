"""The sample with a database: built, tested beside the very database image, scanned, signed."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any

import pytest

from builders.devices import ROOT, Repository
from builders.flow import device
from integration.service_device import networks

SAMPLE = ROOT / "examples" / "remote-monitoring"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Repository, dict[str, str]]]:
    """The sample, run from a commit to its release signatures; the digest of each image."""
    folder = tmp_path_factory.mktemp("sample")
    with device(SAMPLE, folder, name="remote-monitoring") as repository:
        done = repository.run("run", "--to", "sign")
        assert done.code == 0, done.err
        yield repository, dict(line.split() for line in done.out.splitlines())


def run_of(repository: Repository, digest: str) -> dict[str, Any]:
    """What the record of the tests says."""
    facts: dict[str, Any] = json.loads(repository.run("show", digest, "test-result").out)["predicate"][
        "facts"
    ]
    return facts


def test_both_images_are_released(released: tuple[Repository, dict[str, str]]) -> None:
    repository, digests = released
    assert sorted(digests) == ["backend", "database"]
    assert len(repository.signatures()) == 2
    assert repository.containers() == []
    assert networks(repository) == []


def test_the_back_end_was_tested_beside_the_database_that_is_released(
    released: tuple[Repository, dict[str, str]],
) -> None:
    repository, digests = released
    facts = run_of(repository, digests["backend"])
    (service,) = facts["services"]
    assert (service["name"], service["digest"]) == ("database", digests["database"])
    assert facts["report"]["passed"] > 40
    log = (repository.folder / ".autoclave/reports/backend/service-database.log").read_text()
    assert "database system is ready to accept connections" in log
    # Neither a statement nor a patient of the tests: PostgreSQL was asked to write neither down.
    assert "Patient" not in log
    assert "INSERT" not in log


def test_every_requirement_was_verified(released: tuple[Repository, dict[str, str]]) -> None:
    repository, digests = released
    verified: set[str] = set()
    for digest in digests.values():
        counts = run_of(repository, digest)["report"]["requirements"]
        verified |= {name for name, count in counts.items() if count["passed"] and not count["failed"]}
    with (SAMPLE / "requirements.csv").open(encoding="utf-8") as file:
        assert verified == {row["id"] for row in csv.DictReader(file)}


def test_both_images_run_under_any_user(released: tuple[Repository, dict[str, str]]) -> None:
    repository, digests = released
    for digest in digests.values():
        ran = run_of(repository, digest)["arbitrary_user"]
        assert ran["user"] == "1000660000:0"
        assert "failure" not in ran


def test_another_database_asks_for_the_back_ends_tests_anew(
    released: tuple[Repository, dict[str, str]],
) -> None:
    repository, digests = released
    assert "↷ skipped" in repository.run("unit-test", "--image", "backend").err
    repository.edit("database/postgresql.conf", "max_connections = 40", "max_connections = 2")
    repository.commit()
    rebuilt = repository.run("build")
    assert rebuilt.code == 0, rebuilt.err
    assert digests["database"] not in rebuilt.out
    # PostgreSQL does not start with so few: what the earlier tests said does not hold for this one.
    done = repository.run("unit-test", "--image", "backend")
    assert done.code == 22, done.err
    assert "service 'database' ended with exit code 1: the tests did not run" in done.message
    assert "max_connections" in done.err
