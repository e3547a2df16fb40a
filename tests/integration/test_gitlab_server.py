"""Reports to GitLab, against a double of its REST API: notes, statuses, releases, deployments, refusals."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from autoclave.errors import HostError
from autoclave.hosts.gitlab import deployment
from autoclave.hosts.gitlab.deployment import HostDeployment
from autoclave.hosts.gitlab.permissions import NEEDS
from autoclave.hosts.gitlab.project import GitLab, Status, attempt
from autoclave.hosts.gitlab.release import File, digests, publish
from autoclave.hosts.gitlab.settings import Server, Token
from autoclave.runtime.retry import TRIES
from doubles import gitlab_double
from doubles.gitlab_double import DEVELOPER, ENDPOINTS, GUEST, Double, Fault
from doubles.gitlab_double import Token as Account
from doubles.gitlab_state import Project

SHA = "a" * 40
DIGEST = "sha256:" + "1" * 64
MARK = "<!-- autoclave note: pump -->"


@pytest.fixture
def double() -> Iterator[Double]:
    """A server with one project; nothing undocumented may have been asked of it."""
    with gitlab_double.serve() as made:
        made.users = {7: "autoclave-bot", 8: "mallory"}
        made.tokens = {
            "bot": Account(7),
            "reader": Account(7, scopes=("read_api",)),
            "guest": Account(7, roles={None: GUEST}),
            "stranger": Account(8, roles={}),
            "job": Account(8, job=True),
        }
        made.projects = {5: Project(5, "acme/pump", notes={17: []}, commits={SHA}, tags={"v1"})}
        yield made
        assert made.violations == []


def gitlab(double: Double, token: str = "bot", slept: list[float] | None = None) -> GitLab:
    server = Server(url=double.url, token=Token(token, job=token == "job"))
    return GitLab(server, "5", sleep=(slept if slept is not None else []).append)


def catch_refusal(call: Any) -> HostError:
    with pytest.raises(HostError) as caught:
        call()
    return caught.value


# ---- note


def test_a_note_is_written_once_then_changed_and_left_alone_when_it_says_so_already(double: Double) -> None:
    host = gitlab(double)
    notes = double.projects[5].notes[17]
    assert "wrote" in host.write_note("17", MARK, f"{MARK}\none")
    assert "changed" in host.write_note("17", MARK, f"{MARK}\ntwo")
    notes[0]["body"] = f"{MARK}\r\ntwo\r\n"  # as GitLab may keep it
    assert "up to date" in host.write_note("17", MARK, f"{MARK}\ntwo\n")
    assert len(notes) == 1
    assert len(double.requests("PUT")) == 1


def test_the_note_is_found_on_a_later_page(double: Double) -> None:
    notes = double.projects[5].notes[17]
    for number in range(250):
        notes.append({"id": number, "body": "hm", "author": {"id": 8}, "system": number % 2 == 0})
    gitlab(double).write_note("17", MARK, f"{MARK}\none")
    gitlab(double).write_note("17", MARK, f"{MARK}\ntwo")
    assert [each["body"] for each in notes[250:]] == [f"{MARK}\ntwo"]
    assert len([each for each in double.requests("GET", "notes") if "page=3" in each]) == 2


def test_a_note_of_another_user_with_our_marker_is_ignored(double: Double) -> None:
    notes = double.projects[5].notes[17]
    notes.append({"id": 1, "body": f"{MARK}\nall gates passed", "author": {"id": 8}, "system": False})
    assert "wrote" in gitlab(double).write_note("17", MARK, f"{MARK}\nclosed")
    assert [each["body"] for each in notes] == [f"{MARK}\nall gates passed", f"{MARK}\nclosed"]


@pytest.mark.parametrize("code", [502, 0])
def test_a_lost_answer_to_a_post_creates_no_second_note(double: Double, code: int) -> None:
    double.faults = [Fault("POST", "/notes", code, late=True)]
    assert "up to date" in gitlab(double).write_note("17", MARK, f"{MARK}\none")
    assert len(double.projects[5].notes[17]) == 1


def test_a_job_token_is_refused_before_any_request(double: Double) -> None:
    error = catch_refusal(lambda: gitlab(double, "job").write_note("17", MARK, MARK))
    assert "job token" in error.what
    assert "personal, project or group access token with scope api" in error.why
    assert double.seen == []


def test_an_unknown_merge_request_is_an_error(double: Double) -> None:
    error = catch_refusal(lambda: gitlab(double).write_note("18", MARK, MARK))
    assert error.status == 404
    assert "not the number" in catch_refusal(lambda: gitlab(double).write_note("!18", MARK, MARK)).what


def test_a_system_note_is_never_taken_for_ours(double: Double) -> None:
    notes = double.projects[5].notes[17]
    notes.append({"id": 1, "body": f"{MARK} was pushed", "author": {"id": 7}, "system": True})
    assert "wrote" in gitlab(double).write_note("17", MARK, f"{MARK}\none")


# ---- statuses


def status(state: str, text: str = "t") -> Status:
    return Status(name="autoclave/scan", state=state, description=text)


def test_statuses_go_from_running_to_their_end_and_repeat_nothing(double: Double) -> None:
    host = gitlab(double)
    for state, text in (("running", "a"), ("running", "b"), ("failed", "x" * 300), ("failed", "x" * 300)):
        host.set_statuses(SHA, [status(state, text)], target_url="https://x.example/p", pipeline="12")
    (made,) = double.projects[5].statuses
    assert (made["status"], made["description"], made["pipeline_id"]) == ("failed", "x" * 255, 12)
    assert len(double.requests("POST")) == 2
    host.set_statuses(SHA, [status("success")])
    assert [each["status"] for each in double.projects[5].statuses] == ["failed", "success"]


def test_a_status_of_an_unknown_commit_is_an_error(double: Double) -> None:
    error = catch_refusal(lambda: gitlab(double).set_statuses("b" * 40, [status("success")]))
    assert (error.status, "status" in error.what) == (404, True)


# ---- release


def file(name: str = "evidence.json", content: bytes = b"{}") -> File:
    return File(name=name, content=content, digest="sha256:" + hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("token", ["bot", "job"])
def test_a_release_is_made_once_with_its_files_and_links(double: Double, token: str) -> None:
    for _ in range(2):
        publish(gitlab(double, token), "v1", "1.0.0+b1", {"app": DIGEST}, [file(), file("b.json", b"b")])
    (made,) = double.projects[5].releases
    assert digests(made["description"]) == {"app": DIGEST}
    assert [each["name"] for each in made["links"]] == ["evidence.json", "b.json"]
    assert made["links"][0]["url"].endswith("/packages/generic/autoclave-evidence/1.0.0%2Bb1/evidence.json")
    (package,) = double.projects[5].packages
    assert (package["version"], len(package["files"])) == ("1.0.0+b1", 2)
    assert len(double.requests("PUT")) == 2


def test_what_people_wrote_into_a_release_stays(double: Double) -> None:
    double.projects[5].releases.append({"tag_name": "v1", "description": "Better alarms.", "links": []})
    publish(gitlab(double), "v1", "1", {"app": DIGEST}, [])
    publish(gitlab(double), "v1", "1", {"app": "sha256:" + "2" * 64}, [])
    text = double.projects[5].releases[0]["description"]
    assert text.startswith("Better alarms.")
    assert digests(text) == {"app": "sha256:" + "2" * 64}
    assert text.count("autoclave begin") == 1


def test_other_evidence_under_the_same_version_is_refused(double: Double) -> None:
    publish(gitlab(double), "v1", "1", {"app": DIGEST}, [file()])
    error = catch_refusal(
        lambda: publish(gitlab(double), "v1", "1", {"app": DIGEST}, [file(content=b"other")])
    )
    assert "another evidence.json" in error.what
    assert len(double.projects[5].packages[0]["files"]) == 1


def test_a_package_of_a_longer_name_is_not_ours(double: Double) -> None:
    other = {"id": 1, "name": "autoclave-evidence-old", "version": "1", "package_type": "generic"}
    double.projects[5].packages.append(
        other | {"files": [{"file_name": "evidence.json", "file_sha256": "0"}]}
    )
    assert "uploaded evidence.json" in publish(gitlab(double), "v1", "1", {}, [file()])


def test_a_damaged_upload_is_noticed(double: Double) -> None:
    double.damage_uploads = True
    assert (
        "with another content" in catch_refusal(lambda: publish(gitlab(double), "v1", "1", {}, [file()])).what
    )
    assert double.projects[5].releases == []


def test_a_release_link_with_another_address_is_corrected(double: Double) -> None:
    link = {"id": 1, "name": "evidence.json", "url": "https://elsewhere.example/"}
    double.projects[5].releases.append({"tag_name": "v1", "description": None, "links": [link]})
    publish(gitlab(double), "v1", "1", {}, [file()])
    assert link["url"].startswith(double.url)


def test_a_release_of_a_missing_tag_is_an_error(double: Double) -> None:
    error = catch_refusal(lambda: publish(gitlab(double), "v2", "2", {}, []))
    assert (error.status, "Ref is not specified" in error.why) == (400, True)


# ---- deployment and approvals


def host_deployment(state: str) -> HostDeployment:
    return HostDeployment(
        environment="staging", sha=SHA, ref="main", tag=False, status=state, digests={"app": DIGEST}
    )


def test_a_deployment_runs_then_succeeds_and_its_digest_is_named(double: Double) -> None:
    for state in ("running", "running", "success", "success"):
        done = deployment.record(gitlab(double, "job"), host_deployment(state))
    (made,) = double.projects[5].deployments
    assert made["status"] == "success"
    assert double.projects[5].environments[0]["description"] == f"app {DIGEST}"
    assert done == [
        f"deployment #{made['id']} is success already",
        "environment staging names the digest already",
    ]


def test_an_older_server_that_drops_descriptions_is_noticed(double: Double) -> None:
    double.environment_descriptions = False
    assert "the digest is not in it" in deployment.record(gitlab(double), host_deployment("success"))[1]


def test_a_failed_deployment_leaves_the_digest_that_runs(double: Double) -> None:
    deployment.record(gitlab(double), host_deployment("failed"))
    assert double.projects[5].environments[0]["description"] is None


def test_a_deployment_of_another_commit_is_another_one(double: Double) -> None:
    deployment.record(gitlab(double), host_deployment("running"))
    double.projects[5].deployments[0]["sha"] = "b" * 40
    assert (
        "no deployment"
        in catch_refusal(lambda: deployment.read_approvals(gitlab(double), "staging", SHA)).what
    )
    assert "created" in deployment.record(gitlab(double), host_deployment("success"))[0]
    assert [each["status"] for each in double.projects[5].deployments] == ["running", "success"]


def test_the_deployment_of_a_job_is_left_to_gitlab(double: Double) -> None:
    deployment.record(gitlab(double), host_deployment("running"))
    double.projects[5].deployments[0]["deployable"] = {"id": 1}
    assert "follows the job" in deployment.record(gitlab(double), host_deployment("success"))[0]


def test_approvals_are_read_from_both_places_once(double: Double) -> None:
    host = gitlab(double, "reader")
    deployment.record(gitlab(double), host_deployment("running"))
    yes = {"user": {"id": 7, "username": "ann"}, "status": "approved", "comment": None}
    yes["created_at"] = "2026-11-24T10:00:00.000Z"
    no = yes | {"user": {"id": 8, "username": "bob"}, "status": "rejected", "comment": "no"}
    double.projects[5].deployments[0] |= {
        "approvals": [yes],
        "approval_summary": {"rules": [{"deployment_approvals": [yes, no]}]},
        "pending_approval_count": 1,
    }
    found = deployment.read_approvals(host, "staging", SHA)
    assert [(each.username, each.status, each.comment) for each in found.approvals] == [
        ("ann", "approved", ""),
        ("bob", "rejected", "no"),
    ]
    assert (found.pending, found.approvals[0].at.tzinfo is not None) == (1, True)
    assert "no deployment" in catch_refusal(lambda: deployment.read_approvals(host, "production", SHA)).what


# ---- tokens and weather


@pytest.mark.parametrize(
    ("token", "code"), [("wrong-token-value", 401), ("reader", 403), ("guest", 403), ("stranger", 404)]
)
def test_a_refused_token_is_reported_with_what_the_action_needs(
    double: Double, token: str, code: int
) -> None:
    error = catch_refusal(lambda: gitlab(double, token).write_note("17", MARK, MARK))
    assert error.status == code
    assert "note needs a personal, project or group access token with scope api" in error.next
    assert token not in error.what + error.why + error.next


def test_a_busy_server_is_retried_after_the_time_it_names(double: Double) -> None:
    double.faults = [
        Fault("GET", "/notes", 429, {"Retry-After": "3"}),
        Fault("GET", "/notes", 503),
        Fault("POST", "/notes", 429, {"Retry-After": "86400"}),
    ]
    slept: list[float] = []
    assert "wrote" in gitlab(double, slept=slept).write_note("17", MARK, MARK)
    assert (slept[0], slept[2:]) == (3.0, [30.0])
    assert 0.5 <= slept[1] <= 1


@pytest.mark.parametrize("code", [0, 502, 503, 504])
def test_a_server_that_stays_down_is_given_up(double: Double, code: int) -> None:
    double.faults = [Fault("GET", "/user", code, times=99)]
    slept: list[float] = []
    error = catch_refusal(lambda: gitlab(double, slept=slept).write_note("17", MARK, MARK))
    assert len(double.requests("GET", "/user")) == TRIES
    assert len(slept) == TRIES - 1
    assert error.status == code


def test_a_missing_server_is_an_outcome_and_not_a_crash() -> None:
    server = Server(url="http://127.0.0.1:9", token=Token("secret-token", job=False))
    outcome = attempt(lambda: GitLab(server, "5", sleep=lambda _: None).write_note("17", MARK, MARK))
    assert outcome.problem is not None
    assert "does not answer" in outcome.problem.what
    assert "secret-token" not in outcome.problem.why


def test_a_redirect_is_not_followed_with_the_token(double: Double) -> None:
    double.faults = [Fault("GET", "/user", 302, {"Location": "http://127.0.0.1:9/elsewhere"}, times=99)]
    error = catch_refusal(lambda: gitlab(double).write_note("17", MARK, MARK))
    assert "answers from another address" in error.what


def test_an_address_on_another_server_is_not_asked_with_the_token(double: Double) -> None:
    host = gitlab(double)
    for address in (
        "http://127.0.0.1:9/api/v4/user",
        f"{double.url}0/api/v4/user",
        f"{double.url}/api/v5/user",
    ):
        with host.perform("approvals"), pytest.raises(Exception, match="redirects to another"):
            host.client.http_get(address)


def test_a_token_in_the_servers_answer_is_masked(double: Double) -> None:
    double.tokens["glpat-0123456789"] = double.tokens["bot"]
    double.faults = [Fault("GET", "/user", 403, text="no glpat-0123456789 here")]
    error = catch_refusal(lambda: gitlab(double, "glpat-0123456789").write_note("17", MARK, MARK))
    assert "403 no [masked] here" in error.why


def test_other_errors_are_shown_unchanged(double: Double) -> None:
    double.faults = [Fault("GET", "/user", 500), Fault("GET", "/user", 409)]
    assert "failed with status 500" in catch_refusal(lambda: gitlab(double).write_note("17", MARK, MARK)).what
    assert "conflict" in catch_refusal(lambda: gitlab(double).write_note("17", MARK, MARK)).what


def test_the_double_refuses_what_the_server_refuses(double: Double) -> None:
    host = gitlab(double)
    with host.perform("status"), pytest.raises(Exception, match="state is missing"):
        host.client.http_post(f"/projects/5/statuses/{SHA}", post_data={"name": "x"})
    with host.perform("status"), pytest.raises(Exception, match="state does not have a valid value"):
        host.client.http_post(f"/projects/5/statuses/{SHA}", post_data={"state": "passed"})
    host.client.http_post(f"/projects/5/statuses/{SHA}", post_data={"state": "success", "colour": "green"})
    assert double.violations.pop() == (
        f"POST /api/v4/projects/5/statuses/{SHA}: colour is not documented (docs.gitlab.com/api/commits)"
    )
    assert double.tokens["bot"].role(5) == DEVELOPER


@pytest.mark.parametrize("action", sorted(NEEDS))
def test_the_needs_name_the_endpoints_and_tokens_that_the_server_documents(
    double: Double, action: str
) -> None:
    kinds = []
    for each in NEEDS[action].endpoints:
        verb, _, path = each.partition(" ")
        known = [one for one in ENDPOINTS if one.verb == verb and one.pattern.fullmatch(f"/api/v4{path}")]
        assert known, each
        kinds.append(known[0].job)
    assert all(kinds) == NEEDS[action].job_token
