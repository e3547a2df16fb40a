"""Files into and out of containers, as tar archives: nothing is ever mounted from this machine."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from autoclave.device.schema import resolve_inside
from autoclave.errors import SourceError

_SKIPPED = {"__pycache__", ".git", ".autoclave", ".pytest_cache"}
_NEVER = {".git", ".autoclave"}  # a job's tokens are in the one, keys and records in the other
_CHUNK = 1 << 20
_MOST = 100_000  # files and folders; links could repeat a few without end


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

    A link arrives as what it leads to. `empty_folders` are writable by every user, and nothing of the device
    is put into them; `added` are files of ours, by path, which replace the device's.
    Raises SourceError for what is missing, is neither file nor folder, links out of the device folder or back
    to a folder above it, takes a name that is ours or another item's, and for git's own files.
    """
    buffer = io.BytesIO()
    ours = set(empty_folders)
    taken: dict[str, str] = {}
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(ours):
            tar.addfile(_member(name, tarfile.DIRTYPE, 0o777))
        for item in items:
            start = resolve_inside(folder, item)
            if not start.exists():
                raise SourceError(f"'{item}', which unit-test.copy names, does not exist", why=str(start))
            name = PurePosixPath(item).name  # as it is written: a link arrives under its own name
            name = start.name if name in {"", ".."} else name
            _refuse_name(item, name, ours, taken)
            _add(tar, folder, start, name, within=())
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


def refuse_taken(archive: Iterable[bytes] | None, files: bytes, *, folder: str) -> None:
    """Raise SourceError when a folder of the image already has what is to be copied into it.

    Files of the image would be replaced, or its own file be taken for the tests' report.
    """
    if archive is None:
        return
    with tarfile.open(fileobj=io.BytesIO(files)) as packed:
        ours = {each.name.partition("/")[0] for each in packed}
    with tarfile.open(fileobj=_Reader(archive), mode="r|") as tar:
        for number, member in enumerate(tar):
            parts = member.name.strip("/").split("/")
            if number == 0 and not member.isdir():
                raise SourceError(
                    f"{folder} of the image is not a folder",
                    why="the tests and their results are put there",
                    next=f"let the Dockerfile leave {folder} to the tests",
                )
            if len(parts) > 1 and parts[1] in ours:
                raise SourceError(
                    f"the image under test already has {folder}/{parts[1]}",
                    why="the tests and their results are put there, and nothing of an image may be replaced "
                    "or be taken for a result",
                    next=f"remove {folder}/{parts[1]} from the Dockerfile, its volumes included, or from "
                    "unit-test.copy",
                )


def _refuse_name(item: str, name: str, ours: set[str], taken: dict[str, str]) -> None:
    """Refuse a name below /autoclave that is ours, or that another item has."""
    if name in ours:
        raise SourceError(
            f"'{item}', which unit-test.copy names, would be put where Autoclave's own '{name}' is",
            why="what the tests find there must not come from the repository",
            next="rename it",
        )
    if taken.setdefault(name, item) != item:
        raise SourceError(
            f"'{taken[name]}' and '{item}', which unit-test.copy names, have the same last name",
            why=f"both would be put at /autoclave/{name}",
            next="rename one of them, or copy the folder that contains both",
        )


def _refuse_own(folder: Path, path: Path) -> None:
    found = _NEVER & {part.lower() for part in path.relative_to(folder.resolve()).parts}
    if found:
        raise SourceError(
            f"'{path.relative_to(folder.resolve())}' is not copied to the tests",
            why=f"what is in {found.pop()} is no source: a CI host keeps a job's token there",
            next="remove it from unit-test.copy, or the link that leads there",
        )


def _add(tar: tarfile.TarFile, folder: Path, path: Path, name: str, *, within: tuple[Path, ...]) -> None:
    """Add a file, or a folder with all that is below it; `within` are the folders that it is in."""
    resolved = resolve_inside(folder, str(path.relative_to(folder.resolve())))
    _refuse_own(folder, resolved)
    if len(tar.getmembers()) >= _MOST:
        raise SourceError(
            f"unit-test.copy names more than {_MOST:,} files", next="copy fewer, or without links to folders"
        )
    if resolved in within:
        raise SourceError(f"the link '{path}' leads back to a folder that it is in", next="remove the link")
    if resolved.is_dir():
        tar.addfile(_member(name, tarfile.DIRTYPE, 0o755))
        for each in sorted(resolved.iterdir()):
            if each.name not in _SKIPPED:
                _add(tar, folder, each, f"{name}/{each.name}", within=(*within, resolved))
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
