"""How a known-bad case must end: at its step, with its exit code and message, and with nothing after it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from defusedxml import ElementTree

from builders import prepared_devices, tampering
from builders.devices import KNOWN_BAD, CommandResult, Repository
from integration import gates_page
from integration.gates_page import Row

TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
SUMMARY = "https://slsa.dev/verification_summary/v1"

_AFTER = {
    "before the first step": {"build", "unit-test", "scan", "sign", "deploy"},
    "build": {"unit-test", "scan", "sign", "deploy"},
    "unit-test": {"sign", "deploy"},
    "scan": {"sign", "deploy"},
    "sign": {"deploy"},
    "deploy": set(),
}
# What a closed gate leaves in the store as the proof of why.
_PROOF = {22: TEST_RESULT, 23: tampering.VULNS, 24: SUMMARY}


@contextmanager
def prepare_scanned(folder: Path) -> Iterator[Repository]:
    """Copy the control device, built, tested and scanned and not signed yet; remove what the test leaves.

    Nothing is wrong with it. It is prepared once: tests that start here are the xdist group `control`.
    """
    with prepared_devices.prepare(KNOWN_BAD / "control", folder, to="scan") as repository:
        yield repository


def assert_not_signed(repository: Repository, case: str, says: str, *options: str) -> None:
    """Check that the release gate stays closed for what was prepared, and that deploy refuses it then."""
    done = repository.run("sign", *options)
    assert_stopped(case, repository, done, step="sign", code=24, says=says)
    assert repository.run("deploy", "staging").code == 25
    assert repository.containers() == []


def assert_stopped(
    case: str, repository: Repository, done: CommandResult, *, step: str, code: int, says: str
) -> None:
    """Check how a case ended and that nothing happened after it, and keep it for the page."""
    assert done.code == code, done.err
    assert says in done.message, done.err
    assert step_of(repository, done) == step, done.err
    assert not steps_reached(done) & _AFTER[step], done.err
    if step != "deploy":
        assert not is_released(repository)
        assert repository.containers() == []
    if code in _PROOF:
        proof(repository, _PROOF[code])
    gates_page.keep(Row(case, step, code, done.message))


def step_of(repository: Repository, done: CommandResult) -> str:
    """Return the one step that failed: from the host's report, else from the screen."""
    report = repository.folder / ".autoclave" / "reports" / "device" / "gates.xml"
    failed = []
    if report.exists():
        cases = ElementTree.fromstring(report.read_bytes()).iter("testcase")
        failed = [str(each.get("name")) for each in cases if each.find("failure") is not None]
    assert len(failed) <= 1, failed
    return failed[0] if failed else done.step


def steps_reached(done: CommandResult) -> set[str]:
    """Return the steps that started or ended."""
    marked = [line.split() for line in done.err.splitlines() if " ▶ " in line or " ✔ " in line]
    return {words[1] for words in marked}


def is_released(repository: Repository) -> bool:
    """Return whether the store has a release signature."""
    return (repository.store / "index.json").exists() and repository.signatures() != []


def proof(repository: Repository, predicate_type: str) -> dict[str, Any]:
    """Return the newest statement of a type; for a closed release gate it must not say PASSED."""
    raw = tampering.envelope(repository.store, predicate_type).read_bytes()
    statement: dict[str, Any] = json.loads(base64.b64decode(json.loads(raw)["payload"]))
    if predicate_type == SUMMARY:
        assert statement["predicate"]["verificationResult"] == "FAILED"
    return statement
