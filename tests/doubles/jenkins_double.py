"""A double of Jenkins's remote access API: HTTP on a loopback port, with state, as far as Autoclave uses it.

What the real Hudson in these tests cannot do is here: folders, pipeline jobs, queue items, plugins.
Behaviour is taken from where each endpoint says; paths are those of github.com/jenkinsci/jenkins. What
holds for all:
- accounts: HTTP Basic with user and API token, 401 for a wrong one
  (jenkins.io/doc/book/system-administration/authenticating-scripted-clients);
- crumbs: needed by every POST unless an API token is given; the switch `crumbs` makes them needed all the
  same, as with a password (jenkins.io/doc/book/security/csrf-protection);
- permissions: 403 with a page that names the missing one; 404 for items that the account may not discover
  (jenkins.io/doc/book/security/access-control/permissions).
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

ALL = frozenset(
    {
        "Overall/Read",
        "Overall/SystemRead",
        "Job/Read",
        "Job/Configure",
        "Job/Create",
        "Job/Build",
        "Run/Update",
    }
)
PREFIX = "/ci"  # Jenkins's --prefix: the address has a path


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {text}")
        self.status, self.text, self.headers = status, text, headers or {}


@dataclass
class Fault:
    """Something that goes wrong `times` times: before the work is done, or after it (`late`)."""

    verb: str
    path: str
    status: int = 0  # 0: the connection is cut
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1
    late: bool = False
    text: str = "injected"


@dataclass
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Call:
    """One request, after account and crumb were checked. `name` is the item's full name."""

    double: Double
    user: str
    name: str
    rest: re.Match[str]
    query: dict[str, str]
    body: bytes
    headers: Any

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def need(self, permission: str) -> None:
        if permission not in self.double.permissions[self.user]:
            raise Refusal(403, f"<html><p>{self.user} is missing the {permission} permission</p></html>")


@dataclass
class Endpoint:
    verb: str
    pattern: re.Pattern[str]
    page: str
    call: Callable[[Call], Answer]


ENDPOINTS: list[Endpoint] = []


def endpoint(
    verb: str, path: str, page: str
) -> Callable[[Callable[[Call], Answer]], Callable[[Call], Answer]]:
    """Register an endpoint below an item's path; its docstring names `page` once more for readers."""

    def register(call: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
        assert page in (call.__doc__ or ""), f"{call.__name__} does not cite {page}"
        ENDPOINTS.append(Endpoint(verb, re.compile(path), page, call))
        return call

    return register


class Double:
    """The server's state, and what it saw."""

    def __init__(self) -> None:
        from doubles.jenkins_state import Item

        self.tokens: dict[str, str] = {"bot": "token-of-the-bot"}
        self.permissions: dict[str, frozenset[str]] = {"bot": ALL}
        self.items: dict[str, Item] = {}
        self.queue: dict[int, dict[str, Any]] = {}
        self.plugins: list[dict[str, Any]] = []
        self.crumbs = False
        self.crumb = "crumb-1"
        self.drops: tuple[
            str, ...
        ] = ()  # elements of plugins that are not installed: left out without a word
        self.script: list[str] = ["Started by user bot\n", "Finished: SUCCESS\n"]  # pieces of a build's log
        self.waits = 2  # questions about a queue item before its build begins
        self.cancels = False
        self.lag = 0
        self.outcome = "SUCCESS"
        self.seen: list[str] = []
        self.sent: list[tuple[str, bytes]] = []
        self.authorized: list[str] = []
        self.violations: list[str] = []
        self.faults: list[Fault] = []
        self.lock = threading.Lock()
        self.url = ""
        self.ids = iter(range(101, 1_000_000))

    def requests(self, verb: str, part: str = "") -> list[str]:
        return [each for each in self.seen if each.startswith(f"{verb} ") and part in each]

    def fault(self, verb: str, target: str, *, late: bool) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.late == late and fault.verb == verb and fault.path in target:
                fault.times -= 1
                return fault
        return None

    def answer(self, verb: str, target: str, headers: Any, body: bytes) -> Answer:
        """Answer one request. Raises Refusal."""
        path, query = urlsplit(target).path, dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
        if not path.startswith(f"{PREFIX}/"):
            self.violations.append(f"outside of the server: {target}")
            raise Refusal(404, "Not Found")
        name, rest = self._item(path.removeprefix(f"{PREFIX}/"))
        found = [(each, match) for each in ENDPOINTS if (match := each.pattern.fullmatch(rest))]
        here = [(each, match) for each, match in found if each.verb == verb]
        if not here:
            self.violations.append(f"no such endpoint: {verb} {path}")
            raise Refusal(405 if found else 404, "no such endpoint")
        spec, match = here[0]
        call = Call(self, self._user(headers), name, match, query, body, headers)
        if verb == "POST":
            self._check_crumb(headers)
        call.need("Overall/Read")
        if name and ("Job/Read" not in self.permissions[call.user] or name not in self.items):
            raise Refusal(404, "<html>Not Found</html>")
        return spec.call(call)

    @staticmethod
    def _item(path: str) -> tuple[str, str]:
        parts, rest = [], path
        while found := re.match(r"job/([^/]+)/", rest):
            parts.append(unquote(found[1]))
            rest = rest[found.end() :]
        return "/".join(parts), rest

    def _user(self, headers: Any) -> str:
        given = headers.get("Authorization", "")
        user, _, token = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")
        if not given.startswith("Basic ") or self.tokens.get(user) != token:
            raise Refusal(401, "<html>Invalid password/token</html>")
        return user

    def _check_crumb(self, headers: Any) -> None:
        if self.crumbs and headers.get("Jenkins-Crumb") != self.crumb:
            raise Refusal(403, "<html>No valid crumb was included in the request</html>")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: else each answer waits for an acknowledgement

    def log_message(self, *_: Any) -> None:
        pass

    def _serve(self) -> None:
        double = self.server.double
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with double.lock:
            double.seen.append(f"{self.command} {self.path}")
            double.authorized.append(self.headers.get("Authorization", ""))
            if self.command == "POST":
                double.sent.append((self.path, body))
            answer = self._respond(double, body)
        if answer.status == 0:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(answer.status)
        kept = {"Content-Type": "text/html;charset=UTF-8", **answer.headers}
        for name, value in {**kept, "X-Jenkins": "2.516.3", "Content-Length": str(len(answer.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def _respond(self, double: Double, body: bytes) -> Answer:
        fault = double.fault(self.command, self.path, late=False)
        if fault:
            return Answer(fault.status, fault.headers, fault.text.encode())
        try:
            done = double.answer(self.command, self.path, self.headers, body)
        except Refusal as refusal:
            return Answer(refusal.status, refusal.headers, refusal.text.encode())
        fault = double.fault(self.command, self.path, late=True)
        return Answer(fault.status, fault.headers, b"lost") if fault else done

    do_GET = do_POST = _serve  # noqa: N815


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    double: Double


@contextmanager
def serve() -> Iterator[Double]:
    """Run a double on a loopback port."""
    import doubles.jenkins_state  # noqa: F401 -- registers endpoints

    server = _Server(("127.0.0.1", 0), _Handler)
    server.double = Double()
    server.double.url = f"http://127.0.0.1:{server.server_address[1]}{PREFIX}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def as_json(data: Any) -> Answer:
    return Answer(200, {"Content-Type": "application/json;charset=utf-8"}, json.dumps(data).encode())
