"""Every known-bad case, run for real: it stops at the right step, with its exit code and its words."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders import prepared_devices
from builders.devices import KNOWN_BAD, ROOT, Repository, copy_device
from integration.known_bad import assert_not_signed, assert_stopped, is_released, prepare_scanned


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Callable[[str], Repository]]:
    """Make repositories out of examples/known-bad; whatever they leave in the engine is removed."""
    made: list[Repository] = []

    def make(case: str) -> Repository:
        made.append(copy_device(KNOWN_BAD / case, tmp_path / case, name=f"t-{case}"))
        return made[-1]

    yield make
    for repository in made:
        repository.remove()


CASES = [
    ("vulnerable Python package", "vulnerable-package", "scan", 23, "high CVE-2019-10906 in Jinja2 2.10"),
    (
        "OS package with a critical finding",
        "critical-os-package",
        "scan",
        23,
        "critical CVE-2023-38545 in curl",
    ),
    ("private key baked into a layer", "baked-secret", "scan", 23, "secret private-key in /app/device.key"),
    ("root user where the profile forbids it", "root-user", "build", 21, "the image runs as root"),
    (
        "root user by another name",
        "root-by-name",
        "build",
        21,
        "(USER service, user id 0 in its /etc/passwd)",
    ),
    ("failing test", "failing-test", "unit-test", 22, "1 of 2 tests failed"),
    ("zero tests collected", "zero-tests", "unit-test", 22, "no test was collected"),
    ("tests pass but exit code 3", "exit-code-3", "unit-test", 22, "ended with exit code 3"),
    ("JUnit missing", "no-junit", "unit-test", 22, "wrote no JUnit report"),
    ("JUnit with an external entity", "xxe-junit", "unit-test", 22, "entity declaration, which is refused"),
    (
        "report that hides a retry",
        "hidden-retry",
        "unit-test",
        22,
        "would not show in the report of Mocha (this.retries() and --retries)",
    ),
    (
        "test with an unknown status",
        "unreadable-status",
        "unit-test",
        22,
        "status='accepted', which is not known to mean that it passed",
    ),
    ("test that hangs", "hanging-test", "unit-test", 22, "did not end within 3 s and were killed"),
    ("test killed for memory", "memory-hog", "unit-test", 22, "killed for memory (limit 64 MiB)"),
    (
        "service beside the tests never healthy",
        "unhealthy-service",
        "unit-test",
        22,
        "service 'queue' did not become healthy within 3 s: the tests did not run",
    ),
    (
        "image that works under its own user alone",
        "private-files",
        "unit-test",
        22,
        "under the arbitrary user 1000660000:0 the image ended with exit code 2",
    ),
    (
        "test stage that covers released files",
        "covering-stage",
        "unit-test",
        22,
        "/app/app.py has other content",
    ),
    (
        "policy loosened by the device file",
        "loosened-policy",
        "before the first step",
        11,
        "loosens the policy",
    ),
]


@pytest.mark.parametrize(("case", "folder", "step", "code", "says"), CASES, ids=[each[1] for each in CASES])
def test_a_faulty_device_is_stopped(
    case: str,
    folder: str,
    step: str,
    code: int,
    says: str,
    device: Callable[[str], Repository],
) -> None:
    repository = device(folder)
    done = repository.run("run")
    assert_stopped(case, repository, done, step=step, code=code, says=says)


@pytest.mark.parametrize(
    ("case", "folder", "says"),
    [
        ("image from scratch with nothing to scan", "from-scratch", "nothing was scanned"),
        ("system without advisories", "unjudged-system", "Trivy has no advisories for fedora 40"),
        (
            "release that the database does not know",
            "unknown-release",
            "Trivy's database has no advisories for the release debian 99.1",
        ),
        ("system past its end of life", "ended-system", "debian 9.13 is past its end of life"),
        (
            "package database removed",
            "removed-package-database",
            "the package database var/lib/dpkg/status is missing: a lower layer has it",
        ),
        ("package said to be removed", "lost-package", "lost-package: openssl "),
        (
            "private key among tests and documentation",
            "hidden-secret",
            "high secret private-key in /app/tests/README.md",
        ),
    ],
)
def test_an_image_that_no_scanner_can_judge_is_stopped(
    case: str, folder: str, says: str, device: Callable[[str], Repository]
) -> None:
    repository = device(folder)
    done = repository.run("run", "--to", "scan")
    assert_stopped(case, repository, done, step="scan", code=23, says=says)


@pytest.mark.parametrize(
    ("case", "folder", "code", "says"),
    [
        (
            "static analysis that found an error",
            "analysis-finding",
            23,
            "high analysis c/overflow in src/dose.c:12",
        ),
        ("static analysis that did not finish", "unfinished-analysis", 31, "is of a run that failed"),
    ],
)
def test_the_report_of_another_tool_stops_a_device(
    case: str, folder: str, code: int, says: str, device: Callable[[str], Repository]
) -> None:
    repository = device(folder)
    done = repository.run("run", "--to", "scan")
    assert_stopped(case, repository, done, step="scan", code=code, says=says)


def database(folder: Path, *words: str) -> Path:
    """Make a real database out of the project's advisories."""
    facts = ROOT / "setup" / "trivy" / "advisories.json"
    program = os.environ["AUTOCLAVE_ADVISORIES"]
    subprocess.run([program, "-in", str(facts), "-out", str(folder), *words], check=True, capture_output=True)
    return folder


@pytest.mark.xdist_group("control")
@pytest.mark.parametrize("case", ["empty Trivy database", "missing Trivy database"])
def test_an_unusable_database_is_refused(case: str, tmp_path: Path) -> None:
    file = database(tmp_path / "cache") / "db" / "trivy.db"
    file.write_bytes(b"")
    says = "the file is empty"
    if case.startswith("missing"):
        file.unlink()
        says = "there is no file"
    with prepare_scanned(tmp_path) as repository:
        done = repository.run("run", AUTOCLAVE_SCANNER_CACHE=str(tmp_path / "cache"))
        assert_stopped(case, repository, done, step="scan", code=32, says=says)


@pytest.mark.xdist_group("control")
def test_an_old_database_closes_the_gate(tmp_path: Path) -> None:
    then = (datetime.now(UTC) - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    cache = database(tmp_path / "cache", "-updated-at", then)
    # Not scanned before: else a scan with the same database of another age would count.
    with prepared_devices.prepare(KNOWN_BAD / "control", tmp_path, to="unit-test") as repository:
        done = repository.run("run", AUTOCLAVE_SCANNER_CACHE=str(cache))
        says = "the advisory database is 30 days old"
        assert_stopped("database 30 days old", repository, done, step="scan", code=23, says=says)


@pytest.mark.xdist_group("control")
def test_an_image_that_a_required_scanner_has_not_scanned_is_not_released(tmp_path: Path) -> None:
    with prepare_scanned(tmp_path) as repository:
        file = repository.folder / "autoclave.toml"
        file.write_text(file.read_text("utf-8") + '\n[policy.scan]\nscanners = ["other", "trivy"]\n', "utf-8")
        repository.commit()
        says = "no valid vulns record of the scanner 'other' is attached to the image"
        assert_not_signed(repository, "scan by a required scanner missing", says)


@pytest.mark.xdist_group("control")
def test_a_scan_by_another_version_than_the_policy_pins_is_not_released(tmp_path: Path) -> None:
    policy = tmp_path / "organisation.toml"
    policy.write_text('[scan]\nversions = { trivy = "0.74.9" }\n')
    with prepare_scanned(tmp_path) as repository:
        says = "the scan is by trivy 0.74.0, and the policy pins 0.74.9"
        assert_not_signed(
            repository, "scan by another version than the policy pins", says, "--policy", str(policy)
        )


def test_a_work_tree_is_not_released_in_class_c(device: Callable[[str], Repository]) -> None:
    repository = device("control")
    repository.edit("autoclave.toml", 'safety-class = "B"', 'safety-class = "C"')
    done = repository.run("run", "--worktree")
    says = "built from a work tree, not from a commit"
    assert_stopped("work tree in class C", repository, done, step="sign", code=24, says=says)
    assert repository.run("deploy", "staging").code == 25
    assert repository.containers() == []


def test_an_unhealthy_version_does_not_replace_a_good_one(device: Callable[[str], Repository]) -> None:
    repository = device("unhealthy-version")
    assert repository.run("run").code == 0
    good = repository.run("status").out
    (before,) = repository.containers()
    repository.edit("autoclave.toml", "1.0.0", "2.0.0")
    repository.commit()
    done = repository.run("run")
    says = "did not become healthy"
    assert_stopped("unhealthy new version", repository, done, step="deploy", code=50, says=says)
    with urllib.request.urlopen(f"http://127.0.0.1:{repository.port}/", timeout=5) as answer:
        assert b"1.0.0" in answer.read()
    (after,) = repository.containers()
    assert (after.attrs["Image"], after.status) == (before.attrs["Image"], "running")
    assert repository.run("status").out == good
    # The failure is on record, and its release signature stays: it was released, it only does not run.
    assert '"deployment"' in repository.run("show", "--json").out
    assert is_released(repository)
