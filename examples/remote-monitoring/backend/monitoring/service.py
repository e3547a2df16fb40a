"""The HTTP side: four paths, JSON in and out, a log without patient data."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from monitoring import observation
from monitoring.storage import Storage, Unavailable

LARGEST = 16_384  # bytes of a request's body
_PATH = "/fhir/Observation"
_MOST = 1000  # Observations in one answer
_WAIT = 10  # seconds for a client to send what it announced

log = logging.getLogger("monitoring")


class Answer(Exception):
    """What the client gets instead of what it asked for."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


def server(storage: Storage, now: Callable[[], datetime], address: tuple[str, int]) -> ThreadingHTTPServer:
    """Return the server, bound to its address."""
    # A class of its own: the standard library makes a handler for each request.
    return ThreadingHTTPServer(address, type("Bound", (_Handler,), {"storage": storage, "now": staticmethod(now)}))


class _Handler(BaseHTTPRequestHandler):
    storage: Storage
    now: Callable[[], datetime]
    timeout = _WAIT
    server_version = "remote-monitoring"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the standard library would log the query, which names a patient."""

    def _get(self) -> tuple[HTTPStatus, dict[str, Any]]:
        parts = urlsplit(self.path)
        if parts.path == "/health":
            self.storage.check()
            return HTTPStatus.OK, {"status": "ok"}
        if parts.path == _PATH:
            return HTTPStatus.OK, self._search(parse_qs(parts.query))
        if parts.path.startswith(f"{_PATH}/"):
            row = self.storage.one(parts.path.removeprefix(f"{_PATH}/"))
            if row:
                return HTTPStatus.OK, observation.written(row)
        raise Answer(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _search(self, query: dict[str, list[str]]) -> dict[str, Any]:
        patients, codes = query.get("patient", []), query.get("code", [None])
        count = query.get("_count", ["100"])[0]
        if len(patients) != 1 or len(codes) != 1 or not count.isdecimal() or set(query) - {"patient", "code", "_count"}:
            raise Answer(HTTPStatus.BAD_REQUEST, "give one patient, at most one code, and _count")
        patient, code = patients[0].removeprefix("Patient/"), codes[0]
        code = code.removeprefix(f"{observation.LOINC}|") if code else None
        total, rows = self.storage.of(patient, code, min(int(count), _MOST))
        return {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": total,
            "entry": [{"resource": observation.written(row)} for row in rows],
        }

    def _post(self) -> tuple[HTTPStatus, dict[str, Any]]:
        if self.path != _PATH:
            raise Answer(HTTPStatus.NOT_FOUND, "there is nothing here")
        try:
            body = json.loads(self._body(), parse_float=Decimal, parse_constant=_no_number)
            seen = observation.read(body, self.now())
        except (observation.Refused, ValueError, RecursionError) as error:
            why = str(error) if isinstance(error, observation.Refused) else "the body is not JSON"
            raise Answer(HTTPStatus.UNPROCESSABLE_ENTITY, why) from error
        identifier, new = self.storage.store(seen)
        return (HTTPStatus.CREATED if new else HTTPStatus.OK), {"resourceType": "Observation", "id": identifier}

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise Answer(HTTPStatus.LENGTH_REQUIRED, "the length of the body is not given")
        if int(length) > LARGEST:
            raise Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {LARGEST} bytes")
        return self.rfile.read(int(length))

    def _answer(self, made: Callable[[], tuple[HTTPStatus, dict[str, Any]]]) -> None:
        try:
            status, body = made()
        except Answer as answer:
            status, body = answer.status, _outcome(str(answer))
        except Unavailable as error:
            log.warning("the database: %s", error)
            status, body = HTTPStatus.SERVICE_UNAVAILABLE, _outcome("the database does not answer")
        log.info("%s %s", self.command, int(status))
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", observation.MEDIA_TYPE)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


def _no_number(_: str) -> None:
    raise ValueError("NaN and Infinity are no numbers")


def _outcome(text: str) -> dict[str, Any]:
    issue = {"severity": "error", "code": "processing", "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}
