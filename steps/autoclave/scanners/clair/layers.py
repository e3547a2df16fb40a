"""Serve the layers of one image to Clair, which fetches them itself, under a secret path."""

from __future__ import annotations

import hmac
import secrets
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from autoclave.errors import ScannerError

_CHUNK = 1 << 20
_PATIENCE = 60.0  # seconds without a byte from Clair


@contextmanager
def serve(folder: Path, digests: Collection[str], server: str) -> Iterator[str]:
    """Yield the address below which the layers of these digests are: `{address}/sha256:…`.

    It is the address by which this machine reaches the server, on any free port.
    """
    prefix = secrets.token_urlsafe(32)

    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE

        def do_GET(self) -> None:
            given, _, digest = self.path.removeprefix("/").partition("/")
            if not hmac.compare_digest(given.encode(), prefix.encode()) or digest not in digests:
                self.send_error(404)
                return
            path = folder / "blobs" / "sha256" / digest.removeprefix("sha256:")
            with path.open("rb") as file:
                self.send_response(200)
                self.send_header("Content-Type", "application/vnd.oci.image.layer.v1.tar")
                self.send_header("Content-Length", str(path.stat().st_size))
                self.end_headers()
                while chunk := file.read(_CHUNK):
                    self.wfile.write(chunk)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing: the path is a secret."""

    host = _own_address(server)
    with ThreadingHTTPServer((host, 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{host}:{running.server_port}/{prefix}"
        finally:
            running.shutdown()
            thread.join()


def _own_address(server: str) -> str:
    """Return the address of this machine from which the server is reached. Raises ScannerError."""
    parts = urlsplit(server)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with socket.create_connection((parts.hostname or "", port), timeout=10) as probe:
            return str(probe.getsockname()[0])
    except (OSError, ValueError) as error:
        raise ScannerError(
            "Clair cannot be reached",
            why=f"{parts.hostname}: {error}",
            next="check --scanner-command clair=URL",
        ) from error
