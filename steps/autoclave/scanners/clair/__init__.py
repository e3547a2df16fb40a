"""Clair v4, a server: it is given an image's layers, indexes them, and says what affects its packages.

Read in Clair's openapi.yaml and httptransport/ (4.7): POST /indexer/api/v1/index_report, GET that report
until it is finished, GET /matcher/api/v1/vulnerability_report/DIGEST. A matcher that never ran its updaters
answers 202; one whose updaters found nothing reports every image as clean, which is why their runs are
looked at first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from autoclave.errors import DatabaseError, ScannerError
from autoclave.model.digest import digest_of
from autoclave.model.facts import Database, Kind, ScanFacts
from autoclave.runtime.retry import BUSY, Retry
from autoclave.scanners import images
from autoclave.scanners.base import Report, ReportKind, Scan, Setup, Versions
from autoclave.scanners.clair import layers, report
from autoclave.scanners.clair.form import IndexReport, IndexState, UpdateOperation, VulnerabilityReport
from autoclave.scanners.reports import FILES
from autoclave.store.registry.http import Answer, Broken, Wire

T = TypeVar("T")

_LARGEST = 256 * 1024 * 1024  # bytes of an answer
_LONGEST = 1800.0  # seconds
_PAUSE = 2.0
_FINISHED, _FAILED = "IndexFinished", "IndexError"
# Sources of which a Clair as it is delivered has an updater, by the beginning of the updaters' names.
_FULL = {
    "alpine-": "Alpine", "debian/updater": "Debian", "osv/": "OSV", "rhel-": "Red Hat",
    "ubuntu/updater": "Ubuntu",
}  # fmt: skip
_UPDATES = "/matcher/api/v1/internal/update_operation?latest=true"
_NEXT = f"let its updaters run to their end, then scan again; GET {_UPDATES} lists them"


class Clair:
    """The scanner interface on a Clair server. `server` is its address, without a path."""

    name = "clair"
    command = ("clair", "index", "IMAGE")

    def __init__(self, server: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._server = server.rstrip("/")
        self._wire = Wire(None)
        self._sleep = sleep

    def versions(self) -> Versions:
        """Return what would scan: the indexer's state, and the runs of the updaters as a database."""
        _check_address(self._server)
        state = self._get("/indexer/api/v1/index_state", IndexState).state
        return Versions(version=f"4 ({state[:12]})", database=self._read_database()[0])

    def scan(self, image: str, folder: Path) -> Scan:
        """Let the server index an image and match it.

        Raises ScannerError when it does not, DatabaseError when it has nothing to match with, or that changed
        meanwhile, StoreError when the image is missing.
        """
        layout, digest = images.split(image)
        blobs = images.list_layers(layout, digest)
        versions = self.versions()
        started = datetime.now(UTC)
        with layers.serve(layout, frozenset(blobs), self._server) as address:
            index = self._index(digest, blobs, address)
        raw = self._match(digest)
        found = _decode(raw, VulnerabilityReport, "a vulnerability report")
        finished = datetime.now(UTC)
        used, updaters = self._read_database()
        if used.digest != versions.database.digest:
            raise DatabaseError("Clair's advisories changed during the scan", next="scan again")
        report.check(found, index, digest)
        path = folder / FILES[ReportKind.RAW]
        path.write_bytes(raw)
        facts = ScanFacts(
            scanner=self.name,
            scanner_version=versions.version,
            database=used,
            started=started,
            finished=finished,
            ecosystems=tuple(report.list_ecosystems(found, updaters, used)),
            findings=report.list_findings(found),
            kinds=(Kind.VULNERABILITY,),
        )
        return Scan(
            facts=facts,
            reports=(Report(kind=ReportKind.RAW, path=path, media_type="application/json"),),
        )

    def _read_database(self) -> tuple[Database, frozenset[str]]:
        """Return the runs of the updaters as a database, and their names; DatabaseError without any."""
        runs = self._get(_UPDATES, dict[str, list[UpdateOperation]])
        newest = {name: max(each, key=lambda run: run.date) for name, each in runs.items() if each}
        if not newest:
            raise DatabaseError(
                "Clair has no advisories",
                why="none of its updaters has run, so every image would look clean",
                next=_NEXT,
            )
        few = [
            title
            for start, title in _FULL.items()
            if not any(name.lower().startswith(start) for name in newest)
        ]
        lacks = f"no updater has run for {', '.join(few)}" if few else ""
        refs = "\n".join(f"{name} {run.ref}" for name, run in sorted(newest.items()))
        database = Database(
            updated=max(run.date for run in newest.values()),
            digest=digest_of(refs.encode()),
            complete=not lacks,
            lacks=lacks,
        )
        return database, frozenset(newest)

    def _index(self, digest: str, blobs: tuple[str, ...], address: str) -> IndexReport:
        """Have an image indexed, wait until that is finished, and return the result."""
        manifest = {
            "hash": digest,
            "layers": [{"hash": each, "uri": f"{address}/{each}", "headers": {}} for each in blobs],
        }
        answer = self._send("POST", "/indexer/api/v1/index_report", msgspec.json.encode(manifest))
        if answer.status not in {200, 201, 202}:
            raise _explain(answer, "did not index the image")
        index = _decode(answer.body, IndexReport, "an index report")
        end = time.monotonic() + _LONGEST
        while index.state not in {_FINISHED, _FAILED}:
            if time.monotonic() > end:
                raise ScannerError(
                    f"Clair did not finish within {_LONGEST:.0f} s", why=f"its state is {index.state[:50]}"
                )
            self._sleep(_PAUSE)
            index = self._get(f"/indexer/api/v1/index_report/{digest}", IndexReport)
        if index.state != _FINISHED or not index.success:
            raise ScannerError(
                "Clair could not index the image",
                why=index.err[:500] or f"its state is {index.state}",
                next="check that the server reaches this machine, and its log",
            )
        if index.manifest_hash != digest:
            raise ScannerError("Clair indexed another image", why=f"it names {index.manifest_hash[:100]}")
        return index

    def _match(self, digest: str) -> bytes:
        """Return the vulnerability report of an indexed image; wait while the matcher is being made ready."""
        end = time.monotonic() + _LONGEST
        while True:
            answer = self._send("GET", f"/matcher/api/v1/vulnerability_report/{digest}")
            if answer.status in {200, 201}:
                return answer.body
            if answer.status != 202:
                raise _explain(answer, "did not report on the image")
            if time.monotonic() > end:
                raise DatabaseError(
                    "Clair has no advisories yet", why="its matcher is not initialised (202)", next=_NEXT
                )
            self._sleep(_PAUSE)

    def _get(self, path: str, kind: type[T]) -> T:
        answer = self._send("GET", path)
        if answer.status != 200:
            raise _explain(answer, f"does not answer GET {path}")
        return _decode(answer.body, kind, path)

    def _send(self, method: str, path: str, body: bytes = b"") -> Answer:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}

        def attempt() -> Answer:
            return self._wire.send(method, self._server + path, headers=headers, body=body).read(_LARGEST)

        def retry_after(outcome: Answer | Exception) -> str | None:
            if isinstance(outcome, Answer):
                return outcome.headers.get("Retry-After", "") if outcome.status in BUSY else None
            return "" if isinstance(outcome, Broken) and not outcome.final else None

        try:
            return Retry(self._sleep)(attempt, retry_after)
        except Broken as error:
            raise ScannerError(
                "Clair does not answer",
                why=f"{self._server}: {error.why}",
                next="check --scanner-command clair=URL",
            ) from error


def create(setup: Setup) -> Clair:
    """Return the scanner."""
    return Clair(setup.command)


def _check_address(server: str) -> None:
    parts = urlsplit(server)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.path.strip("/"):
        raise ScannerError(
            "the scanner clair needs the address of its server",
            why="it is not http(s)://HOST[:PORT]",
            next="name it: --scanner-command clair=https://clair.example:6060",
        )


def _explain(answer: Answer, what: str) -> ScannerError:
    said = answer.body[:300].decode("utf-8", "replace").strip()
    return ScannerError(
        f"Clair {what}", why=f"HTTP {answer.status} {said}".strip(), next="see the server's log"
    )


def _decode(raw: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ScannerError(
            f"what Clair answers is not {what}", why=str(error), next="see the server's log"
        ) from error
