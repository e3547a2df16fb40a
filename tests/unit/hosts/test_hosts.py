"""Which host runs a job, what is recorded of it, and that no secret of an address is."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Mapping

import pytest
from msgspec import structs

from autoclave import hosts
from autoclave.console.plain import PlainScreen
from autoclave.errors import UsageError
from autoclave.hosts.github.console import GitHubScreen
from autoclave.hosts.gitlab.console import GitLabScreen
from autoclave.model.facts import Severity
from builders.sample_facts import SCAN, vulnerability

GITLAB = {
    "GITLAB_CI": "true",
    "CI_JOB_URL": "https://gitlab.example/g/p/-/jobs/12",
    "GITLAB_USER_LOGIN": "jdoe",
}
GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "acme/pump",
    "GITHUB_RUN_ID": "99",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_ACTOR": "jdoe",
    "GITHUB_TRIGGERING_ACTOR": "ada",
    "GITHUB_TOKEN": "s3cret",
}
JENKINS = {"BUILD_URL": "http://jenkins.example:8080/job/gateway/7/", "BUILD_TAG": "jenkins-gateway-7"}


def who(environ: Mapping[str, str]) -> str:
    return hosts.identify_runner(hosts.detect(environ), environ)


def test_the_hosts_are_the_modules_of_the_package_and_the_local_one_is_last() -> None:
    assert hosts.names() == ("github", "gitlab", "jenkins", "local")
    with pytest.raises(UsageError, match="no CI host 'base'"):
        hosts.create("base")


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        (GITHUB, "github"),
        ({"GITHUB_ACTIONS": "true"}, "github"),
        ({"GITHUB_TOKEN": "s3cret"}, "local"),  # a person who uses GitHub's own command line
        (GITLAB, "gitlab"),
        (JENKINS, "jenkins"),
        ({"BUILD_TAG": "jenkins-gateway-7"}, "jenkins"),  # a server that does not know its address
        ({}, "local"),
        ({"JENKINS_URL": "http://jenkins.example/"}, "local"),  # a person who uses `autoclave jenkins`
        ({"GITLAB_CI": "false", "CI_SERVER_URL": "https://gitlab.example"}, "local"),
    ],
)
def test_a_host_is_detected_by_the_variables_of_its_jobs(environ: dict[str, str], name: str) -> None:
    assert hosts.detect(environ).name == name


def test_each_host_has_its_screen() -> None:
    assert type(hosts.detect(GITHUB).console()) is GitHubScreen
    assert type(hosts.detect(GITLAB).console()) is GitLabScreen
    assert type(hosts.detect(JENKINS).console()) is PlainScreen


def test_what_ran_is_the_job_of_the_host() -> None:
    assert who(GITHUB) == "https://github.example/acme/pump/actions/runs/99/attempts/2 for ada"
    assert who({"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "jdoe"}).endswith(f"@{socket.gethostname()}")
    assert who(GITLAB) == "https://gitlab.example/g/p/-/jobs/12 for jdoe"
    assert who(JENKINS) == "http://jenkins.example:8080/job/gateway/7/"


def test_what_ran_holds_no_secret() -> None:
    job = {"BUILD_URL": "https://bot:s3cret@ci.example/7?token=s3cret#s3cret"}
    assert who(job) == "https://ci.example/7"
    for secret in (
        {"BUILD_URL": "javascript:s3cret"},
        {"GITLAB_CI": "true", "CI_JOB_TOKEN": "s3cret", "CI_JOB_URL": "http://[s3cret"},
    ):
        assert "s3cret" not in who(secret)


def test_without_a_host_it_is_a_user_on_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "laptop")
    monkeypatch.setattr("getpass.getuser", lambda: "jdoe")
    assert who({}) == "jdoe@laptop"

    def unknown() -> str:
        raise KeyError("uid not found: 10001")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert who({}).endswith("@laptop")


def test_detection_imports_no_library_of_a_server() -> None:
    script = "import sys; from autoclave import hosts; from autoclave.cli import main; main.groups();"
    script += "hosts.detect({}); print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    imported = set(done.stdout.split())
    assert "autoclave" in imported
    assert not imported & {"gitlab", "jenkins", "requests", "rich", "docker"}


def test_gitlab_reads_one_report_of_all_images_and_the_others_read_none() -> None:
    facts = structs.replace(SCAN, findings=(vulnerability(Severity.HIGH),))
    scanned = [("pump", facts), ("screen", facts)]
    report = hosts.detect(GITLAB).scan_report(scanned)
    assert report
    assert report.name == "gl-container-scanning.json"
    found = json.loads(report.content)["vulnerabilities"]
    assert [each["location"]["image"] for each in found] == ["pump", "screen"]
    assert hosts.detect(JENKINS).scan_report(scanned) is None
    assert hosts.detect({}).scan_report(scanned) is None
