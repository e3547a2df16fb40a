"""Service containers beside the tests: what the device file may say, and what the gate makes of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from autoclave.device.device_file import load
from autoclave.errors import ConfigError
from autoclave.gates import deploy, release, unit_test
from autoclave.gates.deploy import Candidate
from autoclave.model.facts import ArbitraryUserRun, ServiceRun, TestFacts
from autoclave.policy.schema import Policy
from builders.sample_facts import DIGEST, EVIDENCE, NOW, POLICY, TESTS, THEN

DEVICE = """
[device]
name = "pump"
version = "1.0"
safety-class = "B"
[[image]]
name = "app"
[[image]]
name = "database"
[unit-test]
command = ["true"]
"""

WELL = ServiceRun(name="database", image="database", digest=DIGEST, image_id=DIGEST, seconds=1.5)


def service(name: str, image: str, more: str = "") -> str:
    return f'[[unit-test.service]]\nname = "{name}"\nimage = "{image}"\n{more}\n'


@pytest.mark.parametrize("image", ["database", f"registry.example:5000/team/postgres@{DIGEST}"])
def test_a_service_is_an_image_of_the_device_or_pinned(tmp_path: Path, image: str) -> None:
    (tmp_path / "autoclave.toml").write_text(DEVICE + service("db", image))
    tests = load(tmp_path).unit_test
    assert tests
    (found,) = tests.service
    assert found.image == image


BAD = [
    (service("db", "postgres:15"), "nor pinned by digest"),
    (service("db", "databse"), "nor pinned by digest"),
    (service("db", "postgres@sha256:abc"), "nor pinned by digest"),
    (service("db", f"--privileged@{DIGEST}"), "nor pinned by digest"),
    (service("db", "database") + service("db", "app"), "two unit-test services are called 'db'"),
    (service("db", "database", 'user = "root"'), "service[0].user"),
    (service("db", "database", 'user = "0"'), "service[0].user"),
    (service("db", "database", 'scratch = ["/a:/b"]'), "service[0].scratch"),
    (service("db db", "database"), "service[0].name"),
]


@pytest.mark.parametrize(("text", "says"), BAD)
def test_a_bad_service_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "autoclave.toml").write_text(DEVICE + text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert says in caught.value.what


def test_a_tag_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "autoclave.toml").write_text(DEVICE + service("db", "databas"))
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert "a tag can refer to another image tomorrow" in caught.value.why
    assert "did you mean 'database'?" in caught.value.next


def test_healthy_services_change_nothing() -> None:
    assert unit_test.judge(replace(TESTS, services=(WELL,)), POLICY["C"]).passed


@pytest.mark.parametrize(
    "failure",
    [
        "did not become healthy within 5 s: the tests did not run",
        "ended with exit code 137 while the tests ran",
    ],
)
@pytest.mark.parametrize(
    "changed", [{}, {"exit_code": -1, "report": TestFacts(defect="none")}, {"oom_killed": True}]
)
def test_a_failed_service_is_the_one_reason(failure: str, changed: dict[str, Any]) -> None:
    run = replace(TESTS, services=(WELL, replace(WELL, name="queue", failure=failure)), **changed)
    assert unit_test.judge(run, POLICY["A"]).reasons == (f"service 'queue' {failure}",)


def on_openshift(name: str) -> Policy:
    policy = POLICY[name]
    return replace(policy, unit_test=replace(policy.unit_test, arbitrary_user=True))


@pytest.mark.parametrize(
    ("tried", "says"),
    [
        (None, "was not run under an arbitrary user"),
        (
            ArbitraryUserRun(
                user="1000660000:0", image_id=DIGEST, seconds=1.0, failure="ended with exit code 1"
            ),
            "under the arbitrary user 1000660000:0 the image ended with exit code 1",
        ),
    ],
)
def test_the_arbitrary_user_closes_both_gates(tried: ArbitraryUserRun | None, says: str) -> None:
    run = replace(TESTS, arbitrary_user=tried)
    (reason,) = unit_test.judge(run, on_openshift("B")).reasons
    assert says in reason
    judged = release.judge(replace(EVIDENCE, unit_test=run), on_openshift("B"), NOW)
    assert any(says in each for each in judged.reasons)
    assert unit_test.judge(run, POLICY["B"]).passed


def test_an_image_that_works_under_any_user_passes() -> None:
    tried = ArbitraryUserRun(user="1000660000:0", image_id=DIGEST, seconds=1.0)
    assert unit_test.judge(replace(TESTS, arbitrary_user=tried), on_openshift("C")).passed


@pytest.mark.parametrize(
    ("tried", "says"),
    [
        (None, "OpenShift runs the image under a user it does not know, and that was not tried"),
        (
            ArbitraryUserRun(
                user="1000660000:0", image_id=DIGEST, seconds=1.0, failure="ended with exit code 1"
            ),
            "under the arbitrary user 1000660000:0 the image ended with exit code 1",
        ),
    ],
)
def test_openshift_takes_no_image_that_was_not_tried_under_any_user(
    tried: ArbitraryUserRun | None, says: str
) -> None:
    evidence = replace(EVIDENCE, unit_test=replace(TESTS, arbitrary_user=tried))
    released = Candidate(
        evidence=evidence,
        summary="PASSED",
        verified=THEN,
        signature="",
        production=False,
        target="kubernetes",
    )
    assert deploy.judge(released, POLICY["B"], NOW).passed
    (reason,) = deploy.judge(replace(released, target="openshift"), POLICY["B"], NOW).reasons
    assert says in reason
