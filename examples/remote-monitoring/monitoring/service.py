"""The HTTP interface: gateways post Observations, the hospital's records ask for them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from monitoring import observation
from monitoring.storage import UNAVAILABLE, Conflict, Storage

MOST_BYTES = 16 * 1024
MOST_PER_PAGE = 1000
_SECONDS = 10  # until a gateway must have sent its request

log = logging.getLogger("monitoring")  # carries no patient data: neither ids nor values nor queries


class Problem(Exception):
    """A request that we refuse: HTTP status and a text without patient data."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def server(storage: Storage, now: Callable[[], datetime], *, port: int) -> ThreadingHTTPServer:
    """Return the server on its storage and its clock, ready to serve."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _SECONDS
        server_version, sys_version = "remote-monitoring", ""

        def do_GET(self) -> None:
            self._answered(lambda: _asked(storage, self.path))

        def do_POST(self) -> None:
            self._answered(lambda: _received(storage, self.path, self._body(), now()))

        def _body(self) -> bytes:
            length = self.headers.get("Content-Length", "")
            if not length.isascii() or not length.isdigit():
                raise Problem(411, "Content-Length is missing")
            if len(length) > 9 or int(length) > MOST_BYTES:
                raise Problem(413, f"the body has more than {MOST_BYTES} bytes")
            return self.rfile.read(int(length))

        def _answered(self, answer: Callable[[], tuple[int, dict[str, Any]]]) -> None:
            try:
                status, body = answer()
            except Problem as error:
                status, body = error.status, observation.outcome(str(error))
            except UNAVAILABLE as error:
                # An exception's text may quote a value; its type may not.
                log.error("the database does not answer: %s", type(error).__name__)  # noqa: TRY400
                status, body = 503, observation.outcome("the database does not answer")
            except Exception as error:
                log.error("request failed: %s", type(error).__name__)  # noqa: TRY400
                status, body = 500, observation.outcome("internal error")
            raw = json.dumps(body).encode()
            self.close_connection = True  # a body that was refused unread must not be read as a request
            self.send_response(status)
            self.send_header("Content-Type", observation.MEDIA_TYPE)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Log nothing: the request line may contain a patient's id."""

    made = ThreadingHTTPServer(("", port), Handler)
    made.daemon_threads = True
    return made


def _received(storage: Storage, path: str, body: bytes, now: datetime) -> tuple[int, dict[str, Any]]:
    if path != "/fhir/Observation":
        raise Problem(404, "no such resource")
    try:
        given = observation.parse(body, now)
        key, new = storage.add(given)
    except observation.Refused as error:
        raise Problem(422, str(error)) from error
    except Conflict as error:
        raise Problem(409, str(error)) from error
    log.info("observation %s", "stored" if new else "repeated")
    return (201 if new else 200), {"resourceType": "Observation", "id": key}


def _asked(storage: Storage, target: str) -> tuple[int, dict[str, Any]]:
    parts = urlsplit(target)
    if parts.path == "/health":
        storage.check()
        return 200, {"status": "ok"}
    if parts.path == "/fhir/Observation":
        return 200, _found(storage, parts.query)
    if parts.path.startswith("/fhir/Observation/"):
        try:
            stored = storage.get(UUID(parts.path.removeprefix("/fhir/Observation/")))
        except ValueError:
            stored = None
        if stored:
            return 200, observation.resource(stored)
    raise Problem(404, "no such resource")


def _found(storage: Storage, query: str) -> dict[str, Any]:
    given = parse_qs(query, keep_blank_values=True, max_num_fields=10)
    # A search that ignores unknown parameters returns more than was asked for, which is read as data.
    if given.keys() - {"patient", "code", "_count"} or any(len(values) > 1 for values in given.values()):
        raise Problem(400, "known are patient, code and _count, each once")
    patient = given.get("patient", [""])[0].removeprefix("Patient/")
    if not patient:
        raise Problem(400, "patient is required")
    code = given.get("code", [""])[0].removeprefix(f"{observation.LOINC}|")
    codes = [each for each in observation.MEASUREMENTS if code in {"", each}]
    count = given.get("_count", ["100"])[0]
    if not count.isascii() or not count.isdigit() or len(count) > 4 or int(count) > MOST_PER_PAGE:
        raise Problem(400, f"_count: expected a whole number up to {MOST_PER_PAGE}")
    return observation.bundle(*storage.search(patient, codes, int(count)))
