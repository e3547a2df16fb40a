"""`autoclave fleet` and `fleet bump`, through the command line, against a double of GitLab's REST API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from autoclave.cli.main import main
from autoclave.hosts.gitlab.release import block
from doubles import gitlab_double
from doubles.gitlab_double import DEVELOPER, Double, Fault, Token
from doubles.gitlab_state import Project

TEMPLATE = """\
# Our pipeline
include:
  - project: acme/autoclave   # the template
    ref: v1.0.0
    file: /pipelines/gitlab/autoclave.yml

variables:
  AUTOCLAVE_POLICY: ours.toml

autoclave-scan:
  allow_failure: true
  rules: !reference [.ours, rules]
"""
DIGEST = "sha256:" + "1" * 64


def project(number: int, path: str, text: str | None = TEMPLATE, **more: Any) -> Project:
    files = {} if text is None else {".gitlab-ci.yml": text.encode()}
    return Project(number, path, branches={"main": files}, **more)


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    with gitlab_double.serve() as made:
        made.users = {7: "autoclave-bot"}
        made.tokens = {"token-of-the-fleet": Token(7, roles={None: DEVELOPER, 6: 0})}
        listed = [
            project(1, "acme/pump"),
            project(2, "acme/wards/monitor", TEMPLATE.replace("v1.0.0", "v2.0.0")),
            project(3, "acme/website", "include: {template: Pages.gitlab-ci.yml}\n"),
            project(4, "acme/empty", None, default_branch=None),
            project(5, "acme/broken", "a: [b\n"),
            project(6, "acme/hidden"),
            project(7, "acme/old", archived=True),
            project(8, "acme/plain", None),
        ]
        made.projects = {each.id: each for each in listed}
        monkeypatch.delenv("CI_SERVER_URL", raising=False)  # these tests may run in a job themselves
        monkeypatch.setenv("CI_API_V4_URL", f"{made.url}/api/v4")
        monkeypatch.setenv("AUTOCLAVE_GITLAB_TOKEN", "token-of-the-fleet")
        yield made
        assert made.violations == []


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["fleet", *words]) == code
    return capsys.readouterr().out


def test_the_fleet_is_shown_with_versions_overrides_and_releases(
    double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    release = {"tag_name": "v3", "description": "New.\n\n" + block({"app": DIGEST}, []), "links": []}
    double.projects[1].releases = [{"tag_name": "v2", "description": None, "links": []}, release]
    out = run(capsys, "acme")
    (line,) = [each for each in out.splitlines() if each.startswith("acme/pump")]
    assert "project   v1.0.0   autoclave-scan (allow_failure, rules); AUTOCLAVE_POLICY" in line
    assert f"v3            app {DIGEST[:19]}" in line
    assert "acme/wards/monitor  project   v2.0.0" in out
    assert "2 of 7 repositories include the template." in out
    for reason in (
        "acme/website: does not include the template",
        "acme/empty: the repository is empty, or hidden from the token",
        "acme/broken: .gitlab-ci.yml: not valid YAML",
        "acme/hidden: there is no .gitlab-ci.yml, or the token may not read it",
        "acme/plain: there is no .gitlab-ci.yml, or",
    ):
        assert reason in out
    assert "acme/old" not in out


@pytest.mark.parametrize(
    ("text", "folder", "count"),
    [
        (b"[device]\n", "decisions", 2),
        (b"[device]\ndecisions = 'quality/decided'\n", "quality/decided", 2),
        (b"[device]\ndecisions = 'quality/decided'\n", "decisions", 0),
        (b"[device]\n", "", 0),
        (b"[device\n", "decisions", None),
        (b"device = 1\n", "decisions", None),
        (b"[device]\ndecisions = 1\n", "decisions", None),
        (None, "decisions", None),
    ],
)
def test_waivers_are_counted_where_the_device_keeps_them(
    double: Double, capsys: pytest.CaptureFixture[str], text: bytes | None, folder: str, count: int | None
) -> None:
    files = double.projects[1].branches["main"]
    if text is not None:
        files["autoclave.toml"] = text
    for name in ("W-1.waiver.json", "W-2.waiver.json", "flask.vex.json", "old/W-0.waiver.json"):
        if folder:
            files[f"{folder}/{name}"] = b"{}"
    rows = [json.loads(line)["repository"] for line in run(capsys, "acme", "--json").splitlines()]
    assert rows[0].get("waivers") == count
    (line,) = [each for each in run(capsys, "acme").splitlines() if each.startswith("acme/pump")]
    assert f"AUTOCLAVE_POLICY  {'-' if count is None else count} " in line


def test_waivers_that_cannot_be_read_leave_the_rest_of_the_row(
    double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    double.projects[1].branches["main"]["autoclave.toml"] = b"[device]\n"
    double.faults = [Fault("GET", "/projects/1/repository/tree", 403)]
    assert "  acme/pump: its waivers: GitLab does not allow this to the token" in run(capsys, "acme")


def test_the_fleet_as_json_is_one_row_per_repository(
    double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line)["repository"] for line in run(capsys, "acme", "--json").splitlines()]
    assert [row["project"] for row in rows][:2] == ["acme/pump", "acme/wards/monitor"]
    assert rows[0]["overrides"] == [{"job": "autoclave-scan", "keys": ["allow_failure", "rules"]}]


def test_a_repository_that_is_refused_is_a_row_with_the_reason(
    double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    double.faults = [Fault("GET", "/projects/1/repository", 403)]
    out = run(capsys, "acme")
    assert "acme/pump: GitLab does not allow this to the token (fleet): 403" in out
    assert "1 of 7 repositories" in out


def test_a_large_group_is_read_page_by_page(double: Double, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(100, 320):
        double.projects[number] = project(number, f"acme/p{number}", "a: {b: c}\n")
    assert "2 of 227 repositories" in run(capsys, "acme")
    assert len(double.requests("GET", "/groups/acme/projects")) == 3


def test_releases_that_cannot_be_read_leave_the_rest_of_the_row(
    double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    double.faults = [Fault("GET", "/projects/1/releases", 403)]
    out = run(capsys, "acme")
    assert "  acme/pump: its releases: GitLab does not allow this to the token" in out


def test_a_group_that_is_not_there_is_an_error_that_names_the_needs(
    double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fleet", "nobody"]) == 35
    assert (
        "fleet needs a personal, project or group access token with scope read_api" in capsys.readouterr().err
    )


def test_without_a_token_nothing_is_asked(
    double: Double, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AUTOCLAVE_GITLAB_TOKEN")
    monkeypatch.setenv("CI_JOB_TOKEN", "job-token-value")
    assert main(["fleet", "acme"]) == 35
    assert "does not accept a CI job token" in capsys.readouterr().err
    assert double.seen == []


def test_bump_proposes_once_and_changes_the_ref_alone(
    double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run(capsys, "bump", "acme", "--to", "v2.0.0")
    assert "acme/pump: proposed v2.0.0 instead of v1.0.0 http" in out
    assert "acme/wards/monitor: is at v2.0.0 already" in out
    pump = double.projects[1]
    changed = pump.branches["autoclave/v2.0.0"][".gitlab-ci.yml"].decode()
    assert changed == TEMPLATE.replace("v1.0.0", "v2.0.0")
    assert pump.branches["main"][".gitlab-ci.yml"].decode() == TEMPLATE
    assert [each["title"] for each in pump.merge_requests] == ["Autoclave v2.0.0"]
    assert "acme/pump: is proposed already" in run(capsys, "bump", "acme", "--to", "v2.0.0")
    assert len(pump.merge_requests) == 1


def test_bump_dry_run_changes_nothing(double: Double, capsys: pytest.CaptureFixture[str]) -> None:
    assert "acme/pump: would change v1.0.0 to v9" in run(capsys, "bump", "acme", "--to", "v9", "--dry-run")
    assert double.requests("POST") == []


def test_bump_continues_from_a_branch_of_an_earlier_run(
    double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    double.faults = [Fault("POST", "/projects/1/merge_requests", 403)]
    assert "not allow" in run(capsys, "bump", "acme", "--to", "v2.0.0", code=35)
    assert "proposed v2.0.0" in run(capsys, "bump", "acme", "--to", "v2.0.0")
    assert len(double.requests("POST", "/projects/1/repository/commits")) == 1


def test_bump_leaves_a_foreign_branch_and_a_closed_request_alone(
    double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    double.projects[1].branches["autoclave/v2.0.0"] = {".gitlab-ci.yml": b"mine: {}\n"}
    assert "acme/pump: unchanged: the branch" in run(capsys, "bump", "acme", "--to", "v2.0.0")
    run(capsys, "bump", "acme", "--to", "v3")
    double.projects[1].merge_requests[0]["state"] = "closed"
    assert "acme/pump: unchanged: a merge request" in run(capsys, "bump", "acme", "--to", "v3")


def test_a_lost_answer_to_a_commit_makes_no_second_branch(
    double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    double.faults = [Fault("POST", "/repository/commits", 504, late=True)]
    assert "proposed v2.0.0" in run(capsys, "bump", "acme", "--to", "v2.0.0")
    assert len(double.projects[1].merge_requests) == 1


@pytest.mark.parametrize("ref", ["", "-v1", "a..b", "v1\n", "a b", "x.lock"])
def test_bump_refuses_an_invalid_ref(double: Double, capsys: pytest.CaptureFixture[str], ref: str) -> None:
    run(capsys, "bump", "acme", f"--to={ref}", code=2)
    assert double.seen == []
