"""A database as one file: a tar archive of a few plain files, compressed or not."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zlib
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from autoclave.errors import DatabaseError

_LARGEST = 16 << 30  # bytes, unpacked: the largest database has a tenth of it
_MEMBERS = 32
_PADDING = 64 << 20  # bytes behind the last member that are read; tar writes 10 KiB
_CHUNK = 1 << 20
# Not all of them are what a damaged archive should end with: decompressors have errors of their own.
_DAMAGE = (tarfile.TarError, EOFError, ValueError, OSError, zlib.error, lzma.LZMAError)


def unpack(archive: Path, files: Mapping[str, Path]) -> None:
    """Write members of an archive into new files, each where it is named, and nothing else that is in it.

    Raises DatabaseError when one is missing, twice there, or no plain file, or when it unpacks to too much.
    """
    left, found = _LARGEST, set[str]()
    try:
        with tarfile.open(archive, "r:*") as tar:
            for count, member in enumerate(tar):
                name = member.name.removeprefix("./")
                if count >= _MEMBERS:
                    raise _refuse(archive, f"it has more than {_MEMBERS} members")
                if name not in files:
                    continue
                if not member.isreg() or name in found:
                    raise _refuse(archive, f"{name} is in it twice, or is not a plain file")
                if member.size > left:
                    raise _refuse(archive, f"it unpacks to more than {_LARGEST >> 30} GiB")
                left -= member.size
                found.add(name)
                _copy(tar, member, files[name])
            _read_checksum(tar, archive)
    except _DAMAGE as error:
        raise _refuse(archive, str(error)) from error
    if missing := sorted(files.keys() - found):
        raise _refuse(archive, f"it has no {', '.join(missing)}")


def has(archive: Path, name: str) -> bool:
    """Return whether a file is an archive that this reads, with a member of this name among its first."""
    try:
        with tarfile.open(archive, "r:*") as tar:
            first = islice(tar, _MEMBERS)
            return any(member.name.removeprefix("./") == name for member in first)
    except _DAMAGE:
        return False


def _read_checksum(tar: tarfile.TarFile, archive: Path) -> None:
    """Read what follows the last member: only then does a decompressor compare its checksum."""
    assert tar.fileobj is not None  # noqa: S101 -- it is open
    for _ in range(_PADDING // _CHUNK):
        if not tar.fileobj.read(_CHUNK):
            return
    raise _refuse(archive, f"more than {_PADDING >> 20} MiB follow its last member")


def pack(archive: Path, files: Mapping[str, Path]) -> None:
    """Write files into an archive under these names, the same files into the same bytes."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        for name, path in files.items():
            member = tarfile.TarInfo(name)
            member.size = path.stat().st_size
            with path.open("rb") as file:
                tar.addfile(member, file)


def _copy(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    content = tar.extractfile(member)
    if content is None:
        raise tarfile.ReadError(f"{member.name} has no content")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        while chunk := content.read(_CHUNK):
            file.write(chunk)


def _refuse(archive: Path, why: str) -> DatabaseError:
    return DatabaseError(
        f"{archive.name} is not a database that can be used",
        why=why,
        next="name a file that 'autoclave database update --save' wrote, or the publisher's own",
    )
