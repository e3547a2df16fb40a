"""The pure parts of speaking to GitLab: settings, tokens, needs, waits, answers."""

from __future__ import annotations

import pytest

from autoclave.errors import HostError
from autoclave.hosts.gitlab import permissions, settings
from autoclave.hosts.gitlab.deployment import parse_approvals
from autoclave.hosts.gitlab.permissions import NEEDS
from autoclave.hosts.gitlab.project import attempt
from autoclave.hosts.gitlab.release import BEGIN, File, block, digests
from autoclave.hosts.gitlab.settings import Server, Token

DIGEST = "sha256:" + "1" * 64


@pytest.mark.parametrize(
    ("given", "environ", "url"),
    [
        ("https://a.example/", {"CI_SERVER_URL": "https://b.example"}, "https://a.example"),
        ("", {"CI_SERVER_URL": "https://b.example/gitlab"}, "https://b.example/gitlab"),
        ("", {"CI_API_V4_URL": "https://b.example/gitlab/api/v4"}, "https://b.example/gitlab"),
    ],
)
def test_the_server_is_the_named_one_else_that_of_the_job(
    given: str, environ: dict[str, str], url: str
) -> None:
    assert settings.server(given, environ | {"CI_JOB_TOKEN": "x"}).url == url


@pytest.mark.parametrize("url", ["", "gitlab.example", "file:///etc/passwd"])
def test_an_invalid_address_is_refused(url: str) -> None:
    with pytest.raises(HostError, match="GitLab server"):
        settings.server(url, {"CI_JOB_TOKEN": "x"})


@pytest.mark.parametrize(
    ("environ", "token"),
    [
        ({"AUTOCLAVE_GITLAB_TOKEN": "a", "CI_JOB_TOKEN": "b"}, Token("a", job=False)),
        ({"AUTOCLAVE_GITLAB_TOKEN": " a\n"}, Token("a", job=False)),
        ({"CI_JOB_TOKEN": "b"}, Token("b", job=True)),
        ({"AUTOCLAVE_GITLAB_TOKEN": "b", "CI_JOB_TOKEN": "b"}, Token("b", job=True)),
    ],
)
def test_the_access_token_comes_first_and_a_job_token_stays_one(
    environ: dict[str, str], token: Token
) -> None:
    assert settings.token(environ) == token


def test_a_missing_token_is_an_error_with_the_variables_to_set() -> None:
    with pytest.raises(HostError) as caught:
        settings.token({"AUTOCLAVE_GITLAB_TOKEN": " "})
    assert "AUTOCLAVE_GITLAB_TOKEN" in caught.value.next


@pytest.mark.parametrize("value", ["two words", "two\nlines", "gléat"])
def test_an_invalid_token_is_refused_without_quoting_it(value: str) -> None:
    with pytest.raises(HostError) as caught:
        settings.token({"AUTOCLAVE_GITLAB_TOKEN": value})
    assert value not in f"{caught.value.what}{caught.value.why}{caught.value.next}"


def test_a_token_is_never_shown() -> None:
    server = Server(url="https://a.example", token=Token("hush-hush", job=False))
    assert "hush-hush" not in f"{server!r} {server} {server.token!r}"


@pytest.mark.parametrize("action", sorted(NEEDS))
def test_a_job_token_is_checked_before_the_request(action: str) -> None:
    need = NEEDS[action]
    settings.check(need, Token("x", job=False))
    if need.job_token:
        settings.check(need, Token("x", job=True))
        return
    with pytest.raises(HostError) as caught:
        settings.check(need, Token("x", job=True))
    assert need.scope in caught.value.why
    assert need.page in caught.value.why


def test_the_table_of_needs_has_a_row_per_action_with_every_endpoint() -> None:
    lines = permissions.table().splitlines()
    assert len(lines) == 2 + len(NEEDS)
    for need, line in zip(NEEDS.values(), lines[2:], strict=True):
        assert line.startswith(f"| {need.action} | ")
        assert all(f"`{endpoint}`" in line for endpoint in need.endpoints)
        assert line.count("|") == 7


def test_only_the_hosts_refusal_is_an_outcome() -> None:
    def refuse() -> str:
        raise HostError("down")

    def break_() -> str:
        raise RuntimeError

    assert attempt(lambda: "done").problem is None
    assert isinstance(attempt(refuse).problem, HostError)
    with pytest.raises(RuntimeError):
        attempt(break_)


def test_digests_are_read_from_our_block_alone() -> None:
    text = block({"app": DIGEST}, [])
    assert "verify.py" not in text
    verifier = File(name="app-verification-verify.py", content=b"x", digest=DIGEST)
    assert f"`verify.py` of their bundle has the SHA-256 `{DIGEST[7:]}`" in block({"app": DIGEST}, [verifier])
    assert digests(f"Hello\n\n{text}\n\nBye") == {"app": DIGEST}
    assert digests(text.replace(BEGIN, "")) == {}
    assert digests("") == {}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"id": 1, "environment": {"name": "x"}, "sha": "a", "status": "created", "approvals": [{}]},
        {"id": 1, "environment": None, "sha": "a", "status": "created"},
    ],
)
def test_an_answer_without_its_fields_is_a_host_error(answer: dict[str, object]) -> None:
    with pytest.raises(HostError, match="is invalid"):
        parse_approvals(answer)


def test_no_approvals_are_an_empty_list() -> None:
    output = parse_approvals({"id": 1, "environment": {"name": "x"}, "sha": "a", "status": "success"})
    assert (output.approvals, output.pending) == ((), 0)
