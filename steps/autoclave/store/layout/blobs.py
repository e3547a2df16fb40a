"""Blobs on disk: one regular file per digest, written atomically and verified when read.

A writer fills a temporary file in `.tmp/` (same file system, outside `blobs/`) under a lock, and renames it
into place. After a crash there is only an unlocked temporary file, which the next opening removes.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from autoclave.errors import StoreError
from autoclave.model.digest import Digest, check_digest

CHUNK = 1024 * 1024
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Blobs:
    """The `blobs/sha256` folder of one OCI layout, and its temporary files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = root / "blobs" / "sha256"
        self._temporary = root / ".tmp"

    def create(self) -> None:
        """Create the folders; raise StoreError when one of them is a link or cannot be created."""
        with _translate_errors(f"the store {self.root} cannot be created"):
            self._folder.mkdir(parents=True, exist_ok=True)
        self.guard()

    def guard(self) -> None:
        """Raise StoreError when one of the folders is a link: content must not leave the layout."""
        for folder in (self.root / "blobs", self._folder, self._temporary):
            with suppress(FileNotFoundError):
                if not stat.S_ISDIR(folder.lstat().st_mode):
                    raise StoreError(
                        f"the store {self.root} is not trusted",
                        why=f"{folder} is not a plain folder",
                        next="remove it; if it is part of the repository, find out why",
                    )

    def path(self, digest: str) -> str:
        """Return the path of a blob; raise StoreError when the digest is malformed."""
        # Text, not Path: listing records opens every one of them, and Path would double the time.
        return f"{self._folder}/{Digest(check_digest(digest)).hex}"

    def has(self, digest: str) -> bool:
        """Return whether there is a regular file for the digest."""
        with suppress(OSError):
            return stat.S_ISREG(os.lstat(self.path(digest)).st_mode)
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
            target = self.path(digest)
            if not _is_same(descriptor, target, size):
                self._publish(descriptor, temporary, Path(target))
        return digest, size

    def move_in(self, source: Blobs, digests: Iterable[str]) -> None:
        """Move blobs from a layout on the same disk, which verified them when it wrote them."""
        with _translate_errors(f"the store {self.root} cannot be written"):
            for digest in digests:
                os.replace(source.path(digest), self.path(digest))  # noqa: PTH105 -- paths are text here
            _sync_folder(self._folder)

    def replace(self, target: Path, raw: bytes) -> None:
        """Replace a file of the layout atomically and durably."""
        with self._temporary_file() as (descriptor, temporary):
            with _translate_errors(f"{target} cannot be written"):
                _write_all(descriptor, raw)
            self._publish(descriptor, temporary, target)

    @contextmanager
    def _temporary_file(self) -> Iterator[tuple[int, Path]]:
        """Open a new locked temporary file; it is removed afterwards unless it was published."""
        descriptor, path = self._create_locked()
        try:
            yield descriptor, path
        finally:
            # Unlink before closing frees the lock, so that no sweep can come between.
            path.unlink(missing_ok=True)
            os.close(descriptor)

    def _publish(self, descriptor: int, temporary: Path, target: Path) -> None:
        """Rename the finished temporary file to `target`, durably."""
        with _translate_errors(f"{target} cannot be written"):
            os.fsync(descriptor)
            temporary.replace(target)
            _sync_folder(target.parent)

    def sweep(self) -> None:
        """Remove temporary files whose writer has ended (they are not locked)."""
        with suppress(OSError):
            for path in self._temporary.iterdir():
                _remove_orphan(path)

    def _create_locked(self) -> tuple[int, Path]:
        with _translate_errors(f"the store {self.root} cannot be written"):
            self._temporary.mkdir(exist_ok=True)
            while True:
                path = self._temporary / f"{os.getpid()}-{secrets.token_hex(8)}"
                descriptor = os.open(path, _CREATE, 0o644)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                # A sweep may have removed the file between its creation and its lock.
                if os.fstat(descriptor).st_nlink:
                    return descriptor, path
                os.close(descriptor)

    @contextmanager
    def _open(self, digest: str) -> Iterator[tuple[int, int]]:
        path = self.path(digest)
        try:
            descriptor = os.open(path, _READ)
        except FileNotFoundError:
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


def _is_same(descriptor: int, target: str, size: int) -> bool:
    try:
        present = os.open(target, _READ)
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


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_orphan(path: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(path, _READ)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
