"""A proxy in front of a real registry that fails on demand, and records its requests.

`gitlab` makes it behave as GitLab's registry does: no referrers API, and the tag `sha256-<hex>` refers to
the manifest of that digest itself (oras-project/oras-go issue 1396). `token` puts a token server before it
(distribution, docs/spec/auth/token.md).
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import secrets
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_STANDARD_TAG = re.compile(r"(/v2/.+/manifests/)sha256-([0-9a-f]{64})$")


@dataclass
class Rule:
    """What happens to the next `times` requests of a method whose path matches.

    `fault` is a status ("503"), or: reset (no answer), drop (forwarded, then no answer), half (half of the
    body sent on, then no answer), truncate (half of the answer), lie (wrong bytes of the right length),
    slow (`pause` seconds, then no answer), norange
    (forwarded without Range), redirect (to `headers`' Location).
    """

    method: str
    path: str
    fault: str
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    pause: float = 0.0


@dataclass(frozen=True)
class Request:
    """One request, and the status of its answer (0: none)."""

    method: str
    path: str
    headers: dict[str, str]
    size: int
    status: int
    fault: str

    def __str__(self) -> str:
        return f"{self.method} {self.path} ({self.size} bytes) -> {self.fault or self.status}"


class FaultyRegistry(ThreadingHTTPServer):
    """The proxy. `address` is host and port, `asked` the requests so far, `rules` what fails next."""

    daemon_threads = True

    def __init__(self, upstream: str, *, gitlab: bool = False, token: dict[str, str] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.gitlab = gitlab
        self.users = token
        self.address = f"127.0.0.1:{self.server_port}"
        self.rules: list[Rule] = []
        self.asked: list[Request] = []
        self.good_tokens: set[str] = set()
        self.lock = threading.Lock()

    def fail(self, method: str, path: str, fault: str | int, times: int = 1, **more: object) -> None:
        """Add a rule."""
        self.rules.append(Rule(method, path, str(fault), times, **more))

    def take_rule(self, method: str, path: str) -> Rule | None:
        """Return the rule for a request, one use of it spent."""
        with self.lock:
            for rule in self.rules:
                if rule.times and rule.method == method and re.search(rule.path, path):
                    rule.times -= 1
                    return rule
        return None

    def count(self, method: str, path: str = "") -> int:
        """Count requests."""
        return sum(each.method == method and bool(re.search(path, each.path)) for each in self.asked)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore broken connections: they are the purpose of this proxy."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyRegistry

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def setup(self) -> None:
        super().setup()
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _any(self) -> None:
        rule = self.server.take_rule(self.command, self.path)
        length = int(self.headers.get("Content-Length") or 0)
        if rule and rule.fault == "reset":
            self._note(length, 0, rule.fault)
            self._cut()
            return
        body = self.rfile.read(length)
        fault = rule.fault if rule else ""
        if rule and fault == "slow":
            self._note(length, 0, fault)
            time.sleep(rule.pause)
            self._cut()
        elif rule and (fault.isdigit() or fault == "redirect"):
            self._answer(int(fault) if fault.isdigit() else 307, rule.headers, rule.body, body, fault)
        elif self.server.users is not None and not self._authorize(body):
            pass
        elif fault == "half":
            self._forward_half(body)
        else:
            self._forward(body, fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815

    def _forward(self, body: bytes, fault: str) -> None:
        path = self.path
        if self.server.gitlab:
            if "/referrers/" in path:
                self._answer(404, {}, b"404 page not found\n", body, "")
                return
            # GitLab's registry takes such a tag for the digest, when it reads.
            if self.command in {"GET", "HEAD"}:
                path = _STANDARD_TAG.sub(r"\1sha256:\2", path)
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        skip = {"host", "connection", "transfer-encoding", "content-length"}
        skip |= {"range"} if fault == "norange" else set()
        sent = {name: value for name, value in self.headers.items() if name.lower() not in skip}
        if self.server.users is not None:
            sent = {name: value for name, value in sent.items() if name.lower() != "authorization"}
        upstream.request(self.command, path, body=body or None, headers={**sent, "Host": self.server.address})
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in skip | {"date"}}
        if fault == "drop":
            self._note(len(body), 0, fault)
            self._cut()
        elif fault == "truncate":
            self._note(len(body), answer.status, fault)
            self._head(answer.status, headers, len(content))
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        else:
            if fault == "lie":
                content = bytes(byte ^ 1 for byte in content)
            length = answer.getheader("Content-Length", "0") if self.command == "HEAD" else ""
            self._answer(answer.status, headers, content, body, fault, length)

    def _forward_half(self, body: bytes) -> None:
        """Send half of the body on and break off, on both sides."""
        self._note(len(body), 0, "half")
        host, _, port = self.server.upstream.partition(":")
        with socket.create_connection((host, int(port))) as upstream:
            lines = [f"{self.command} {self.path} HTTP/1.1", f"Host: {self.server.address}"]
            lines += [f"{name}: {value}" for name, value in self.headers.items() if name.lower() != "host"]
            upstream.sendall("\r\n".join([*lines, "", ""]).encode() + body[: len(body) // 2])
            time.sleep(0.3)
        self._cut()

    def _authorize(self, body: bytes) -> bool:
        """Act as the token server, and refuse requests without one of its tokens."""
        if urlsplit(self.path).path == "/token":
            given = self._token(body)
            status = 200 if given else 401
            self._answer(status, {}, json.dumps({"token": given} if given else {}).encode(), body, "")
            return False
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        if scheme == "Bearer" and token in self.server.good_tokens:
            return True
        realm = f'Bearer realm="http://{self.server.address}/token",service="test,registry",scope="x"'
        self._answer(401, {"WWW-Authenticate": realm}, b"", body, "")
        return False

    def _token(self, body: bytes) -> str:
        users = self.server.users or {}
        asked = parse_qs(body.decode() if self.command == "POST" else urlsplit(self.path).query)
        scope = asked.get("scope", [""])[0]
        assert re.fullmatch(r"repository:[a-z0-9/._-]+:pull,push", scope), scope
        assert asked["service"] == ["test,registry"]
        scheme, _, pair = (self.headers.get("Authorization") or "").partition(" ")
        user, _, password = (
            base64.b64decode(pair).decode().partition(":") if scheme == "Basic" else ("", "", "")
        )
        if self.command == "POST":
            assert asked["grant_type"] == ["refresh_token"]
            user, password = "<token>", asked["refresh_token"][0]
        if not password or users.get(user) != password:
            return ""
        token = secrets.token_hex(16)
        self.server.good_tokens.add(token)
        return token

    def _answer(
        self, status: int, headers: dict[str, str], content: bytes, body: bytes, fault: str, length: str = ""
    ) -> None:
        self._note(len(body), status, fault)
        self._head(status, headers, int(length or len(content)))
        if self.command != "HEAD":
            self.wfile.write(content)

    def _head(self, status: int, headers: dict[str, str], length: int) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in {204, 304}:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _note(self, size: int, status: int, fault: str) -> None:
        with self.server.lock:
            self.server.asked.append(
                Request(self.command, self.path, dict(self.headers.items()), size, status, fault)
            )

    def _cut(self) -> None:
        """Close the connection with a reset."""
        self.close_connection = True
        self.wfile.flush()
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.request.close()


@contextmanager
def serve_faulty(
    upstream: str, *, gitlab: bool = False, token: dict[str, str] | None = None
) -> Iterator[FaultyRegistry]:
    """Run a proxy in front of the registry at `upstream` (host and port) while the body runs."""
    server = FaultyRegistry(upstream, gitlab=gitlab, token=token)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
