"""Images under a user they do not know, on the real engine: what works, what does not, what is on record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from builders.devices import KNOWN_BAD, SAMPLE, Repository
from builders.flow import device
from integration import known_bad

DEMANDED = "\n[policy]\nunit-test = { arbitrary-user = true }\n"
WITHOUT_SERVICE = '[image.service]\nport = 8080\nhealth = "/health"\nmemory = "64m"\nstart-timeout = 10\n'
OPENS = """\
import sys

try:
    open("/app/own")
except OSError as error:
    sys.exit(error)
"""
PUBLISHED = '[[environment]]\nname = "staging"\npublish = {{ app = {port} }}\n'


# A run of the sample takes most of its time for tests of the sample, which are another test's business.
ALL, ONE = '"/autoclave/tests",', '"/autoclave/tests/test_operation.py",'


def ran(repository: Repository) -> dict[str, Any]:
    """The run under the arbitrary user, from the newest record."""
    facts = known_bad.proof(repository, known_bad.TEST_RESULT)["predicate"]["facts"]
    found: dict[str, Any] = facts["arbitrary_user"]
    return found


def alone(repository: Repository, program: str) -> None:
    """Make the image one without a service, whose entry point is this program."""
    repository.edit("autoclave.toml", WITHOUT_SERVICE, "")
    repository.edit("autoclave.toml", PUBLISHED.format(port=repository.port), "")
    (repository.folder / "app.py").write_text(program)
    require_arbitrary_user(repository)


def require_arbitrary_user(repository: Repository) -> None:
    """Let the device's policy demand it."""
    with (repository.folder / "autoclave.toml").open("a") as file:
        file.write(DEMANDED)
    repository.commit()


def test_the_sample_works_with_its_volume(tmp_path: Path) -> None:
    with device(SAMPLE, tmp_path, name="t-arbitrary") as repository:
        repository.edit("autoclave.toml", ALL, ONE)
        repository.edit("autoclave.toml", "[policy]\n", "[policy]\nunit-test = { arbitrary-user = true }\n")
        repository.commit()
        assert repository.run("build").code == 0
        done = repository.run("unit-test")
        assert done.code == 0, done.err
        assert "under the arbitrary user 1000660000:0 the image works" in done.err
        assert ran(repository)["user"] == "1000660000:0"
        assert "failure" not in ran(repository) or not ran(repository)["failure"]
        assert repository.containers() == []


def test_a_folder_for_one_user_alone_closes_the_gate(tmp_path: Path) -> None:
    with device(SAMPLE, tmp_path, name="t-arbitrary-own") as repository:
        repository.edit("Dockerfile", "-o 10001 -g 0 -m 0770", "-o 10001 -g 10001 -m 0750")
        repository.edit("autoclave.toml", ALL, ONE)
        repository.edit("autoclave.toml", "[policy]\n", "[policy]\nunit-test = { arbitrary-user = true }\n")
        repository.commit()
        assert repository.run("build").code == 0
        done = repository.run("unit-test")
        assert done.code == 22, done.err
        assert "under the arbitrary user 1000660000:0 the image ended with exit code 1" in done.message
        assert "│ pulse-oximeter does not start: unable to open database file" in done.err
        assert ran(repository)["failure"] == "ended with exit code 1"


@pytest.mark.xdist_group("control")
def test_an_image_without_a_healthcheck_is_asked_on_its_port(tmp_path: Path) -> None:
    with known_bad.prepare_scanned(tmp_path) as repository:
        require_arbitrary_user(repository)
        done = repository.run("unit-test")
        assert done.code == 0, done.err
        assert "the image works" in done.err


def test_an_image_without_a_service_only_has_to_start(tmp_path: Path) -> None:
    with device(KNOWN_BAD / "control", tmp_path, name="t-arbitrary-alone") as repository:
        alone(repository, 'print("done")\n')
        assert repository.run("build").code == 0
        done = repository.run("unit-test")
        assert done.code == 0, done.err
        assert ran(repository)["seconds"] < 5


def test_an_image_without_a_service_that_is_denied_closes_the_gate(tmp_path: Path) -> None:
    with device(KNOWN_BAD / "control", tmp_path, name="t-arbitrary-denied") as repository:
        alone(repository, OPENS)
        dockerfile = "COPY app.py ./\nRUN touch own && chmod 0600 own && chown 10001:10001 own\n"
        repository.edit("Dockerfile", "COPY app.py ./\n", dockerfile)
        repository.commit()
        assert repository.run("build").code == 0
        done = repository.run("unit-test")
        assert done.code == 22, done.err
        assert "│ [Errno 13] Permission denied: '/app/own'" in done.err
        assert repository.containers() == []


@pytest.mark.xdist_group("control")
def test_nothing_is_run_where_the_policy_does_not_ask(tmp_path: Path) -> None:
    with known_bad.prepare_scanned(tmp_path) as repository:
        done = repository.run("unit-test", "--again")
        assert done.code == 0, done.err
        assert "arbitrary user" not in done.err
        facts = known_bad.proof(repository, known_bad.TEST_RESULT)["predicate"]["facts"]
        assert facts.get("arbitrary_user") is None
