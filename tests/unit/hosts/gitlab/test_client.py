"""When a request to GitLab is retried, and after how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import gitlab
import pytest

from autoclave.hosts.gitlab.client import Client, UnclearAnswer
from autoclave.hosts.gitlab.settings import Server, Token
from builders.http_answers import Answers

JSON = {"Content-Type": "application/json"}
FOUND = (200, JSON, b"{}")


def connect(answers: Answers, slept: list[float]) -> Client:
    client = Client(Server(url="http://gitlab.example", token=Token("x", job=False)), sleep=slept.append)
    client.session.mount("http://", answers)
    return client


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_retry_after_that_is_a_date_is_waited_for(status: int) -> None:
    slept: list[float] = []
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    answers = Answers((status, {"Retry-After": later}, b""), FOUND)
    connect(answers, slept).http_get("/user")
    assert len(answers.requests) == 2
    assert 15 < slept[0] <= 20


def test_a_post_is_repeated_only_when_it_was_surely_not_carried_out() -> None:
    slept: list[float] = []
    answers = Answers((429, {"Retry-After": "2"}, b""), (503, {}, b""))
    with pytest.raises(UnclearAnswer):
        connect(answers, slept).http_post("/notes")
    assert len(answers.requests) == 2
    assert slept == [2.0]


def test_a_refusal_is_not_repeated() -> None:
    slept: list[float] = []
    with pytest.raises(gitlab.GitlabHttpError):
        connect(Answers((403, JSON, b"{}")), slept).http_get("/user")
    assert slept == []
