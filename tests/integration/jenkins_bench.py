"""What the tests of the Jenkins server side share: a job as it is wanted, and how it is made and run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from autoclave.errors import HostError
from autoclave.hosts.jenkins import jobs
from autoclave.hosts.jenkins import run as jenkins_run
from autoclave.hosts.jenkins.job_config import JobSpec, Library
from autoclave.hosts.jenkins.server import Jenkins
from autoclave.hosts.jenkins.settings import server
from doubles.jenkins_double import Double

JOB = "devices/pump"
TOKEN = "token-of-the-bot"
WANTED = JobSpec(
    git_url="https://git.example.com/devices/pump.git",
    branch="main",
    script="Jenkinsfile",
    credentials="git-reader",
    description="Pipeline of the device pump.",
    parameters=(("ENVIRONMENT", "staging"),),
    poll="H/5 * * * *",
)
LIBRARY = Library(
    name="autoclave", version="v0.1.0", git_url="https://git.example.com/platform/autoclave.git"
)


def jenkins(
    double: Double, user: str = "bot", slept: list[float] | None = None, token: str = TOKEN
) -> Jenkins:
    environ = {"JENKINS_URL": double.url, "AUTOCLAVE_JENKINS_USER": user, "AUTOCLAVE_JENKINS_TOKEN": token}
    return Jenkins(server("", environ), sleep=(slept if slept is not None else []).append)


def catch_refusal(call: Callable[[], Any]) -> HostError:
    with pytest.raises(HostError) as caught:
        call()
    return caught.value


def provision(host: Jenkins, wanted: JobSpec = WANTED, library: Library | None = None) -> list[str]:
    return jobs.apply(host, jobs.plan(host, JOB, wanted, library))


def text_of(double: Double, path: str, name: str = JOB) -> str | None:
    return double.items[name].config.findtext(path)


def run(host: Jenkins, parameters: dict[str, str] | None = None) -> tuple[int, list[str], list[str], str]:
    said: list[str] = []
    patience = jenkins_run.Patience(host.sleep, 0)
    started = jenkins_run.start(host, JOB, parameters or {})
    number = jenkins_run.wait_for_number(host, started, patience, said.append)
    lines = list(jenkins_run.follow_log(host, JOB, number, patience))
    return number, said, lines, jenkins_run.wait_for_result(host, JOB, number, patience)
