"""Files into and out of containers, as tar archives: nothing is ever mounted from this machine."""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from autoclave.device.files import PRIVATE
from autoclave.device.schema import resolve_inside
from autoclave.errors import SourceError
from autoclave.store.archive.file_tar import DamagedTar, Members, normalise

_SKIPPED = {*PRIVATE, "__pycache__", ".pytest_cache"}
_LARGEST = 2 << 30  # bytes that are packed: they are in memory until the engine has them
_LARGEST_FOLDER = 8 << 30  # bytes of a folder that is searched for files
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

    Each arrives under its path in the device folder, and a link as what it leads to. `empty_folders` are
    writable by every user, and nothing of the device is put into them; `added` are files of ours, by path,
    which replace the device's.
    Raises SourceError for what is missing, is neither file nor folder, links out of the device folder or back
    to a folder above it, takes a name that is ours or another item's, for git's own files, and above a bound.
    """
    buffer = io.BytesIO()
    ours = set(empty_folders)
    taken: dict[str, str] = {}
    folders: set[str] = set()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(ours):
            tar.addfile(_member(name, tarfile.DIRTYPE, 0o777))
        for item in items:
            start = resolve_inside(folder, item)
            if not start.exists():
                raise SourceError(f"'{item}', which unit-test.copy names, does not exist", why=str(start))
            name = posixpath.normpath(item)  # as it is written: a link arrives under its own name
            name = start.name if name == "." else name
            _refuse_name(item, name, ours, taken)
            for parent in [each.as_posix() for each in reversed(PurePosixPath(name).parents)][1:]:
                if parent not in folders:
                    folders.add(parent)
                    tar.addfile(_member(parent, tarfile.DIRTYPE, 0o755))
            _add(tar, folder, start, name, within=())
        for name, body in (added or {}).items():
            tar.addfile(_member(name.rpartition("/")[0], tarfile.DIRTYPE, 0o755))
            _file(tar, name, 0o644, body)
    return buffer.getvalue()


def single_file(archive: Iterable[bytes], *, limit: int) -> Iterator[bytes]:
    """Stream the one regular file of an archive that an engine copied out.

    Raises SourceError when the path is not a regular file (a link could point anywhere), and when the archive
    cannot be read; TooLarge beyond `limit` bytes.
    """
    with _translate_errors("the path in the container cannot be read"):
        for member, content in Members(archive):
            if not member.isreg():
                break
            if member.size > limit:
                raise TooLarge(f"the file has {member.size:,} bytes, more than the limit of {limit:,}")
            yield from content
            return
        raise SourceError("the path in the container is not a regular file")


def matching_files(
    archive: Iterable[bytes], matches: Callable[[str], bool], *, below: str, limit: int
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield path and content of the regular files that match, of a folder that an engine copied out.

    The archive's own first folder counts as `below`. Contents are read in turn: each before the next is
    asked for. Raises SourceError for a match that is no regular file, TooLarge for one beyond `limit` bytes,
    or for an archive without end.
    """
    with _translate_errors("the folder in the container cannot be read"):
        for member, content in Members(_bounded(archive), most=_MOST):
            parts = normalise(member.name).split("/")[1:]
            path = "/".join([below, *parts] if below else parts)
            if member.isdir() or not matches(path):
                continue
            if not member.isreg():
                raise SourceError(f"'{path}' is not a regular file")
            if member.size > limit:
                raise TooLarge(f"'{path}' has {member.size:,} bytes, more than the limit of {limit:,}")
            yield path, _readable(content, path)


def _readable(content: Iterator[bytes], path: str) -> Iterator[bytes]:
    with _translate_errors(f"'{path}' in the container cannot be read"):
        yield from content


def _bounded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > _LARGEST_FOLDER:
            raise TooLarge(f"the folder has more than {_LARGEST_FOLDER:,} bytes")
        yield chunk


def refuse_taken(archive: Iterable[bytes] | None, files: bytes, *, folder: str) -> None:
    """Raise SourceError when a folder of the image already has what is to be copied into it.

    Files of the image would be replaced, or its own file be taken for the tests' report. What cannot be read
    is refused as well.
    """
    if archive is None:
        return
    with tarfile.open(fileobj=io.BytesIO(files)) as packed:
        ours = {each.name.partition("/")[0] for each in packed}
    with _translate_errors(f"{folder} of the image cannot be read"):
        count = 0
        for count, (member, _) in enumerate(Members(archive, most=_MOST), 1):
            parts = normalise(member.name).split("/")
            if count == 1 and not member.isdir():
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
        if not count:
            raise DamagedTar("the engine's archive of it is empty")


@contextmanager
def _translate_errors(what: str) -> Iterator[None]:
    try:
        yield
    except DamagedTar as error:
        raise SourceError(
            what,
            why=str(error),
            next="remove from the Dockerfile what is there; if nothing is, check the engine and repeat",
        ) from error


def _refuse_name(item: str, name: str, ours: set[str], taken: dict[str, str]) -> None:
    """Refuse a path below /autoclave that is ours, or that another item has as well."""
    if name.partition("/")[0] in ours:
        raise SourceError(
            f"'{item}', which unit-test.copy names, would be put where Autoclave's own "
            f"'{name.partition('/')[0]}' is",
            why="what the tests find there must not come from the repository",
            next="rename it",
        )
    for other, written in taken.items():
        if f"{name}/".startswith(f"{other}/") or f"{other}/".startswith(f"{name}/"):
            raise SourceError(
                f"unit-test.copy names '{item}' and '{written}', and one contains the other",
                why=f"what they have in common would be put at /autoclave/{max(name, other, key=len)} twice",
                next="name the folder that contains both, once",
            )
    taken[name] = item


def _refuse_own(folder: Path, path: Path) -> None:
    found = PRIVATE & {part.lower() for part in path.relative_to(folder.resolve()).parts}
    if found:
        raise SourceError(
            f"'{path.relative_to(folder.resolve())}' is not copied to the tests",
            why=f"what is in {min(found)} is no source: a CI host keeps a job's token there",
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
        _file(tar, name, mode, _read(resolved, _LARGEST - tar.offset))
    else:
        raise SourceError(f"'{path}' is neither a file nor a folder", next="remove it from the copied files")


def _read(path: Path, left: int) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(max(left, 0) + 1)
    except OSError as error:
        raise SourceError(f"'{path}' cannot be read", why=str(error)) from error
    if len(raw) > left:
        raise SourceError(
            f"unit-test.copy names more than {_LARGEST:,} bytes",
            why=f"'{path}' exceeds them",
            next="copy fewer files, or let the tests' image have the large ones",
        )
    return raw


def _file(tar: tarfile.TarFile, name: str, mode: int, body: bytes) -> None:
    member = _member(name, tarfile.REGTYPE, mode)
    member.size = len(body)
    tar.addfile(member, io.BytesIO(body))


def _member(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = kind, mode
    return member
