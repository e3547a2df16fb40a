"""When a request to Jenkins is retried, and after how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from autoclave.hosts.jenkins.client import Client
from autoclave.hosts.jenkins.errors import ErrorAnswer, UnclearAnswer
from autoclave.hosts.jenkins.settings import Account, Server
from builders.http_answers import Answers

CRUMB = (404, {}, b"")  # this server gives none


def connect(answers: Answers, slept: list[float]) -> Client:
    client = Client(Server(url="http://jenkins.example/", account=Account("u", "t")), sleep=slept.append)
    client._session.mount("http://", answers)
    return client


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_retry_after_that_is_a_date_is_waited_for(status: int) -> None:
    slept: list[float] = []
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    answers = Answers(CRUMB, (status, {"Retry-After": later}, b""), (200, {}, b"{}"))
    connect(answers, slept).get("api/json")
    assert len(answers.requests) == 3
    assert 15 < slept[0] <= 20


def test_a_post_is_repeated_only_when_it_was_surely_not_carried_out() -> None:
    slept: list[float] = []
    answers = Answers(CRUMB, (429, {"Retry-After": "2"}, b""), (503, {}, b""))
    with pytest.raises(UnclearAnswer):
        connect(answers, slept).post_form("job/x/build", {})
    assert len(answers.requests) == 3
    assert slept == [2.0]


def test_a_refusal_is_not_repeated() -> None:
    slept: list[float] = []
    with pytest.raises(ErrorAnswer):
        connect(Answers(CRUMB, (403, {}, b"")), slept).get("api/json")
    assert slept == []
