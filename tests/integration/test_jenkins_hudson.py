"""Our Jenkins client against a real server: Hudson 1.398, with its own permissions and crumbs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from autoclave.cli.main import main
from autoclave.errors import HostError
from autoclave.hosts.jenkins import build as jenkins_build
from autoclave.hosts.jenkins import plugins
from autoclave.hosts.jenkins import run as jenkins_run
from autoclave.hosts.jenkins.job_config import JobSpec, parameters
from autoclave.hosts.jenkins.jobs import Plan, apply, plan
from autoclave.hosts.jenkins.server import Jenkins
from autoclave.hosts.jenkins.settings import Account, Server
from autoclave.hosts.jenkins.xml import read, set_text
from integration.hudson_server import PASSWORDS, Hudson, serve

FREESTYLE = """\
<project>
  <description/>
  <keepDependencies>false</keepDependencies>
  <properties/>
  <scm class="hudson.scm.NullSCM"/>
  <canRoam>true</canRoam>
  <disabled>false</disabled>
  <triggers class="vector"/>
  <builders><hudson.tasks.Shell><command>SCRIPT</command></hudson.tasks.Shell></builders>
  <publishers/>
  <buildWrappers/>
</project>
"""
EVIL = "</defaultValue><x/>]]>&amp;\"'<!-- \r\n é \N{BLACK HEART SUIT}"


@pytest.fixture(scope="module")
def hudson(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hudson]:
    with serve(tmp_path_factory.mktemp("hudson") / "home") as made:
        print(f"Hudson answered after {made.seconds:.1f} s")
        yield made


def jenkins(hudson: Hudson, user: str = "bot", password: str = "") -> Jenkins:
    return Jenkins(Server(url=hudson.url, account=Account(user, password or PASSWORDS[user])))


@pytest.fixture
def host(hudson: Hudson) -> Jenkins:
    return jenkins(hudson)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A job's name of the test's own."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name)[:60].strip("-")


def make_job(host: Jenkins, name: str, script: str, *wanted: tuple[str, str]) -> Plan:
    root = read(FREESTYLE)
    set_text(root, "builders/hudson.tasks.Shell/command", script)
    parameters(root, wanted)
    done = Plan(name=name, before=None, after=root)
    assert apply(host, [done]) == [f"created {name}"]
    return done


def catch_refusal(call: Callable[[], Any]) -> HostError:
    with pytest.raises(HostError) as caught:
        call()
    return caught.value


def follow(host: Jenkins, name: str, given: dict[str, str]) -> tuple[int, list[str], str]:
    patience = jenkins_run.Patience(host.sleep, 60)
    started = jenkins_run.start(host, name, given)
    number = jenkins_run.wait_for_number(host, started, patience, print)
    lines = list(jenkins_run.follow_log(host, name, number, patience))
    return number, lines, jenkins_run.wait_for_result(host, name, number, patience)


def test_configurations_survive_the_real_reader_whatever_they_hold(host: Jenkins, name: str) -> None:
    make_job(host, name, "true", ("A", EVIL))
    before = host.config(name)
    assert before is not None
    after = deepcopy(before)
    parameters(after, (("A", EVIL), ("B", "two")))
    assert apply(host, [Plan(name=name, before=before, after=after)]) == [f"changed {name}"]
    now = host.config(name)
    assert now is not None
    output = {
        each.findtext("name"): each.findtext("defaultValue")
        for each in now.iter()
        if each.find("name") is not None
    }
    assert output == {"A": EVIL, "B": "two"}
    assert now.findtext("builders/*/command") == "true"
    assert apply(host, [Plan(name=name, before=now, after=now)]) == [f"{name} is up to date"]


def test_a_build_is_followed_to_its_end(host: Jenkins, name: str) -> None:
    make_job(host, name, 'echo "to $ENVIRONMENT"; sleep 2; echo done', ("ENVIRONMENT", "staging"))
    number, lines, result = follow(host, name, {"ENVIRONMENT": "a b&c=é"})
    assert (number, result) == (1, "SUCCESS")
    assert "to a b&c=é" in lines
    assert lines[-1] == "Finished: SUCCESS"
    assert follow(host, name, {})[0] == 2
    assert "has no parameter NOPE" in catch_refusal(lambda: jenkins_run.start(host, name, {"NOPE": "x"})).what


def test_the_command_ends_as_the_build_does(
    hudson: Hudson,
    host: Jenkins,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_job(host, name, "exit 3")
    monkeypatch.setenv("AUTOCLAVE_JENKINS_USER", "bot")
    monkeypatch.setenv("AUTOCLAVE_JENKINS_TOKEN", PASSWORDS["bot"])
    assert main(["jenkins", "run", name, "--jenkins-url", hudson.url]) == 36
    output = capsys.readouterr().err
    assert "names no queue item" in output
    assert "│ + exit 3" in output
    assert f"{name} #1 ended as FAILURE" in output


def test_a_description_is_kept_letter_by_letter(hudson: Hudson, host: Jenkins, name: str) -> None:
    make_job(host, name, "true")
    follow(host, name, {})
    text = "✔ é <b>&amp;\n  two\n"
    assert "wrote" in jenkins_build.describe(host, name, 1, lambda _: text)
    assert "up to date" in jenkins_build.describe(jenkins(hudson), name, 1, lambda before: before)
    assert catch_refusal(lambda: jenkins_build.describe(host, name, 99, lambda _: "x")).status == 404


def test_crumbs_are_needed_and_renewed_when_they_are_not_valid(host: Jenkins, name: str) -> None:
    make_job(host, name, "true")
    assert host.client.crumb["crumb"]
    host.client.crumb["crumb"] = "0" * 32
    follow(host, name, {})
    assert host.client.crumb["crumb"] != "0" * 32


def test_wrong_accounts_and_missing_permissions_are_reported(
    hudson: Hudson, host: Jenkins, name: str
) -> None:
    make_job(host, name, "true")
    follow(host, name, {})
    wrong = catch_refusal(lambda: follow(jenkins(hudson, password="not-the-password"), name, {}))
    assert (wrong.status, "AUTOCLAVE_JENKINS_TOKEN" in wrong.next) == (401, True)
    reader = jenkins(hudson, "reader")
    build = catch_refusal(lambda: follow(reader, name, {}))
    assert (build.status, build.why) == (403, "403: reader is missing the Build permission")
    update = catch_refusal(lambda: jenkins_build.describe(reader, name, 1, lambda _: "x"))
    assert (update.status, update.why) == (403, "403: reader is missing the Update permission")
    assert catch_refusal(lambda: make_job(reader, f"{name}-2", "true")).status == 403


def test_what_this_old_server_cannot_do_is_reported(host: Jenkins, name: str) -> None:
    wanted = JobSpec(git_url="https://git.example.com/pump.git", branch="main", script="Jenkinsfile")
    error = catch_refusal(lambda: apply(host, plan(host, name, wanted, None)))
    assert (error.status, error.what) == (500, "Jenkins fails (provision)")
    assert host.config(name) is None
    assert "plugins" in catch_refusal(lambda: plugins.check_all(host)).what


def test_a_freestyle_job_is_not_made_a_pipeline(host: Jenkins, name: str) -> None:
    make_job(host, name, "true")
    wanted = JobSpec(git_url="https://git.example.com/pump.git", branch="main", script="Jenkinsfile")
    assert "not a pipeline job" in catch_refusal(lambda: plan(host, name, wanted, None)).what
