"""A double of Clair v4, which no package registry has: indexer and matcher over HTTP, as a client sees them.

Behaviour read in quay/clair: openapi.yaml (bodies), httptransport/indexer_v1.go (201 with the report, 400
for a bogus manifest, 404 without an index), httptransport/matcher_v1.go (202 before the first update, 404
without an index, update_operation by updater); layers are fetched from their uri and verified by their
hash, as claircore's fetcher does. What it finds are rows of real advisories, by the names of packages.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OPERATIONS = {
    "debian/updater": [{"ref": "b5c6a7f4-0000-4000-8000-000000000001", "updater": "debian/updater",
                        "fingerprint": "x", "date": "2026-11-24T09:00:00Z", "kind": "vulnerability"}],
    "osv/pypi": [{"ref": "b5c6a7f4-0000-4000-8000-000000000002", "updater": "osv/pypi", "fingerprint": "y",
                  "date": "2026-11-24T08:00:00Z", "kind": "vulnerability"}],
}  # fmt: skip
ZLIB = {
    "id": "356835", "updater": "debian/updater", "name": "CVE-2022-37434", "severity": "not yet assigned",
    "description": "zlib: heap-based buffer over-read in inflate", "issued": "2022-08-05T00:00:00Z",
    "links": "https://security-tracker.debian.org/tracker/CVE-2022-37434", "normalized_severity": "Critical",
    "package": {"name": "zlib"}, "fixed_in_version": "1:1.2.13.dfsg-2",
}  # fmt: skip
JINJA = {
    "id": "77", "updater": "osv/pypi", "name": "GHSA-462w-v97r-4m45", "severity": "HIGH", "issued": None,
    "description": "Jinja2 sandbox escape via string formatting", "normalized_severity": "High",
    "links": "https://nvd.nist.gov/vuln/detail/CVE-2019-10906 https://github.com/pallets/jinja",
    "fixed_in_version": "fixed=2.10.1",
}  # fmt: skip
CVSS = {"version": "3.1", "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "baseScore": 9.8}


@dataclass
class ClairDouble:
    """The server's state: the runs of its updaters, and after how many questions it is ready."""

    operations: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: dict(OPERATIONS))
    initialised_after: int = 0
    indexed_after: int = 0
    change: Any = None
    indexed: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def index(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Fetch the layers, verify them, and list the packages."""
        report = {
            "manifest_hash": manifest["hash"],
            "state": "IndexFinished",
            "success": True,
            "err": "",
            "packages": {},
        }
        for layer in manifest["layers"]:
            with urllib.request.urlopen(layer["uri"], timeout=10) as answer:
                raw = answer.read()
            if "sha256:" + hashlib.sha256(raw).hexdigest() != layer["hash"]:
                return report | {"state": "IndexError", "success": False, "err": "layer has another digest"}
            report["packages"] |= _find_packages(raw)
        self.indexed[manifest["hash"]] = report
        return report

    def match(self, digest: str) -> dict[str, Any]:
        """Return the vulnerability report of an indexed image."""
        packages = self.indexed[digest]["packages"]
        known = {"zlib1g": ZLIB, "Jinja2": JINJA} if self.operations else {}
        found = {key: [known[one["name"]]["id"]] for key, one in packages.items() if one["name"] in known}
        return {
            "manifest_hash": digest,
            "packages": packages,
            "distributions": {
                "1": {"id": "1", "did": "debian", "name": "Debian GNU/Linux", "version_id": "12"}
            },
            "repository": {"9": {"id": "9", "name": "pypi", "uri": "https://pypi.org/simple"}},
            "environments": {
                key: [
                    {"package_db": "python:opt/venv", "distribution_id": "", "repository_ids": ["9"]}
                    if one["name"] == "Jinja2"
                    else {"package_db": "var/lib/dpkg/status", "distribution_id": "1", "repository_ids": None}
                ]
                for key, one in packages.items()
            },
            "vulnerabilities": {each["id"]: each for each in known.values()},
            "package_vulnerabilities": found,
            "enrichments": {"message/vnd.clair.map.vulnerability; enricher=clair.cvss": [{"356835": [CVSS]}]},
        }


def _find_packages(raw: bytes) -> dict[str, dict[str, str]]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(raw))) as tar:
        for member in tar:
            text = tar.extractfile(member).read().decode("utf-8", "replace") if member.isreg() else ""  # type: ignore[union-attr]
            pattern = r"^(?:Package|Name): (\S+)\n(?:.+\n)*?Version: (\S+)$"
            if member.name.endswith(("dpkg/status", "METADATA")) and (
                one := re.search(pattern, text, re.MULTILINE)
            ):
                found[str(10 + len(found))] = {"name": one[1], "version": one[2], "kind": "binary"}
    return found


@contextmanager
def serve(double: ClairDouble) -> Iterator[ClairDouble]:
    """Serve the double on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            double.asked.append(f"POST {self.path}")
            manifest = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not manifest.get("hash") or not manifest.get("layers"):
                self._answer(400, {"code": "bad-request", "message": "bogus manifest"})
                return
            report = double.index(manifest)
            if double.indexed_after:
                report = report | {"state": "ScanLayers", "success": False}
            self._answer(201, report)

        def do_GET(self) -> None:
            double.asked.append(f"GET {self.path}")
            *_, name = self.path.split("/")
            if self.path == "/indexer/api/v1/index_state":
                self._answer(200, {"state": "aae368a064d7c5a433d0bf2c4f5554cc"})
            elif self.path.startswith("/indexer/api/v1/index_report/") and name in double.indexed:
                double.indexed_after -= 1
                pending = {"state": "ScanLayers", "success": False} if double.indexed_after > 0 else {}
                self._answer(200, double.indexed[name] | pending)
            elif self.path == "/matcher/api/v1/internal/update_operation?latest=true":
                self._answer(200, double.operations)
            elif self.path.startswith("/matcher/api/v1/vulnerability_report/"):
                if double.initialised_after:
                    double.initialised_after -= 1
                    self._answer(202, None)
                elif name in double.indexed:
                    report = double.match(name)
                    self._answer(200, double.change(report) if double.change else report)
                else:
                    self._answer(404, {"code": "not-found", "message": "index report not found"})
            else:
                self._answer(404, {"code": "not-found", "message": "no such path"})

        def _answer(self, status: int, body: Any) -> None:
            raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        double.address = f"http://127.0.0.1:{server.server_port}"
        try:
            yield double
        finally:
            server.shutdown()
            thread.join()
