"""One Jenkinsfile of two lines gives a repository in Jenkins what `autoclave run` gives on a laptop."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.devices import ROOT, Repository, free_port
from builders.flow import make_keys
from pipelines import jenkins_unit
from pipelines.gitlab_local import records
from pipelines.jenkins_unit import IMPORT, PULL_REQUEST, Build, Scenario
from worker_results import report

COMMAND_OF = {step: f"autoclave {step}" for step in ("build", "unit-test", "scan", "sign", "deploy")}
COMMAND_OF["scan"] = "autoclave database update --older-than 12 && autoclave scan"
COMMANDS = list(COMMAND_OF.values())
PAGE = (ROOT / "docs" / "jenkins.md").read_text("utf-8")
WHOLE_FLOW, RELEASING, DECLARATIVE = re.findall(r"```groovy\n(.*?)```", PAGE, re.DOTALL)
SCRIPTED = IMPORT + (
    "node {\n  checkout scm\n  String digest = autoclaveBuild()\n  autoclaveUnitTest()\n  autoclaveScan()\n"
    "  autoclaveSign()\n  echo 'deployed ' + autoclaveDeploy(environment: 'staging')\n"
    "  echo 'built ' + digest\n}\n"
)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """The good device."""
    with jenkins_unit.device(tmp_path_factory.mktemp("sample"), "control") as repository:
        yield repository


@pytest.fixture(scope="module")
def passed(sample: Repository, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Its build: the Jenkinsfile of the documentation, the controller restarted at every step."""
    (build,) = jenkins_unit.run(tmp_path_factory.mktemp("jenkins"), Scenario(sample, WHOLE_FLOW))
    assert build.said["result"] == "SUCCESS", build.log
    return build


def test_the_whole_flow_passes_and_the_release_runs(passed: Build, sample: Repository) -> None:
    assert sorted(passed.commands) == sorted(COMMANDS)
    assert passed.commands[0] == COMMANDS[0]
    assert passed.commands[3:] == COMMANDS[3:]
    (container,) = sample.containers()
    assert container.status == "running"
    made = records(passed.folder / "stashes/autoclave-deploy-staging/deploy-staging/store")
    assert set(made) == {"build", "unit-test", "scan", "sign", "deploy", "seal"}
    assert all(each["passed"] for each in made.values())


def test_the_controller_was_restarted_at_every_step(passed: Build) -> None:
    steps = [each for each in passed.said["events"] if each["step"] != "ended"]
    assert passed.said["restarts"] >= 2 * len(steps) > 150
    report(
        f"Jenkins, CPS: {len(steps)} steps, {passed.said['restarts']} restarts, {passed.said['seconds']} s"
    )


def test_jenkins_shows_tests_and_findings_and_keeps_the_evidence(passed: Build) -> None:
    assert [Path(each).name for each in passed.said["junits"]] == ["junit.xml"]
    assert [Path(each).name for each in passed.said["issues"]] == ["findings.sarif"]
    assert passed.said["locks"] == ["autoclave-staging"]
    for name in ("junit.xml", "findings.sarif", "sbom.cdx.json"):
        assert f".autoclave/reports/app/{name}" in passed.archived
    for step in ("unit-test", "scan", "sign", "deploy-staging"):
        assert records(passed.artifact(f".autoclave/handover/{step}/store")), step
    assert all(each["fingerprint"] for each in passed.said["archived"])
    # The image itself is only in the stash, and no private key anywhere.
    assert sum(passed.artifact(each).stat().st_size for each in passed.archived) < 5 << 20
    assert [each for each in passed.archived if b"PRIVATE KEY" in passed.artifact(each).read_bytes()] == []


def test_single_steps_in_a_declarative_and_in_a_scripted_pipeline(sample: Repository, tmp_path: Path) -> None:
    # Scripted, with JenkinsPipelineUnit: no transformation at all, and another loader of libraries.
    declarative, scripted = jenkins_unit.run(
        tmp_path / "jenkins", Scenario(sample, DECLARATIVE), Scenario(sample, SCRIPTED, mode="plain")
    )
    for build in (declarative, scripted):
        assert build.said["result"] == "SUCCESS", build.log
        assert sorted(build.commands) == sorted(COMMANDS)
    digest = re.search(r"built (app=sha256:[0-9a-f]{64})\n", scripted.log)
    assert digest, scripted.log
    assert f"deployed {digest[1]}\n" in scripted.log
    assert len(sample.containers()) == 1


@pytest.mark.parametrize(
    ("bad", "step", "code"), [("vulnerable-package", "scan", 23), ("failing-test", "unit-test", 22)]
)
def test_a_bad_device_stops_the_build_with_the_code_of_its_gate(
    tmp_path: Path, bad: str, step: str, code: int
) -> None:
    with jenkins_unit.device(tmp_path / "device", bad) as repository:
        (build,) = jenkins_unit.run(tmp_path / "jenkins", Scenario(repository, WHOLE_FLOW))
        assert build.said["result"] == "FAILURE"
        assert build.error == f"script returned exit code {code}"
        # Both steps beside each other have finished, and nothing came after them.
        assert sorted(build.commands) == sorted(COMMANDS[:3])
        assert build.codes[COMMAND_OF[step]] == code
        assert records(build.artifact(f".autoclave/handover/{step}/store"))[step]["passed"] is False
        other = ({"unit-test", "scan"} - {step}).pop()
        assert records(build.artifact(f".autoclave/handover/{other}/store"))[other]["passed"] is True
        assert repository.containers() == []


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What the controller keeps: the organisation's keys, trust and policy."""
    folder = tmp_path_factory.mktemp("organisation")
    make_keys(folder / "keys")
    public = folder / "trust"
    public.mkdir()
    for name in ("trust.toml", "steps.pub", "release.pub"):
        (public / name).write_bytes((folder / "keys" / name).read_bytes())
    policy = '[release]\nmax-record-age-hours = 300\n[production]\nexempt = ["local"]\n'
    (folder / "policy.toml").write_text(policy, "utf-8")
    return {
        "autoclave-steps": {"file": str(folder / "keys/steps.pem")},
        "autoclave-release": {"file": str(folder / "keys/release.pem")},
        "autoclave-trust": {"folder": str(public)},
        "autoclave-policy": {"file": str(folder / "policy.toml")},
    }


@pytest.fixture(scope="module")
def two_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """The good device with a second environment, which a person releases to: a group of tests of its own."""
    place = f'\n[[environment]]\nname = "test"\npublish = {{ app = {free_port()} }}\n'
    folder = tmp_path_factory.mktemp("places")
    with jenkins_unit.device(folder, "control", name="places", more=place) as repository:
        yield repository


@pytest.mark.xdist_group("two-places")
def test_a_person_approves_the_release_and_is_recorded(
    two_places: Repository, secrets: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    jenkinsfile = RELEASING.replace("'hospital'", "'test'")
    here: dict[str, object] = {"credentials": secrets, "machines": str(tmp_path / "machines")}
    asked, aborted, nobody = jenkins_unit.run(
        tmp_path / "jenkins",
        *(
            Scenario(two_places, jenkinsfile, more={**here, "answer": name})
            for name in ("ann", "abort", None)
        ),
    )
    assert asked.said["result"] == "SUCCESS", asked.log
    assert asked.commands.count("autoclave deploy") == 2
    (question,) = asked.steps("input")
    assert question["submitter"] == "release-managers"
    assert asked.said["description"] == "test: approved by ann"
    approval = json.loads(asked.artifact(".autoclave/reports/device/approval.json").read_text("utf-8"))
    made = records(asked.folder / "stashes/autoclave-deploy-test/deploy-test/store")
    assert approval["submitter"] == "ann"
    assert approval["environment"] == "test"
    assert approval["digest"] == f"app={made['deploy']['digest']}"
    assert approval["build"] == "https://jenkins.example/job/device/1/"
    assert "not a signature" in approval["says"]
    # The organisation's keys signed, and reached the steps as files that were removed afterwards.
    assert set(asked.said["bound"]) == set(secrets)
    assert asked.said["bound"].count("autoclave-release") == 1
    assert list(asked.folder.glob("agent-*/**/*.pem")) == list(
        asked.folder.glob("agent-*/**/development-*.pem")
    )
    assert "development key" not in asked.said["console"]
    for build, says in ((aborted, "Rejected"), (nobody, "does not say who approved")):
        assert build.said["result"] == "FAILURE"
        assert says in build.error
        assert build.commands.count("autoclave deploy") == 1
        assert not build.artifact(".autoclave/reports/device/approval.json").exists()


@pytest.mark.xdist_group("two-places")
def test_a_pull_request_releases_nothing_and_sees_no_key(
    two_places: Repository, secrets: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    named = "credentials: [key: 'autoclave-steps', releaseKey: 'autoclave-release']"
    alone = [f"autoclaveSign({named})", "autoclaveDeploy(environment: 'staging')"]
    before = [each.id for each in two_places.containers()]
    whole, *single = jenkins_unit.run(
        tmp_path / "jenkins",
        Scenario(
            two_places,
            RELEASING,
            build=PULL_REQUEST,
            agent={"AUTOCLAVE_KEY": "file:/of/the/agent.pem", "AUTOCLAVE_TRUST": "/of/the/agent.toml"},
            more={"credentials": secrets},
        ),
        *(
            Scenario(
                two_places,
                f"{IMPORT}node {{\n  checkout scm\n  {call}\n}}\n",
                build=PULL_REQUEST,
                more={"credentials": secrets},
            )
            for call in alone
        ),
    )
    assert whole.said["result"] == "SUCCESS", whole.log
    assert sorted(whole.commands) == sorted(COMMANDS[:3])
    assert set(whole.said["bound"]) == {"autoclave-policy"}
    assert whole.steps("input") == []
    for build in single:
        assert "a pull request releases nothing" in build.error
        assert build.commands == build.said["bound"] == []
    assert [each.id for each in two_places.containers()] == before


def test_a_branch_that_is_not_the_primary_one_releases_nothing(
    passed: Build, sample: Repository, tmp_path: Path
) -> None:
    here = {"machines": str(passed.folder)}
    (build,) = jenkins_unit.run(
        tmp_path / "jenkins", Scenario(sample, WHOLE_FLOW, build={"BRANCH_NAME": "feature"}, more=here)
    )
    assert build.said["result"] == "SUCCESS", build.log
    assert sorted(build.commands) == sorted(COMMANDS[:3])
    assert "Neither the primary branch nor a tag" in build.log


def test_a_second_build_on_a_controller_without_the_two_plugins_does_nothing_twice(
    passed: Build, sample: Repository, tmp_path: Path
) -> None:
    tag = {"BRANCH_NAME": "v1.0.0", "TAG_NAME": "v1.0.0"}
    here = {"plugins": [], "machines": str(passed.folder)}
    (build,) = jenkins_unit.run(tmp_path / "jenkins", Scenario(sample, WHOLE_FLOW, build=tag, more=here))
    assert build.said["result"] == "SUCCESS", build.log
    # The workspaces are those of the build before: what it left there is verified, not taken for this one's.
    assert build.log.count("↷ skipped") >= 4, build.log
    assert len(sample.containers()) == 1
    assert sorted(build.commands) == sorted(COMMANDS)
    assert build.said["locks"] == build.said["issues"] == []
    assert "install Lockable Resources" in build.log
    assert "install Warnings" in build.log
