"""Time stamps (RFC 3161) over the envelopes of seals, made and verified with the `openssl` command."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509 import Certificate, load_pem_x509_certificate
from msgspec import Struct

from autoclave.errors import TimestampError, ToolError
from autoclave.evidence.records import STAMP
from autoclave.evidence.trust import Authority
from autoclave.runtime.shell import Shell

MEDIA_TYPE = "application/timestamp-reply"
TITLE = STAMP

_TIME = re.compile(rb"^Time stamp: (\w{3} +\d+ \d\d:\d\d:\d\d)(?:\.\d+)? (\d{4}) GMT$", re.M)
_HASH = re.compile(rb"^Hash Algorithm: (sha256|sha384|sha512)$", re.M)


class Stamp(Struct, frozen=True, kw_only=True):
    """A verified time stamp: which authority, its time, and when the first of its certificates ends."""

    authority: str
    time: datetime
    ends: datetime


def request(
    shell: Shell, data: bytes, authorities: Sequence[Authority], now: datetime, ask: Callable[[bytes], bytes]
) -> bytes:
    """Return a verified time stamp over `data`; `ask` sends the query. Raises TimestampError."""
    with tempfile.TemporaryDirectory(prefix="autoclave-") as name:
        folder = Path(name)
        (folder / "data").write_bytes(data)
        query = ["openssl", "ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "query.tsq"]
        shell.run(query, cwd=folder)
        reply = ask((folder / "query.tsq").read_bytes())
        (folder / TITLE).write_bytes(reply)
        # Against the query, so that the nonce is compared as well: an old reply is not an answer.
        _verify(shell, folder, ["-queryfile", "query.tsq"], authorities, now)
        verify(shell, reply, data, authorities, now)
        return reply


def verify(shell: Shell, token: bytes, data: bytes, authorities: Sequence[Authority], at: datetime) -> Stamp:
    """Verify a time stamp over `data`, with certificates as of a given time. Raises TimestampError."""
    with tempfile.TemporaryDirectory(prefix="autoclave-") as name:
        folder = Path(name)
        (folder / "data").write_bytes(data)
        (folder / TITLE).write_bytes(token)
        authority = _verify(shell, folder, ["-data", "data"], authorities, at)
        return Stamp(
            authority=authority.name,
            time=_time(shell, folder),
            ends=min(each.not_valid_after_utc for each in _certificates(shell, folder, authority)),
        )


def read_time(shell: Shell, token: bytes) -> datetime:
    """Return the time that a token claims, unverified. Raises TimestampError."""
    with tempfile.TemporaryDirectory(prefix="autoclave-") as name:
        (Path(name) / TITLE).write_bytes(token)
        return _time(shell, Path(name))


def _verify(
    shell: Shell, folder: Path, what: list[str], authorities: Sequence[Authority], at: datetime
) -> Authority:
    """Return the authority that issued the token."""
    if not authorities:
        raise TimestampError(
            "no time-stamping authority is trusted",
            why="the trust file has no [[tsa]]",
            next="add name and root certificate of the authority to the trust file",
        )
    why = ""
    for number, authority in enumerate(authorities):
        root = f"{number}.pem"
        (folder / root).write_text(authority.certificate, "ascii")
        argv = ["openssl", "ts", "-verify", *what, "-in", TITLE, "-CAfile", root]
        try:
            shell.run([*argv, "-attime", str(int(at.timestamp()))], cwd=folder)
        except ToolError as error:
            if shell.which("openssl") is None:
                raise
            why = f"{authority.name}: {_find_reason(error.why)}"
        else:
            return authority
    raise TimestampError(
        "the time stamp does not verify", why=why, next="see 'Time stamps' in docs/bundle.md"
    )


def _time(shell: Shell, folder: Path) -> datetime:
    text = _run(shell, folder, ["ts", "-reply", "-in", TITLE, "-text"])
    found = _TIME.search(text)
    if found is None or not _HASH.search(text):
        raise TimestampError("the time stamp has no time, or its hash is weaker than SHA-256")
    words = b" ".join([*found[1].split(), found[2]]).decode()
    return datetime.strptime(words, "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)


def _certificates(shell: Shell, folder: Path, authority: Authority) -> list[Certificate]:
    raw = _run(shell, folder, ["ts", "-reply", "-in", TITLE, "-token_out"])
    try:
        inside = pkcs7.load_der_pkcs7_certificates(raw)
        return [*inside, load_pem_x509_certificate(authority.certificate.encode())]
    except ValueError as error:
        raise TimestampError("the certificates of the time stamp cannot be read", why=str(error)) from error


def _run(shell: Shell, folder: Path, words: list[str]) -> bytes:
    try:
        return shell.run(["openssl", *words], cwd=folder).out
    except ToolError as error:
        if shell.which("openssl") is None:
            raise
        raise TimestampError("the time stamp cannot be read", why=_find_reason(error.why)) from error


def _find_reason(printed: str) -> str:
    """Return the reason in what openssl printed: the words between its codes."""
    for line in printed.splitlines():
        if "erify error:" in line:
            return line.partition("erify error:")[2].strip()
    lines = [line.split(":") for line in printed.splitlines() if ":error:" in line]
    return ", ".join(words[5] for words in lines if len(words) > 5) or printed[:200]
