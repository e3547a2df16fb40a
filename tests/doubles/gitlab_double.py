"""A double of the GitLab REST API v4: HTTP on a loopback port, with state, as far as Autoclave uses it.

Behaviour is taken from GitLab's documentation; each endpoint names its page. What holds for all of them:
- tokens: docs.gitlab.com/api/rest/authentication (headers PRIVATE-TOKEN, JOB-TOKEN); an endpoint that
  takes no job token answers as if there were none (docs.gitlab.com/ci/jobs/ci_job_token);
- statuses 400, 401, 403, 404, 409, 422, 429: docs.gitlab.com/api/rest/troubleshooting;
- paging headers (Link, X-Next-Page ...): docs.gitlab.com/api/rest (offset-based pagination);
- Retry-After: docs.gitlab.com/administration/settings/user_and_ip_rate_limits (response headers).
The server ignores undeclared parameters. So does the double, and keeps them in `violations`: a test then
sees what a real server would have dropped without a word.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

GUEST, REPORTER, DEVELOPER, MAINTAINER = 10, 20, 30, 40
LEVELS = {"GET": "read_api", "HEAD": "read_api"}


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status} {body}")
        self.status, self.body = status, body


@dataclass
class Token:
    """A token: its user, its scopes, its role in each project (by id, None for all others)."""

    user: int
    scopes: tuple[str, ...] = ("api",)
    roles: dict[int | None, int] = field(default_factory=lambda: {None: DEVELOPER})
    job: bool = False

    def role(self, project: int) -> int:
        return self.roles.get(project, self.roles.get(None, 0))


@dataclass
class Param:
    """A documented parameter of an endpoint."""

    kind: type = str
    required: bool = False
    values: tuple[str, ...] = ()


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
class Endpoint:
    verb: str
    pattern: re.Pattern[str]
    page: str
    call: Callable[[Call], Any]
    params: dict[str, Param]
    job: bool
    role: int
    status: int
    paged: bool


@dataclass
class Call:
    """One request, after token, role and parameters were checked."""

    double: Double
    token: Token
    parts: dict[str, str]
    given: dict[str, Any]
    body: bytes
    project: Any = None
    headers: dict[str, str] = field(default_factory=dict)


ENDPOINTS: list[Endpoint] = []


def endpoint(
    verb: str,
    path: str,
    page: str,
    /,
    *,
    job: bool = False,
    role: int = REPORTER,
    made: int = 200,
    paged: bool = False,
    **params: Param,
) -> Callable[[Callable[[Call], Any]], Callable[[Call], Any]]:
    """Register an endpoint; its docstring names `page` once more for readers."""
    pattern = re.compile("/api/v4" + re.sub(r":(\w+)", r"(?P<\1>[^/]+)", path))

    def register(call: Callable[[Call], Any]) -> Callable[[Call], Any]:
        assert page in (call.__doc__ or ""), f"{call.__name__} does not cite {page}"
        ENDPOINTS.append(Endpoint(verb, pattern, page, call, params, job, role, made, paged))
        return call

    return register


class Double:
    """The server's state, and what it saw."""

    def __init__(self) -> None:
        from doubles.gitlab_state import Project

        self.tokens: dict[str, Token] = {}
        self.users: dict[int, str] = {}
        self.projects: dict[int, Project] = {}
        self.violations: list[str] = []
        self.seen: list[str] = []
        self.faults: list[Fault] = []
        self.environment_descriptions = True
        self.damage_uploads = False
        self.lock = threading.Lock()
        self.url = ""
        self.ids = iter(range(1001, 1_000_000))

    def requests(self, verb: str, part: str = "") -> list[str]:
        return [each for each in self.seen if each.startswith(f"{verb} ") and part in each]

    def fault(self, verb: str, target: str, *, late: bool) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.late == late and fault.verb == verb and fault.path in target:
                fault.times -= 1
                return fault
        return None

    def answer(self, verb: str, target: str, headers: Any, body: bytes) -> tuple[int, dict[str, str], Any]:
        """Answer one request. Raises Refusal."""
        path, query = urlsplit(target).path, dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
        found = [(each, match) for each in ENDPOINTS if (match := each.pattern.fullmatch(path))]
        here = [(each, match) for each, match in found if each.verb == verb]
        if not here:
            self.violations.append(f"no such endpoint: {verb} {path}")
            raise Refusal(405 if found else 404, {"error": "405 Not Allowed" if found else "404 Not Found"})
        spec, match = here[0]
        given, raw = self._read_parameters(spec, query, headers, body)
        parts = {name: unquote(value) for name, value in match.groupdict().items()}
        call = Call(self, self._token(spec, headers), parts, given, raw)
        self._authorize(spec, call)
        self._check(spec, call, f"{verb} {path}")
        result = spec.call(call)
        if spec.paged:
            return self._page(call, path, query, result)
        return spec.status, call.headers, result

    def _read_parameters(
        self, spec: Endpoint, query: dict[str, str], headers: Any, body: bytes
    ) -> tuple[dict[str, Any], bytes]:
        if spec.verb in ("POST", "PUT") and headers.get("Content-Type", "").startswith("application/json"):
            return query | (json.loads(body) if body else {}), b""
        return dict(query), body

    def _token(self, spec: Endpoint, headers: Any) -> Token:
        private = self.tokens.get(headers.get("PRIVATE-TOKEN", ""))
        job = self.tokens.get(headers.get("JOB-TOKEN", ""))
        token = private if private and not private.job else job if job and job.job and spec.job else None
        if token is None:
            raise Refusal(401, {"message": "401 Unauthorized"})
        if not token.job and spec.verb not in LEVELS and "api" not in token.scopes:
            raise Refusal(403, {"error": "insufficient_scope", "scope": "api"})
        if not token.job and not {"api", "read_api"} & set(token.scopes):
            raise Refusal(403, {"error": "insufficient_scope", "scope": "api read_api"})
        return token

    def _authorize(self, spec: Endpoint, call: Call) -> None:
        if "id" not in call.parts or "/projects/" not in spec.pattern.pattern[:20]:
            return
        wanted = call.parts["id"]
        found = [each for each in self.projects.values() if wanted in (str(each.id), each.path)]
        role = call.token.role(found[0].id) if found else 0
        if role < GUEST:
            raise Refusal(404, {"message": "404 Project Not Found"})
        if role < spec.role:
            raise Refusal(403, {"message": "403 Forbidden"})
        call.project = found[0]

    def _check(self, spec: Endpoint, call: Call, what: str) -> None:
        """Refuse missing and invalid parameters as the server does; keep undeclared ones as violations."""
        declared = spec.params | ({"page": Param(int), "per_page": Param(int)} if spec.paged else {})
        for name in call.given:
            if name not in declared:
                self.violations.append(f"{what}: {name} is not documented ({spec.page})")
        missing = [
            f"{name} is missing"
            for name, each in declared.items()
            if each.required and name not in call.given
        ]
        if missing:
            raise Refusal(400, {"error": ", ".join(missing)})
        for name, each in declared.items():
            value = call.given.get(name)
            if value is None:
                continue
            if each.values and value not in each.values:
                raise Refusal(400, {"error": f"{name} does not have a valid value"})
            if each.kind is int and not str(value).isdecimal():
                raise Refusal(400, {"error": f"{name} is invalid"})
            if each.kind is bool and str(value).lower() not in ("true", "false", "1", "0"):
                raise Refusal(400, {"error": f"{name} is invalid"})
            if each.kind is str and not isinstance(value, str):
                raise Refusal(400, {"error": f"{name} is invalid"})

    def _page(
        self, call: Call, path: str, query: dict[str, str], items: list[Any]
    ) -> tuple[int, dict[str, str], Any]:
        size = min(int(call.given.get("per_page", 20)), 100)
        page = int(call.given.get("page", 1))
        pages = max(1, -(-len(items) // size))
        headers = {
            "X-Page": str(page),
            "X-Per-Page": str(size),
            "X-Next-Page": str(page + 1) if page < pages else "",
            "X-Prev-Page": str(page - 1) if page > 1 else "",
            "X-Total": str(len(items)),
            "X-Total-Pages": str(pages),
        }
        if page < pages:
            following = urlencode(query | {"page": page + 1, "per_page": size})
            headers["Link"] = f'<{self.url}{path}?{following}>; rel="next"'
        return 200, headers, items[(page - 1) * size : page * size]


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
            status, headers, answer = self._respond(double, body)
        if status == 0:
            self.close_connection = True
            self.connection.close()
            return
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        kind = "application/octet-stream" if isinstance(answer, bytes) else "application/json"
        self.send_response(status)
        for name, value in {"Content-Type": kind, **headers, "Content-Length": str(len(raw))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def _respond(self, double: Double, body: bytes) -> tuple[int, dict[str, str], Any]:
        fault = double.fault(self.command, self.path, late=False)
        if fault:
            return fault.status, fault.headers, {"message": f"{fault.status} {fault.text}"}
        try:
            done = double.answer(self.command, self.path, self.headers, body)
        except Refusal as refusal:
            return refusal.status, {}, refusal.body
        fault = double.fault(self.command, self.path, late=True)
        return (fault.status, fault.headers, {"message": "lost"}) if fault else done

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    double: Double


@contextmanager
def serve() -> Iterator[Double]:
    """Run a double on a loopback port."""
    import doubles.gitlab_fleet
    import doubles.gitlab_project  # noqa: F401 -- registers endpoints, as the one above

    server = _Server(("127.0.0.1", 0), _Handler)
    server.double = Double()
    server.double.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
