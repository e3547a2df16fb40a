"""Blobs on disk: one regular file per digest, written atomically and verified when read.

A writer fills a temporary file in `.tmp/` (same file system, outside `blobs/`) under a lock, and renames it
into place. After a crash there is only an unlocked temporary file, which the next opening removes.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import stat
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from autoclave.errors import SourceError, StoreError
from autoclave.model.digest import Digest, check_digest
from autoclave.runtime.folder import Folder

_BLOB = re.compile(r"[0-9a-f]{64}")
CHUNK = 1024 * 1024
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Blobs:
    """The `blobs/sha256` folder of one OCI layout, and its temporary files. No link in it is followed."""

    def __init__(self, folder: Folder) -> None:
        self.root = folder.path
        self._root = folder
        self._folder = folder.at("blobs/sha256")
        self._temporary = folder.at(".tmp")
        self._blobs = _Held(self._folder)
        self._made = _Held(self._temporary, create=True)

    def create(self) -> None:
        """Create the folders; raise StoreError when one of them is a link or cannot be created."""
        self.guard()
        with _translate_errors(f"the store {self.root} cannot be created"):
            self._folder.make()

    def guard(self) -> None:
        """Raise StoreError when one of the folders is a link: content must not leave the layout."""
        for folder in (self._root, self._root.at("blobs"), self._folder, self._temporary):
            try:
                with suppress(FileNotFoundError), folder.opened():
                    pass
            except (SourceError, OSError) as error:
                raise StoreError(
                    f"the store {self.root} is not trusted",
                    why=error.reason if isinstance(error, SourceError) else error.strerror or str(error),
                    next="remove it; if it is part of the repository, find out why",
                ) from error

    def path(self, digest: str) -> str:
        """Return the path of a blob; raise StoreError when the digest is malformed."""
        return f"{self._folder.path}/{_name(digest)}"

    def has(self, digest: str) -> bool:
        """Return whether there is a regular file for the digest."""
        with suppress(OSError, SourceError):
            return stat.S_ISREG(os.lstat(_name(digest), dir_fd=self._blobs.descriptor).st_mode)
        return False

    def read(self, digest: str, *, limit: int) -> bytes:
        """Return the blob whole, verified; raise StoreError if missing, damaged or above `limit` bytes."""
        with (
            self._open(digest) as (descriptor, size),
            _translate_errors(f"{digest} cannot be read from the store"),
        ):
            if size > limit:
                raise StoreError(
                    f"{digest} is too large",
                    why=f"{size} bytes, at most {limit} are allowed here",
                    next="check that the digest names a record or manifest, not a layer",
                )
            raw = b"".join(_pieces(descriptor, size))
        self._verify(digest, hashlib.sha256(raw).hexdigest())
        return raw

    def chunks(self, digest: str) -> Iterator[bytes]:
        """Stream the blob in pieces of at most 1 MiB; raise StoreError at its end if it is damaged."""
        hasher = hashlib.sha256()
        with self._open(digest) as (descriptor, size):
            pieces = _pieces(descriptor, size)
            while True:
                with _translate_errors(f"{digest} cannot be read from the store"):
                    piece = next(pieces, b"")
                if not piece:
                    break
                hasher.update(piece)
                yield piece
        self._verify(digest, hasher.hexdigest())

    def write(self, chunks: Iterable[bytes], *, expect: str = "") -> tuple[str, int]:
        """Store the content; return its digest and size. What `chunks` raises passes through unchanged.

        Raises StoreError, and leaves nothing, when the digest is not `expect` or the disk cannot be written.
        Content that is there already is compared and kept; a damaged blob is replaced.
        """
        hasher, size = hashlib.sha256(), 0
        with self._temporary_file() as (descriptor, temporary):
            for chunk in chunks:
                hasher.update(chunk)
                size += len(chunk)
                with _translate_errors(f"the store {self.root} cannot be written"):
                    _write_all(descriptor, chunk)
            digest = f"sha256:{hasher.hexdigest()}"
            if expect and digest != check_digest(expect):
                raise StoreError(
                    "the content is not what was announced",
                    why=f"expected {expect}, got {digest} ({size} bytes)",
                    next="fetch or build it again; nothing was stored",
                )
            with _translate_errors(f"the store {self.root} cannot be written"):
                target = self._blobs.descriptor
            if not _is_same(descriptor, _name(digest), target, size):
                self._publish(descriptor, temporary, _name(digest), target)
        return digest, size

    def move_in(self, source: Blobs, digests: Iterable[str]) -> None:
        """Move blobs from a layout on the same disk, which verified them when it wrote them."""
        with _translate_errors(f"the store {self.root} cannot be written"):
            for digest in digests:
                name, places = _name(digest), (source._blobs.descriptor, self._blobs.descriptor)
                os.rename(name, name, src_dir_fd=places[0], dst_dir_fd=places[1])
            os.fsync(self._blobs.descriptor)

    def replace(self, name: str, raw: bytes) -> None:
        """Replace a file of the layout atomically and durably."""
        with (
            self._temporary_file() as (descriptor, temporary),
            _translate_errors(f"{self.root / name} cannot be written"),
            self._root.opened() as root,
        ):
            _write_all(descriptor, raw)
            self._publish(descriptor, temporary, name, root)

    @contextmanager
    def _temporary_file(self) -> Iterator[tuple[int, str]]:
        """Open a new locked temporary file; it is removed afterwards unless it was published."""
        descriptor, name = self._create_locked()
        try:
            yield descriptor, name
        finally:
            # Unlink before closing frees the lock, so that no sweep can come between.
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._made.descriptor)
            os.close(descriptor)

    def _publish(self, descriptor: int, temporary: str, name: str, folder: int) -> None:
        """Rename the finished temporary file to a name in an open folder, durably."""
        with _translate_errors(f"{name} in the store {self.root} cannot be written"):
            os.fsync(descriptor)
            os.rename(temporary, name, src_dir_fd=self._made.descriptor, dst_dir_fd=folder)
            os.fsync(folder)

    def files(self) -> Iterator[tuple[str, int, datetime]]:
        """Yield digest, size and time of writing of every blob."""
        with _translate_errors(f"the store {self.root} cannot be read"):
            for name in os.listdir(self._blobs.descriptor):  # noqa: PTH208 -- a descriptor, not a path
                status = os.lstat(name, dir_fd=self._blobs.descriptor)
                if stat.S_ISREG(status.st_mode) and _BLOB.fullmatch(name):
                    yield f"sha256:{name}", status.st_size, datetime.fromtimestamp(status.st_mtime, UTC)

    def remove(self, digest: str) -> None:
        """Remove a blob; nothing when it is missing."""
        with _translate_errors(f"{digest} cannot be removed from the store"), suppress(FileNotFoundError):
            os.unlink(_name(digest), dir_fd=self._blobs.descriptor)

    def sweep(self) -> None:
        """Remove temporary files whose writer has ended (they are not locked)."""
        if self._temporary.names():
            with suppress(OSError), self._temporary.opened() as folder:
                for name in self._temporary.names():
                    _remove_orphan(name, folder)

    def _create_locked(self) -> tuple[int, str]:
        with _translate_errors(f"the store {self.root} cannot be written"):
            while True:
                name = secrets.token_hex(16)
                descriptor = os.open(name, _CREATE, 0o644, dir_fd=self._made.descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                # A sweep may have removed the file between its creation and its lock.
                if os.fstat(descriptor).st_nlink:
                    return descriptor, name
                os.close(descriptor)

    @contextmanager
    def _open(self, digest: str) -> Iterator[tuple[int, int]]:
        path = self.path(digest)
        try:
            descriptor = os.open(_name(digest), _READ, dir_fd=self._blobs.descriptor)
        except (FileNotFoundError, SourceError):
            raise StoreError(
                f"the store does not hold {digest}",
                why=f"{path} is missing",
                next="build the image again, or restore the store from where it was archived",
            ) from None
        except OSError as error:
            reason = "is a link" if error.errno == errno.ELOOP else f"cannot be opened: {error.strerror}"
            raise _make_error(digest, path, reason) from error
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _make_error(digest, path, "is not a regular file")
            yield descriptor, status.st_size
        finally:
            os.close(descriptor)

    def _verify(self, digest: str, found: str) -> None:
        if f"sha256:{found}" != digest:
            raise _make_error(digest, self.path(digest), f"has other content, sha256:{found}")


class _Held:
    """A folder that is kept open from its first use on: listing records opens every one, relative to it.

    Threads share it: one opens it, and nobody has the descriptor of another opening that is closed again.
    """

    def __init__(self, folder: Folder, *, create: bool = False) -> None:
        self._folder = folder
        self._create = create
        self._lock = threading.Lock()
        self._opened: int | None = None

    @property
    def descriptor(self) -> int:
        """The open folder. Raises SourceError and OSError."""
        with self._lock:
            if self._opened is None:
                with self._folder.opened(create=self._create) as descriptor:
                    self._opened = os.dup(descriptor)
                weakref.finalize(self, os.close, self._opened)
            return self._opened


def _name(digest: str) -> str:
    return Digest(check_digest(digest)).hex


def _make_error(digest: str, path: str, reason: str) -> StoreError:
    return StoreError(
        f"{digest} is damaged in the store",
        why=f"{path} {reason}",
        next="remove that file and repeat the step that wrote it, or restore it from where it was archived",
    )


@contextmanager
def _translate_errors(what: str) -> Iterator[None]:
    try:
        yield
    except SourceError as error:
        raise StoreError(what, why=error.reason, next=error.next) from error
    except OSError as error:
        raise StoreError(
            what, why=error.strerror or str(error), next="free space or fix the permissions, then repeat"
        ) from error


def _pieces(descriptor: int, size: int) -> Iterator[bytes]:
    # What is added to a file meanwhile is not read; what was read is verified.
    while size > 0 and (piece := os.read(descriptor, min(CHUNK, size))):
        yield piece
        size -= len(piece)


def _write_all(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _is_same(descriptor: int, name: str, folder: int, size: int) -> bool:
    try:
        present = os.open(name, _READ, dir_fd=folder)
    except OSError:
        return False
    try:
        status = os.fstat(present)
        if not stat.S_ISREG(status.st_mode) or status.st_size != size:
            return False
        return all(
            os.pread(present, CHUNK, offset) == os.pread(descriptor, CHUNK, offset)
            for offset in range(0, size, CHUNK)
        )
    except OSError:
        return False
    finally:
        os.close(present)


def _remove_orphan(name: str, folder: int) -> None:
    with suppress(OSError):
        descriptor = os.open(name, _READ, dir_fd=folder)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(name, dir_fd=folder)
        finally:
            os.close(descriptor)
