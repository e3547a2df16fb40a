"""Keys are data: checked before anything runs, and what passes reaches the command as it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import registries
from builders.devices import Repository, git
from pipelines import jenkins_unit
from pipelines.gitlab_local import records
from pipelines.jenkins_unit import IMPORT, LIBRARY, PULL_REQUEST, Scenario, quote

HOSTILE = [
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned #",
    "' ; touch pwned ; '",
    '" ; touch pwned ; "',
    "${HOME}",
    "$HOME",
    "$$HOME",
    "--help",
    "-v",
    "a\nb",
    "a\n; touch pwned",
    "'''",
    "\\",
    "%s {0} *",
    "AUTOCLAVE_KEY=x",
    "é ☃",
]
REFUSED = {
    "autoclavePipeline(stagin: 'staging')": "unknown key 'stagin'; did you mean 'staging'?",
    "autoclavePipeline(credential: [key: 'x'])": "unknown key 'credential'; did you mean 'credentials'?",
    "autoclavePipeline(credentials: [releasekey: 'x'])":
        "unknown credential 'releasekey'; did you mean 'releaseKey'?",
    "autoclavePipeline(credentials: [trust: 'x', trustFolder: 'y'])":
        "the credentials 'trust' and 'trustFolder' are for the same",
    "autoclavePipeline(key: 'file:x', credentials: [key: 'y'])":
        "the credential 'key' and a key of the call are for the same AUTOCLAVE_KEY",
    "autoclavePipeline(credentials: 'x')": "the value of 'credentials' must be a map",
    "autoclavePipeline(environment: 'staging')": "autoclavePipeline: unknown key 'environment'",
    "autoclaveBuild(scanner_cache: '/x')": "autoclaveBuild: unknown key 'scanner_cache'; valid here: again, ",
    "autoclaveScan(scanner_cache: '/x')": "unknown key 'scanner_cache'; did you mean 'scannerCache'?",
    "autoclaveScan(releaseKey: 'file:x')": "autoclaveScan: unknown key 'releaseKey'",
    "autoclaveScan(digest: 'x')": "autoclaveScan: unknown key 'digest'",
    "autoclaveScan(again: 'perhaps')": "the value of 'again' must be true or false",
    "autoclaveScan(scannerCache: ['a', 'b'])": "the value of 'scannerCache' must be one value, not a list",
    "autoclaveScan(scannerCache: [a: 'b'])": "the value of 'scannerCache' must be text",
    "autoclaveScan(image: ['a b'])": "the value of 'image' must be a list of words without spaces",
    "autoclaveScan(policy: 'a\\u0000b')": "the value of 'policy' contains a NUL character",
    "autoclaveScan(folder: '../elsewhere')": "the value of 'folder' must match",
    "autoclaveScan(folder: '/etc')": "the value of 'folder' must match",
    "autoclaveScan(folder: 'a\\n')": "the value of 'folder' must match",
    "autoclaveScan(folder: '$(touch pwned)')": "the value of 'folder' must match",
    "autoclaveScan(store: 'oci://registry.example/x; touch pwned')": "the value of 'store' must match",
    "autoclaveDeploy(environment: 'Staging; true')": "the value of 'environment' must match",
    "autoclaveDeploy()": "the key 'environment' must be given",
    "autoclaveDeploy(environment: 'staging', digest: 'sha256:x')": "the value of 'digest' must match",
    "autoclaveSign()": "names no digest: the build step of this build must come first",
}  # fmt: skip


def on_node(*calls: str) -> str:
    """Return a Jenkinsfile that makes these calls on one node."""
    return IMPORT + "node {\n  checkout scm\n" + "".join(f"  {call}\n" for call in calls) + "}\n"


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """The good device, once for every worker: it is quickly made, and no test here deploys it."""
    with jenkins_unit.device(tmp_path_factory.mktemp("sample"), "control", name="inputs") as repository:
        yield repository


@pytest.mark.parametrize("mode", ["cps", "plain"])
def test_hostile_values_reach_the_command_as_they_are(sample: Repository, tmp_path: Path, mode: str) -> None:
    calls = [on_node(f"autoclaveBuild(policy: {quote(value)})") for value in HOSTILE]
    builds = jenkins_unit.run(tmp_path / "jenkins", *(Scenario(sample, call, mode=mode) for call in calls))
    for value, build in zip(HOSTILE, builds, strict=True):
        # A policy of that very name would be in the repository: the message quotes what arrived.
        assert build.commands == ["autoclave build"], build.log
        assert build.error == "script returned exit code 10", build.log
        shown = value.replace("\n", "␊")
        assert f"autoclave: the policy {shown} is in the device repository" in build.log, build.log
    assert list(tmp_path.rglob("pwned")) == []


def test_interpolated_and_numeric_values_are_text(sample: Repository, tmp_path: Path) -> None:
    calls = [
        on_node("String part = 'x'", 'autoclaveBuild(policy: "${part}-y")'),
        on_node("autoclaveBuild(policy: 7)"),
    ]
    builds = jenkins_unit.run(tmp_path / "jenkins", *(Scenario(sample, call) for call in calls))
    assert [
        f"the policy {value} is in the device repository" in build.log
        for value, build in zip(("x-y", "7"), builds, strict=True)
    ] == [
        True,
        True,
    ]


def test_a_call_that_says_something_wrong_runs_nothing(sample: Repository, tmp_path: Path) -> None:
    calls = [call if "Pipeline" in call else on_node(call) for call in REFUSED]
    files = [call if call.startswith(IMPORT) else IMPORT + call + "\n" for call in calls]
    builds = jenkins_unit.run(tmp_path / "jenkins", *(Scenario(sample, file) for file in files))
    for says, build in zip(REFUSED.values(), builds, strict=True):
        assert says in build.error, build.log
        # An error that is ours is shown without a stack trace.
        assert build.said["kind"] == "hudson.AbortException", build.log
        assert build.commands == build.said["bound"] == []
    assert list(tmp_path.rglob("pwned")) == []


def test_a_library_of_another_version_is_refused_with_both_versions(
    sample: Repository, tmp_path: Path
) -> None:
    library = shutil.copytree(LIBRARY, tmp_path / "library")
    keys = library / "src/dev/autoclave/Keys.groovy"
    keys.write_text(keys.read_text("utf-8").replace("{ '0.1.0' }", "{ '9.8.7' }"), "utf-8")
    # Nor does a variable of the controller talk it out of it.
    (build,) = jenkins_unit.run(
        tmp_path / "jenkins",
        Scenario(
            sample,
            on_node("autoclaveBuild()"),
            agent={"AUTOCLAVE_TEMPLATE": "0.1.0"},
            more={"library": str(library)},
        ),
    )
    assert build.error == "script returned exit code 10"
    assert "the template is of version 9.8.7, but this is Autoclave 0.1.0" in build.log


def test_what_the_controller_sets_wins_over_a_key(sample: Repository, tmp_path: Path) -> None:
    call = on_node("autoclaveBuild(policy: 'of-the-repository.toml')")
    pinned = {"AUTOCLAVE_POLICY": "/of/the/organisation.toml"}
    (build,) = jenkins_unit.run(tmp_path / "jenkins", Scenario(sample, call, agent=pinned))
    assert "/of/the/organisation.toml does not exist" in build.log
    assert "AUTOCLAVE_POLICY is set in this build's environment and overrides the key 'policy'" in build.log


def test_a_stage_with_another_commit_is_refused(sample: Repository, tmp_path: Path) -> None:
    git(sample.folder, "checkout", "-q", "-b", "later")
    git(sample.folder, "commit", "-q", "--allow-empty", "-m", "later")
    git(sample.folder, "checkout", "-q", "main")
    (build,) = jenkins_unit.run(
        tmp_path / "jenkins",
        Scenario(sample, f"{IMPORT}autoclavePipeline()\n", more={"commits": ["origin/main", "origin/later"]}),
    )
    assert build.commands == ["autoclave build"], build.log
    assert "but the build stage had" in build.error


def test_the_harness_notices_what_no_restart_survives(sample: Repository, tmp_path: Path) -> None:
    matcher = "def found = ('abc' =~ /b/)\necho 'a step'\necho found.find().toString()\n"
    (build,) = jenkins_unit.run(tmp_path / "jenkins", Scenario(sample, matcher))
    assert build.said["kind"] == "java.io.NotSerializableException", build.log
    assert "a step" not in build.said["console"]


def test_one_gate_left_out_leaves_the_release_closed(sample: Repository, tmp_path: Path) -> None:
    (build,) = jenkins_unit.run(
        tmp_path / "jenkins",
        Scenario(sample, on_node("autoclaveBuild()", "autoclaveUnitTest()", "autoclaveSign()")),
    )
    assert build.error == "script returned exit code 24"
    assert "no valid vulns record is attached" in build.log
    assert "No scan step of this build left a handover" in build.log


def test_over_a_registry_a_pull_request_writes_to_its_own_repository(
    sample: Repository, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with registries.serve_with_password(tmp_path_factory.mktemp("registry")) as address:
        login = {"registry": {"user": registries.USER, "password": registries.PASSWORD}}
        store = f"oci+http://{address}/devices/control"
        calls = ["Build", "UnitTest", "Scan", "Sign"]
        named = f"(store: '{store}', credentials: [registry: 'registry'])"
        release = Scenario(
            sample, on_node(*(f"autoclave{call}{named}" for call in calls)), more={"credentials": login}
        )
        request = Scenario(
            sample, on_node(f"autoclaveBuild{named}"), build=PULL_REQUEST, more={"credentials": login}
        )
        released, requested = jenkins_unit.run(tmp_path / "jenkins", release, request)
    assert released.said["result"] == "SUCCESS", released.log
    assert released.said["bound"] == ["registry"] * 4
    handed = released.folder / "stashes/autoclave-build/build"
    assert sorted(path.name for path in handed.iterdir()) == ["digests.env", "keys"]
    assert requested.said["result"] == "SUCCESS", requested.log
    assert requested.said["bound"] == []
    assert set(records(requested.folder / "stashes/autoclave-build/build/store")) == {"build"}
    for build in (released, requested):
        assert registries.PASSWORD not in build.log
