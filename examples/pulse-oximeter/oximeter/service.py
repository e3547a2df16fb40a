"""The HTTP interface: devices post readings, clinicians see alarms, records read FHIR."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from oximeter import fhir, page
from oximeter.limits import Limits
from oximeter.reading import NotJSON, Refused, parse
from oximeter.storage import Conflict, Storage

MOST_BYTES = 4096
MOST_PER_PAGE = 1000
MOST_PATIENTS = 50  # on the page for staff
ISSUES = {400: "invalid", 404: "not-found", 409: "conflict", 413: "too-long", 422: "value"}
_USER = re.compile(r"[A-Za-z0-9._@-]{1,64}")

log = logging.getLogger("oximeter")  # carries no patient data: neither ids nor values nor query strings


class Problem(Exception):
    """A request that we refuse: HTTP status and a text without patient data."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def create(storage: Storage, limits: Limits, now: Callable[[], datetime]) -> Flask:
    """Build the application on its storage, its alarm limits and its clock."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    _errors(app)
    _devices(app, storage, limits, now)
    _alarms(app, storage, now)
    _page(app, storage, now)
    _records(app, storage)
    return app


def _errors(app: Flask) -> None:
    @app.errorhandler(Problem)
    def problem(error: Problem) -> Response:
        return _failure(error.status, error.text)

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        return _failure(error.code or 500, error.name)

    @app.errorhandler(Exception)
    def defect(error: Exception) -> Response:
        # An exception's text may quote a value; its type may not.
        log.error("request failed: %s", type(error).__name__)
        return _failure(500, "Internal Server Error")


def _devices(app: Flask, storage: Storage, limits: Limits, now: Callable[[], datetime]) -> None:
    @app.post("/readings")
    def receive() -> Response:
        if request.mimetype != "application/json":
            raise Problem(415, "send application/json")
        try:
            reading = parse(request.get_data(), now())
            judged = limits.judge(reading)
            observations, new = storage.add(reading, judged, now())
        except NotJSON as error:
            raise Problem(400, str(error)) from error
        except Refused as error:
            raise Problem(422, str(error)) from error
        except Conflict as error:
            raise Problem(409, str(error)) from error
        log.info("reading %s, alarms due: %d", "stored" if new else "repeated", len(judged.alarms))
        return _json(
            {"observations": observations, "alarms": [a.kind for a in judged.alarms]}, 201 if new else 200
        )

    @app.get("/health")
    def health() -> Response:
        storage.open_alarms()  # fails when the volume is lost
        return _json({"status": "ok"})


def _alarms(app: Flask, storage: Storage, now: Callable[[], datetime]) -> None:
    @app.get("/alarms")
    def active() -> Response:
        return _json({"alarms": [asdict(alarm) for alarm in storage.open_alarms()]})

    @app.post("/alarms/<key>/acknowledgement")
    def acknowledge(key: str) -> Response:
        user = request.headers.get("X-User", "")
        if not _USER.fullmatch(user):
            raise Problem(400, "X-User must name who acknowledges the alarm")
        if not storage.acknowledge(key, user, now()):
            raise Problem(404, "no such open alarm")
        log.info("alarm %s acknowledged", key)
        return Response(status=204)


def _page(app: Flask, storage: Storage, now: Callable[[], datetime]) -> None:
    @app.get("/")
    def show() -> Response:
        text = page.write(now(), storage.open_alarms(), storage.latest(MOST_PATIENTS))
        return Response(text, headers=page.HEADERS, mimetype="text/html")


def _records(app: Flask, storage: Storage) -> None:
    @app.get("/fhir/Observation/<key>")
    def read(key: str) -> Response:
        if not (row := storage.observation(key)):
            raise Problem(404, "no such Observation")
        return _json(fhir.observation(row), mimetype=fhir.MEDIA_TYPE)

    @app.get("/fhir/Observation")
    def search() -> Response:
        given = _parameters({"patient", "code", "_count", "_offset"})
        if not (patient := given.get("patient", "").removeprefix("Patient/")):
            raise Problem(400, "patient is required")
        wanted = fhir.codes(given["code"]) if "code" in given else list(fhir.MEASUREMENTS)
        count = _whole(given, "_count", 100, MOST_PER_PAGE)
        offset = _whole(given, "_offset", 0, 10**9)
        total, rows = storage.search(patient, wanted, count, offset)
        links = {"self": request.url}
        if count and offset + count < total:
            following = {**given, "_count": str(count), "_offset": str(offset + count)}
            links["next"] = f"{request.base_url}?{urlencode(following)}"
        page = fhir.bundle(f"{request.url_root}fhir", total, rows, links)
        return _json(page, mimetype=fhir.MEDIA_TYPE)


def _parameters(known: set[str]) -> dict[str, str]:
    # A search that ignores unknown parameters returns more than was asked for, which is read as data.
    if unknown := request.args.keys() - known:
        raise Problem(400, f"{len(unknown)} unknown parameter(s); known: {', '.join(sorted(known))}")
    if any(len(values) > 1 for values in request.args.listvalues()):
        raise Problem(400, "a parameter appears twice")
    return dict(request.args.items())


def _whole(given: dict[str, str], name: str, default: int, most: int) -> int:
    text = given.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) > most:
        raise Problem(400, f"{name}: expected a whole number up to {most}")
    return int(text)


def _failure(status: int, text: str) -> Response:
    issue = ISSUES.get(status, "exception" if status >= 500 else "processing")
    return _json(fhir.outcome(issue, text), status, fhir.MEDIA_TYPE)


def _json(value: dict[str, Any], status: int = 200, mimetype: str = "application/json") -> Response:
    return Response(json.dumps(value), status, mimetype=mimetype)
