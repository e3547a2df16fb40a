"""Who ran the steps, without any secret of an address."""

from __future__ import annotations

import pytest

from autoclave.hosts.base import identify_runner


def test_who_ran_is_the_job_of_the_host() -> None:
    gitlab = {"CI_JOB_URL": "https://gitlab.example/g/p/-/jobs/12", "GITLAB_USER_LOGIN": "jdoe"}
    assert identify_runner(gitlab) == "https://gitlab.example/g/p/-/jobs/12 for jdoe"
    jenkins = {"BUILD_URL": "http://jenkins.example:8080/job/gateway/7/"}
    assert identify_runner(jenkins) == "http://jenkins.example:8080/job/gateway/7/"


def test_who_ran_contains_no_secret() -> None:
    assert (
        identify_runner({"BUILD_URL": "https://bot:s3cret@ci.example/7?token=s3cret#s3cret"})
        == "https://ci.example/7"
    )
    output = identify_runner(
        {"BUILD_URL": "javascript:s3cret", "CI_JOB_TOKEN": "s3cret", "CI_JOB_URL": "http://[s3cret"}
    )
    assert "s3cret" not in output


def test_without_a_host_it_is_a_user_on_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "laptop")
    monkeypatch.setattr("getpass.getuser", lambda: "jdoe")
    assert identify_runner({}) == "jdoe@laptop"

    def unknown() -> str:
        raise KeyError("uid not found: 10001")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert identify_runner({}).endswith("@laptop")
