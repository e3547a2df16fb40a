"""A double of a time-stamping authority: HTTP on a loopback port, answers by the real `openssl ts -reply`.

RFC 3161, 3.4: queries come by POST as application/timestamp-query, answers are application/timestamp-reply.
Its certificates are made here, valid for as long as a test wants, so that one can end while the test runs.
The switches make it answer what a broken authority might.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CONFIG = """\
[tsa]
default_tsa = main
[main]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/root.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


@dataclass
class Authority:
    """An authority that answers at `url`; or does what `switch` says: redirect, html, large, old, error."""

    folder: Path
    name: str
    url: str = ""
    switch: str = ""
    asked: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)

    @property
    def trust(self) -> str:
        """The table for a trust file."""
        return f"[[tsa]]\nname = \"{self.name}\"\ncertificate = '''\n{self.root}'''\n"

    @property
    def root(self) -> str:
        """The root certificate."""
        return (self.folder / "root.pem").read_text("ascii")

    def reply(self, query: bytes) -> bytes:
        """Let openssl answer."""
        (self.folder / "query").write_bytes(query)
        argv = ["openssl", "ts", "-reply", "-config", str(self.folder / "tsa.cnf"), "-section", "main"]
        argv += ["-queryfile", str(self.folder / "query")]
        done = subprocess.run(argv, capture_output=True, check=True, cwd=self.folder)
        return done.stdout


@contextmanager
def authority(folder: Path, name: str, *, lasts: timedelta = timedelta(days=3650)) -> Iterator[Authority]:
    """Run an authority whose certificates end after `lasts`."""
    folder.mkdir()
    made = Authority(folder, name)
    _certificates(folder, name, datetime.now(UTC) + lasts)
    (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/timestamp-query"
            made.asked.append(query)
            code, kind, body = _answer(made, query)
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if code == 307:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}/tsa"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


def _answer(made: Authority, query: bytes) -> tuple[int, str, bytes]:
    good = "application/timestamp-reply"
    if made.switch == "redirect":
        return 307, good, b""
    if made.switch == "html":
        return 200, "text/html", b"<p>Sign in to the network"
    if made.switch == "large":
        return 200, good, bytes(2 << 20)
    if made.switch == "error":
        return 503, "text/plain", b"later"
    if made.switch == "old":  # an answer to another query
        return 200, good, made.answers[0]
    made.answers.append(made.reply(query))
    return 200, good, made.answers[-1]


def _certificates(folder: Path, name: str, ends: datetime) -> None:
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} root")])
    common = x509.CertificateBuilder().issuer_name(root_name).not_valid_after(ends)
    common = common.not_valid_before(datetime.now(UTC) - timedelta(minutes=1))
    root = (
        common.subject_name(root_name)
        .public_key(root_key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        common.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} time stamps")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    (folder / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (folder / "tsa.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    (folder / "tsa.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
