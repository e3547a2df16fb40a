"""Accounts, permissions, crumbs, redirects and failures of a Jenkins server, against its double."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from msgspec import structs

from autoclave.hosts.jenkins import build as jenkins_build
from autoclave.hosts.jenkins import plugins
from autoclave.hosts.jenkins.permissions import NEEDS
from autoclave.hosts.jenkins.server import Jenkins
from autoclave.hosts.jenkins.settings import Account, server
from autoclave.runtime.retry import TRIES
from doubles import jenkins_double
from doubles.jenkins_double import ALL, Double, Fault
from doubles.jenkins_state import Build
from integration.jenkins_bench import JOB, TOKEN, WANTED, catch_refusal, jenkins, provision, run, text_of


@pytest.fixture
def double() -> Iterator[Double]:
    """A server; nothing undocumented may have been asked of it."""
    with jenkins_double.serve() as made:
        yield made
        assert made.violations == []


@pytest.fixture
def job(double: Double) -> Jenkins:
    host = jenkins(double)
    provision(host)
    double.sent.clear()
    return host


def test_a_wrong_token_and_missing_permissions_are_reported_with_what_is_needed(
    double: Double, job: Jenkins
) -> None:
    wrong = catch_refusal(lambda: run(jenkins(double, token="another-token")))
    assert (wrong.status, "AUTOCLAVE_JENKINS_TOKEN" in wrong.next) == (401, True)
    double.permissions["bot"] = ALL - {"Job/Build"}
    error = catch_refusal(lambda: run(job))
    assert (error.status, error.why) == (403, "403: bot is missing the Job/Build permission")
    assert NEEDS["run"].sentence in error.next


def test_the_table_of_needs_is_enough_and_nothing_less_is(double: Double) -> None:
    double.permissions["bot"] = ALL - {"Job/Create"}
    assert catch_refusal(lambda: provision(jenkins(double))).status == 403
    double.permissions["bot"] = ALL
    provision(jenkins(double))
    double.items[JOB].builds[1] = Build(1, [], "SUCCESS")
    actions: dict[str, Callable[[Jenkins], Any]] = {
        "provision": lambda host: provision(
            host, structs.replace(WANTED, description="", branch=f"b{next(double.ids)}")
        ),
        "run": run,
        "describe": lambda host: jenkins_build.describe(host, JOB, 1, lambda before: before + "."),
        "plugins": plugins.check_all,
    }
    for action, call in actions.items():
        granted = {each.split(" ")[0] for each in NEEDS[action].permissions} - {"Job/Create"}
        needed = {"Overall/Read", *granted}
        double.permissions["bot"] = frozenset(needed)
        call(jenkins(double))
        for each in needed:
            double.permissions["bot"] = frozenset(needed - {each})
            assert catch_refusal(partial(call, jenkins(double))).status in (403, 404), (action, each)


def test_crumbs_are_fetched_sent_and_renewed(double: Double) -> None:
    double.crumbs = True
    host = jenkins(double)
    provision(host)
    double.crumb = "crumb-2"  # the session ended
    provision(host, structs.replace(WANTED, branch="release"))
    assert text_of(double, "definition/scm/branches/*/name") == "release"
    assert len(double.requests("GET", "crumbIssuer")) == 2


@pytest.mark.parametrize("status", [301, 302, 307])
@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_the_token_never_goes_to_another_server(double: Double, job: Jenkins, verb: str, status: int) -> None:
    heard: list[str] = []

    class Thief(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_error(404)

        do_POST = do_GET  # noqa: N815

    thief = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Thief)
    threading.Thread(target=thief.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    where = {"Location": f"http://127.0.0.1:{thief.server_address[1]}/login"}
    double.items[JOB].builds[1] = Build(1, [], "SUCCESS")
    double.faults = [Fault(verb, "/1/", status, where)]
    error = catch_refusal(lambda: jenkins_build.describe(job, JOB, 1, lambda _: "x"))
    thief.shutdown()
    thief.server_close()
    assert "another address" in error.what
    assert heard == []


def test_a_redirect_to_the_login_page_is_an_error(double: Double, job: Jenkins) -> None:
    double.items[JOB].builds[1] = Build(1, [], "SUCCESS")
    double.faults = [Fault("POST", "submitDescription", 302, {"Location": "/ci/login?from=%2F"})]
    assert catch_refusal(lambda: jenkins_build.describe(job, JOB, 1, lambda _: "x")).status == 401


def test_the_environment_weakens_no_connection(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
    monkeypatch.setenv("JENKINS_API_EXTRA_HEADERS", "X-Evil: yes")
    session = jenkins(double).client._session
    assert session.verify is True
    assert "X-Evil" not in session.headers


def test_patience_ends_and_retry_after_is_followed_but_not_for_long(double: Double) -> None:
    slept: list[float] = []
    double.faults = [Fault("GET", "pluginManager", 503, {"Retry-After": "86400"}, times=99)]
    error = catch_refusal(lambda: plugins.check_all(jenkins(double, slept=slept)))
    assert (error.status, "starting up" in error.what) == (503, True)
    assert slept == [30.0] * (TRIES - 1)


@pytest.mark.parametrize(
    ("status", "what"), [(500, "Jenkins fails"), (409, "conflict"), (400, "does not accept this")]
)
def test_refusals_are_shown_in_one_line_without_the_page(
    double: Double, job: Jenkins, status: int, what: str
) -> None:
    page = f"<html><head><style>x{{}}</style></head><body><h1>Oops!</h1>{TOKEN}\n\x1b[31m</body></html>"
    double.faults = [Fault("POST", "/build", status, text=page)]
    error = catch_refusal(lambda: run(job))
    assert (error.status, what in error.what) == (status, True)
    assert error.why == f"{status}: Oops! [masked] [31m"


def test_a_server_that_is_down_or_not_jenkins_is_reported(double: Double, job: Jenkins) -> None:
    double.faults = [Fault("GET", "pluginManager", 200, text="<html>A hotel's login</html>")]
    assert "not that of a Jenkins server" in catch_refusal(lambda: plugins.check_all(job)).what
    down = {
        "JENKINS_URL": "http://127.0.0.1:9/",
        "AUTOCLAVE_JENKINS_USER": "u",
        "AUTOCLAVE_JENKINS_TOKEN": TOKEN,
    }
    error = catch_refusal(lambda: plugins.check_all(Jenkins(server("", down), sleep=[].append)))
    assert "does not answer" in error.what
    assert TOKEN not in error.why + repr(Account("u", TOKEN))
