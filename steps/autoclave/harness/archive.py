"""Files into and out of containers, as tar archives: nothing is ever mounted from this machine."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from autoclave.device.schema import resolve_inside
from autoclave.errors import SourceError

_SKIPPED = {"__pycache__", ".git", ".autoclave", ".pytest_cache"}
_CHUNK = 1 << 20


class TooLarge(SourceError):
    """A file from a container exceeds its limit."""


def pack(
    folder: Path,
    items: Iterable[str],
    *,
    empty_folders: Iterable[str],
    added: Mapping[str, bytes] | None = None,
) -> bytes:
    """Pack files and folders of the device into a tar, readable by every user, the same bytes every time.

    `empty_folders` are writable by every user; `added` are files of ours, by path, which replace the
    device's. Raises SourceError for what is missing, is neither file nor folder, or links out of the
    device folder.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in empty_folders:
            tar.addfile(_member(name, tarfile.DIRTYPE, 0o777))
        for item in items:
            start = resolve_inside(folder, item)
            if not start.exists():
                raise SourceError(f"'{item}', which unit-test.copy names, does not exist", why=str(start))
            for path in [start, *sorted(start.rglob("*"))] if start.is_dir() else [start]:
                relative = path.relative_to(start.parent)
                if not _SKIPPED & set(relative.parts):
                    _add(tar, folder, path, relative.as_posix())
        for name, body in (added or {}).items():
            tar.addfile(_member(name.rpartition("/")[0], tarfile.DIRTYPE, 0o755))
            _file(tar, name, 0o644, body)
    return buffer.getvalue()


def single_file(archive: Iterable[bytes], *, limit: int) -> Iterator[bytes]:
    """Stream the one regular file of an archive that an engine copied out.

    Raises SourceError when the path is not a regular file (a link could point anywhere), TooLarge
    beyond `limit` bytes.
    """
    with tarfile.open(fileobj=_Reader(archive), mode="r|") as tar:
        member = tar.next()
        content = tar.extractfile(member) if member and member.isreg() else None
        if member is None or content is None:
            raise SourceError("the path in the container is not a regular file")
        if member.size > limit:
            raise TooLarge(f"the file has {member.size:,} bytes, more than the limit of {limit:,}")
        while chunk := content.read(_CHUNK):
            yield chunk


def _add(tar: tarfile.TarFile, folder: Path, path: Path, name: str) -> None:
    resolved = resolve_inside(folder, str(path.relative_to(folder)))
    if resolved.is_dir():
        tar.addfile(_member(name, tarfile.DIRTYPE, 0o755))
    elif resolved.is_file():
        mode = 0o755 if resolved.stat().st_mode & 0o100 else 0o644
        _file(tar, name, mode, resolved.read_bytes())
    else:
        raise SourceError(f"'{path}' is neither a file nor a folder", next="remove it from the copied files")


def _file(tar: tarfile.TarFile, name: str, mode: int, body: bytes) -> None:
    member = _member(name, tarfile.REGTYPE, mode)
    member.size = len(body)
    tar.addfile(member, io.BytesIO(body))


def _member(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = kind, mode
    return member


class _Reader(io.RawIOBase):
    """The chunks of an iterator as a file, for tarfile's streaming mode."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size or size < 0:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self._rest += chunk
        end = len(self._rest) if size < 0 else size
        taken, self._rest = self._rest[:end], self._rest[end:]
        return taken
