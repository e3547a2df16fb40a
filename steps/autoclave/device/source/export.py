"""Write what a commit has into a folder: the same bytes, modes and times on every machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence

from autoclave.device.source import lfs
from autoclave.device.source.inventory import File, Part
from autoclave.errors import SourceError

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def write(parts: Sequence[Part], root: int, time: int) -> None:
    """Write all parts below an empty folder, an open descriptor; `time` is in seconds since 1970.

    A file's nanoseconds follow from its content: BuildKit takes files of one name, size and time for the same
    file, and one that it was sent before in the place of this one (moby/buildkit, issues 1368 and 4950).

    Raises SourceError.
    """
    writer = _Writer(root, time * 10**9)
    try:
        for part in parts:
            for folder in part.folders:
                os.mkdir(folder, 0o700, dir_fd=root)
        for part in parts:
            writer.write_files(part)
        for part in parts:
            for path, target in part.links.items():
                os.symlink(target, path, dir_fd=root)
                os.utime(path, ns=(writer.time, writer.time), dir_fd=root, follow_symlinks=False)
        for folder in (b".", *(each for part in parts for each in part.folders)):
            writer.finish_folder(folder)
    except OSError as error:
        raise SourceError(
            "the commit cannot be written out", why=str(error), next="free space below .autoclave/source"
        ) from error


class _Writer:
    def __init__(self, root: int, nanoseconds: int) -> None:
        self._root = root
        self.time = nanoseconds
        self._is_masked = _find_mask(root)

    def write_files(self, part: Part) -> None:
        """Write the files of a part: their contents come in the order in which they are requested."""
        contents = part.objects.stream([each.id for each in part.files], "blob")
        folder, opened = b"", os.open(b".", _FOLDER, dir_fd=self._root)
        try:
            for file, (size, chunks) in zip(part.files, contents, strict=True):
                where, _, name = file.path.rpartition(b"/")
                if where != folder:
                    following = os.open(where, _FOLDER, dir_fd=self._root)
                    os.close(opened)
                    opened, folder = following, where
                is_pointer = part.has_lfs and size < lfs.LARGEST
                body = _resolve(file, b"".join(chunks), part) if is_pointer else chunks
                self._write_file(name, file, body, opened)
        finally:
            os.close(opened)

    def finish_folder(self, folder: bytes) -> None:
        """Give a folder its mode and time, when everything is in it."""
        opened = os.open(folder, _FOLDER, dir_fd=self._root)
        try:
            os.fchmod(opened, 0o755)
            os.utime(opened, ns=(self.time, self.time))
        finally:
            os.close(opened)

    def _write_file(self, name: bytes, file: File, chunks: Iterable[bytes], folder: int) -> None:
        opened = os.open(name, _FLAGS, file.mode, dir_fd=folder)
        try:
            for chunk in chunks:
                written = os.write(opened, chunk)
                while written < len(chunk):
                    written += os.write(opened, chunk[written:])
            if self._is_masked:
                os.fchmod(opened, file.mode)
            time = self.time + int(file.id[:12], 16) % 10**9
            os.utime(opened, ns=(time, time))
        finally:
            os.close(opened)


def _resolve(file: File, body: bytes, part: Part) -> Iterable[bytes]:
    """Return the content that a pointer of Git LFS names, else the body itself."""
    pointer = lfs.read_pointer(file.path, body)
    return lfs.read(file.path, pointer, part.objects.repository.lfs_objects) if pointer else (body,)


def _find_mask(root: int) -> bool:
    """Return whether new files get other modes than they are given, by umask or by the folder's default."""
    name = b".mode"
    opened = os.open(name, _FLAGS, 0o755, dir_fd=root)
    try:
        return stat.S_IMODE(os.fstat(opened).st_mode) != 0o755
    finally:
        os.close(opened)
        os.unlink(name, dir_fd=root)
