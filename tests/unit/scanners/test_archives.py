"""A database in one file: no damage of it is taken for a database."""

from __future__ import annotations

import io
import random
import tarfile
from pathlib import Path

import pytest

from autoclave.errors import DatabaseError
from autoclave.scanners import archives

BODY = random.Random(1).randbytes(3000) * 3
NAMES = ("trivy.db", "metadata.json")


def pack(kind: str) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=f"w:{kind}") as tar:
        for name in NAMES:
            member = tarfile.TarInfo(name)
            member.size = len(BODY)
            tar.addfile(member, io.BytesIO(BODY))
    return raw.getvalue()


def unpack(folder: Path, raw: bytes) -> list[bytes]:
    (folder / "archive").write_bytes(raw)
    files = {name: folder / name for name in NAMES}
    for each in files.values():
        each.unlink(missing_ok=True)
    archives.unpack(folder / "archive", files)
    return [each.read_bytes() for each in files.values()]


@pytest.mark.parametrize("kind", ["gz", "xz", "bz2"])
def test_no_damaged_byte_is_accepted(tmp_path: Path, kind: str) -> None:
    raw = pack(kind)
    assert unpack(tmp_path, raw) == [BODY, BODY]
    for at in random.Random(2).sample(range(10 if kind == "gz" else 0, len(raw)), 120):
        damaged = raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :]
        with pytest.raises(DatabaseError):
            unpack(tmp_path, damaged)
        archives.has(tmp_path / "archive", NAMES[0])  # whatever it says, it is an answer
    with pytest.raises(DatabaseError):
        unpack(tmp_path, raw[:-1])


def test_what_follows_the_last_member_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_PADDING", archives._CHUNK)
    with pytest.raises(DatabaseError) as caught:
        unpack(tmp_path, pack("") + bytes(2 * archives._CHUNK))
    assert "follow its last member" in caught.value.why
