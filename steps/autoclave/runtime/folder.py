"""A folder that is worked in without following a link: what a repository contains never leads out of it.

Every component below the root is opened by a descriptor of its own with O_NOFOLLOW, and the file relative to
the last of them. So a link is refused wherever it is, also one that comes between a check and its use.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import IO

from autoclave.errors import SourceError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# The opening must not wait for a FIFO's writer: what was opened is known only afterwards.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Kind(Enum):
    """What a name refers to, itself: a link is a link, wherever it leads."""

    FILE = "a plain file"
    FOLDER = "a folder"
    LINK = "a link"
    OTHER = "neither a file nor a folder"  # a FIFO, a socket, a device


class Folder:
    """A folder at or below `root`. The way to the root is the user's; below it no link is followed.

    Names are relative paths. Every function raises SourceError for a name that leaves the folder, for a link
    in its way, for what is not a plain file or folder, and for what the disk refuses. Files and folders get
    exactly the modes that are given, whatever the umask.
    """

    def __init__(self, root: Path, *parts: str) -> None:
        self._root = root.absolute()
        self._parts = parts

    @property
    def path(self) -> Path:
        """The path, for messages and for programs that are given it."""
        return self._root.joinpath(*self._parts)

    def at(self, name: str) -> Folder:
        """Return a folder below this one; it need not exist."""
        return Folder(self._root, *self._parts, *_split(name))

    def beside(self, name: str) -> Folder:
        """Return the folder of another name in the folder that this one is in."""
        if self._parts:
            return Folder(self._root, *self._parts[:-1], *_split(name))
        return Folder(self._root.parent, *_split(name))

    def kind(self, name: str) -> Kind | None:
        """Return what a name refers to; None when it does not exist."""
        folder, last = self._place(name)
        with _translate_errors(folder.path / last), suppress(FileNotFoundError), folder.opened() as parent:
            return _kind(os.stat(last, dir_fd=parent, follow_symlinks=False))
        return None

    def names(self) -> list[str]:
        """Return the names of what is in the folder, sorted; none when it does not exist."""
        with _translate_errors(self.path), suppress(FileNotFoundError), self.opened() as descriptor:
            return sorted(os.listdir(descriptor))  # noqa: PTH208 -- a descriptor, not a path
        return []

    @contextmanager
    def stream(self, name: str) -> Iterator[IO[bytes]]:
        """Open a plain file for reading."""
        folder, last = self._place(name)
        path = folder.path / last
        with _translate_errors(path), folder.opened() as parent:
            try:
                descriptor = os.open(last, _READ, dir_fd=parent)
            except OSError:
                _refuse_unless(Kind.FILE, _kind(os.stat(last, dir_fd=parent, follow_symlinks=False)), path)
                raise
        try:
            _refuse_unless(Kind.FILE, _kind(os.fstat(descriptor)), path)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                yield file
        finally:
            os.close(descriptor)

    def open_lock(self, name: str) -> int:
        """Open a file for a lock, and make it when it is missing; the caller closes the descriptor.

        A file with a second name is refused: what is written into the lock would be in that file as well.
        """
        folder, last = self._place(name)
        path = folder.path / last
        with _translate_errors(path), folder.opened(create=True) as parent:
            try:
                descriptor = os.open(last, _LOCK, 0o644, dir_fd=parent)
            except OSError:
                _refuse_unless(Kind.FILE, _kind(os.stat(last, dir_fd=parent, follow_symlinks=False)), path)
                raise
        status = os.fstat(descriptor)
        if _kind(status) is Kind.FILE and status.st_nlink == 1:
            return descriptor
        os.close(descriptor)
        _refuse_unless(Kind.FILE, _kind(status), path)
        raise SourceError(f"{path} has a second name", why="it is a hard link", next="remove it")

    def read(self, name: str, *, limit: int) -> bytes:
        """Return the content of a plain file; SourceError when it has more than `limit` bytes."""
        with self.stream(name) as file, _translate_errors(self.path / name):
            raw = file.read(limit + 1)
        if len(raw) > limit:
            raise SourceError(f"{self.path / name} is larger than {limit:,} bytes", next="check what it is")
        return raw

    def write(self, name: str, chunks: Iterable[bytes], *, mode: int = 0o644, durable: bool = False) -> Path:
        """Write a file; see `writer`."""
        with self.writer(name, mode=mode, durable=durable) as file:
            for chunk in chunks:
                file.write(chunk)
        return self.path / name

    def create(self, name: str, chunks: Iterable[bytes], *, mode: int = 0o644) -> Path:
        """Write a new file, durably, whole or not at all; FileExistsError when the name is taken."""
        with self.writer(name, mode=mode, durable=True, new=True) as file:
            for chunk in chunks:
                file.write(chunk)
        return self.path / name

    @contextmanager
    def writer(
        self, name: str, *, mode: int = 0o644, durable: bool = False, new: bool = False
    ) -> Iterator[IO[bytes]]:
        """Open a file for writing, and move it into place afterwards, when the body raised nothing.

        A reader sees the old or the new file, never a part; a link of that name is replaced itself. `durable`
        waits until the disk has it. With `new`, FileExistsError when the name is taken, by a link too.
        """
        folder, last = self._place(name)
        made = f".{secrets.token_hex(16)}"
        with _translate_errors(folder.path / last), folder.opened(create=True) as parent:
            descriptor = os.open(made, _NEW, 0o600, dir_fd=parent)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    yield file
                    file.flush()
                    os.fchmod(descriptor, mode)
                    if durable:
                        os.fsync(descriptor)
                if new:
                    os.link(made, last, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
                else:
                    os.rename(made, last, src_dir_fd=parent, dst_dir_fd=parent)
                if durable:
                    os.fsync(parent)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(made, dir_fd=parent)

    def make(self) -> Folder:
        """Make the folder and those above it that are missing; return it."""
        with _translate_errors(self.path), self.opened(create=True):
            return self

    def remove(self, name: str) -> None:
        """Remove a file, a link itself, or a folder with all that is in it; nothing when it is missing."""
        folder, last = self._place(name)
        with _translate_errors(folder.path / last), suppress(FileNotFoundError), folder.opened() as parent:
            if _kind(os.stat(last, dir_fd=parent, follow_symlinks=False)) is Kind.FOLDER:
                shutil.rmtree(last, dir_fd=parent)  # enters folders by descriptor, and no link
            else:
                os.unlink(last, dir_fd=parent)

    @contextmanager
    def opened(self, *, create: bool = False) -> Iterator[int]:
        """Open the folder itself; `create` makes what is missing of it. Raises OSError as well."""
        if create:
            with suppress(FileExistsError):  # a file of that name: the opening says so
                self._root.mkdir(parents=True)
        descriptor = os.open(self._root, _FOLDER)
        try:
            for number, part in enumerate(self._parts, 1):
                above, descriptor = descriptor, -1
                try:
                    descriptor = _enter(above, part, self._root.joinpath(*self._parts[:number]), create)
                finally:
                    os.close(above)
            yield descriptor
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _place(self, name: str) -> tuple[Folder, str]:
        *above, last = _split(name)
        return Folder(self._root, *self._parts, *above), last


def folder_at(path: Path, device: Path) -> Folder:
    """Return the folder that a user names: in the device folder no link is followed."""
    whole = Path(os.path.normpath(path.absolute()))
    for root in (whole, *whole.parents):
        with suppress(OSError):
            if root.samefile(device):
                return Folder(root, *whole.relative_to(root).parts)
    return Folder(whole)


def _split(name: str) -> tuple[str, ...]:
    parts = tuple(each for each in name.split("/") if each not in {"", "."})
    if name.startswith("/") or ".." in parts or "\0" in name or not parts:
        raise SourceError(
            f"{name!r} is not a name in a folder",
            why="it is empty, absolute, or leaves the folder",
            next="use a relative path without '..'",
        )
    return parts


def _enter(above: int, name: str, path: Path, create: bool) -> int:
    """Open a folder in an open one. Raises SourceError for a link and for what is not a folder."""
    if create:
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=above)
            descriptor = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=above)
            os.fchmod(descriptor, 0o755)
            return descriptor
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=above)
    except OSError:
        _refuse_unless(Kind.FOLDER, _kind(os.stat(name, dir_fd=above, follow_symlinks=False)), path)
        raise


def _kind(status: os.stat_result) -> Kind:
    kinds = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFLNK: Kind.LINK}
    return kinds.get(stat.S_IFMT(status.st_mode), Kind.OTHER)


def _refuse_unless(expected: Kind, found: Kind, path: Path) -> None:
    if found is expected:
        return
    raise SourceError(
        f"{path} is {found.value}, and not {expected.value}",
        why="no link is followed here: it could lead to files of this machine" if found is Kind.LINK else "",
        next=f"remove it, and find out why it is there: git log -- '{path.name}'",
    )


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:  # what `new` is there to say
        raise
    except FileNotFoundError as error:
        raise SourceError(f"{path} does not exist", next="check the path") from error
    except OSError as error:
        raise SourceError(
            f"{path} cannot be used",
            why=error.strerror or str(error),
            next="free space or fix the permissions, then repeat",
        ) from error
