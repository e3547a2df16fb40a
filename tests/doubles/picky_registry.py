"""A small registry in memory with habits of products that cannot be had here, and a proxy that refuses.

Where the habits were read: the referrers API refused with 406 (Artifactory: google/go-containerregistry issue
1962), or with 401 that asks for nothing (Harbor 2.7: goharbor/harbor issue 18305); pages of a size, or a
`last=`, that are refused or mean something else (distribution/distribution issue 4844, renovatebot/renovate
issue 15080); a tag that may not move, 412 (goharbor/harbor issue 17332), 400 in Amazon ECR's guide (image tag
mutability); manifests that are written anew (moby/buildkit issue 2963). The other statuses are what the
same servers could answer. CONNECT that is refused: RFC 9110, 9.3.6 and 15.5.8.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

S = TypeVar("S", bound=ThreadingHTTPServer)
_DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
_TARGET = re.compile(r"/v2/(.+?)/(manifests|blobs|tags|referrers)/(.*)")


@dataclass
class Habits:
    """What the registry does otherwise than the specification says; 0 and empty: nothing.

    `referrers` and `last` are statuses, `last` may be "empty"; `immutable` is 412 or 400; `users` are those
    that may use a repository, by the first part of its name.
    """

    referrers: int = 404
    last: int | str = 0
    immutable: int = 0
    converts: bool = False
    page: bytes = b""
    users: dict[str, str] = field(default_factory=dict)


class PickyRegistry(ThreadingHTTPServer):
    """The registry: `address` is host and port."""

    daemon_threads = True

    def __init__(self, habits: Habits) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.habits = habits
        self.address = f"127.0.0.1:{self.server_port}"
        self.content: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PickyRegistry

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        target = _TARGET.fullmatch(url.path)
        if not target:
            return self._answer(404)
        repository, kind, reference = target.groups()
        if self.server.habits.users and not self._is_allowed(repository):
            return None
        asked = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        if kind == "blobs" and reference.startswith("uploads/"):
            return self._upload(repository, asked, body)
        if kind == "referrers":
            return self._refuse(self.server.habits.referrers, "UNSUPPORTED")
        if kind == "tags":
            return self._list(asked)
        return self._put(reference, body) if self.command == "PUT" else self._get(reference)

    do_GET = do_HEAD = do_POST = do_PUT = _any  # noqa: N815

    def _is_allowed(self, repository: str) -> bool:
        scheme, _, pair = (self.headers.get("Authorization") or "").partition(" ")
        if scheme != "Basic":
            self._answer(401, **{"WWW-Authenticate": 'Basic realm="x"'})
            return False
        user = base64.b64decode(pair).decode().partition(":")[0]
        if self.server.habits.users.get(repository.partition("/")[0]) == user:
            return True
        self._refuse(403, "DENIED", f"user {user}")
        return False

    def _upload(self, repository: str, asked: dict[str, str], body: bytes) -> None:
        if self.command == "POST":
            return self._answer(202, Location=f"/v2/{repository}/blobs/uploads/1")
        self.server.content[asked["digest"]] = body
        return self._answer(201, Location=f"/v2/{repository}/blobs/{asked['digest']}")

    def _list(self, asked: dict[str, str]) -> None:
        habits, last = self.server.habits, asked.get("last", "")
        if habits.page:
            return self._answer(200, habits.page, **{"Content-Type": "text/html"})
        tags = sorted(tag for tag in self.server.tags if tag > last)
        if last and last not in self.server.tags and habits.last:
            if habits.last != "empty":
                return self._refuse(int(habits.last), "PAGINATION_NUMBER_INVALID")
            tags = []
        return self._answer(200, json.dumps({"tags": tags}).encode())

    def _put(self, reference: str, body: bytes) -> None:
        habits = self.server.habits
        if habits.converts:
            fields: dict[str, Any] = json.loads(body)
            body = json.dumps(fields | {"mediaType": _DOCKER}).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        before = self.server.tags.get(reference, "")
        if habits.immutable and before:
            if habits.immutable == 400:
                return self._refuse(400, "TAG_INVALID", f"The image tag '{reference}' already exists")
            return self._refuse(habits.immutable, "PRECONDITION", f"'{reference}' configured as immutable")
        self.server.content[digest] = body
        if ":" not in reference:
            self.server.tags[reference] = digest
        return self._answer(201, **{"Docker-Content-Digest": digest})

    def _get(self, reference: str) -> None:
        found = self.server.content.get(self.server.tags.get(reference, reference))
        if found is None:
            return self._refuse(404, "MANIFEST_UNKNOWN")
        return self._answer(200, found)

    def _refuse(self, status: int, code: str, message: str = "") -> None:
        self._answer(status, json.dumps({"errors": [{"code": code, "message": message}]}).encode())

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Proxy(BaseHTTPRequestHandler):
    """Answers every request, and every CONNECT, with one status and a page."""

    status, page = 407, b""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _any(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(self.page)))
        self.end_headers()
        self.wfile.write(self.page)

    do_GET = do_HEAD = do_PUT = do_POST = do_CONNECT = _any  # noqa: N815


@contextmanager
def serve_picky(habits: Habits) -> Iterator[PickyRegistry]:
    """Run the registry while the body runs."""
    with _serve(PickyRegistry(habits)) as server:
        yield server


@contextmanager
def serve_proxy(status: int, page: bytes = b"") -> Iterator[str]:
    """Run the proxy while the body runs; return its URL."""
    handler = type("_Handler", (_Proxy,), {"status": status, "page": page})
    with _serve(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@contextmanager
def _serve(server: S) -> Iterator[S]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
