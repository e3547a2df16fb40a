"""The files of a repository: their names, and the contents of those that say something about it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase

from msgspec import Struct

from autoclave.actions.starter.facts import Remark, assumed
from autoclave.device.files import PRIVATE
from autoclave.errors import SourceError
from autoclave.model.text import is_line
from autoclave.runtime.folder import Folder, Kind

MOST_FILES = 50_000
_DEEPEST = 20  # folders inside of each other
_LARGEST = 512 << 10  # bytes of one file
_MOST_READ = 1000  # files
_MOST_BYTES = 32 << 20  # of all files together
_PLAIN = re.compile(r"[A-Za-z0-9_.+/][A-Za-z0-9_.+/-]*")
_LONGEST = 500  # characters of a path
SKIPPED = frozenset(
    {*PRIVATE, ".venv", "venv", "node_modules", "vendor", "__pycache__", ".tox", ".gradle", ".idea"}
)
"""Folders that other people's code or a tool's own files are in."""


class Repository(Struct, frozen=True, kw_only=True):
    """Paths of all plain files, those near the root first; and the bytes of some of them.

    `known` are all paths, and the folders that they are in.
    """

    name: str
    paths: tuple[str, ...]
    known: frozenset[str]
    contents: Mapping[str, bytes]
    remarks: tuple[Remark, ...] = ()

    def has(self, path: str) -> bool:
        """Return whether there is a file of this path, or a folder with files in it."""
        return path in self.known


def make(
    name: str, paths: Iterable[str], contents: Mapping[str, bytes], remarks: Iterable[Remark] = ()
) -> Repository:
    """Return a repository with its folders worked out."""
    ordered = tuple(sorted(paths, key=lambda path: (path.count("/"), path)))
    folders = {above for path in ordered for above in parents(path)}
    return Repository(
        name=name,
        paths=ordered,
        known=frozenset({".", *ordered, *folders}),
        contents=contents,
        remarks=tuple(remarks),
    )


def read(folder: Folder, name: str, wanted: Callable[[str], bool]) -> Repository:
    """List a repository, and read the files whose path is wanted. Links and odd names are left out."""
    listing = _Listing()
    listing.walk(folder, "", 0)
    contents: dict[str, bytes] = {}
    room = _MOST_BYTES
    unread: list[str] = []
    for path in sorted(listing.paths, key=lambda path: (path.count("/"), path)):
        if not wanted(path):
            continue
        try:
            raw = folder.read(path, limit=min(_LARGEST, room)) if len(contents) < _MOST_READ else None
        except SourceError:
            raw = None
        if raw is None:
            unread.append(path)
            continue
        contents[path] = raw
        room -= len(raw)
    remarks = [*listing.remarks()]
    if unread:
        more = f" and {len(unread) - 3} more" if len(unread) > 3 else ""
        remarks.append(assumed(f"not read, because too large or unreadable: {', '.join(unread[:3])}{more}"))
    return make(name, listing.paths, contents, remarks)


class _Listing:
    """The plain files below a folder, up to a number and a depth."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._odd = self._deep = 0
        self._full = False

    def walk(self, folder: Folder, above: str, depth: int) -> None:
        if depth > _DEEPEST:
            self._deep += 1
            return
        try:
            names = folder.names()
        except SourceError:  # no rights, or it is being changed
            self._odd += 1
            return
        for name in names:
            path = f"{above}{name}"
            if len(self.paths) >= MOST_FILES:
                self._full = True
                return
            if not is_line(name) or "\\" in name or len(path) > _LONGEST:
                self._odd += 1
                continue
            try:
                kind = folder.kind(name)
            except SourceError:
                kind = None
            if kind is Kind.FILE:
                self.paths.append(path)
            elif kind is Kind.FOLDER and name not in SKIPPED:
                self.walk(folder.at(name), f"{path}/", depth + 1)

    def remarks(self) -> list[Remark]:
        found = []
        if self._full:
            found.append(assumed(f"only the first {MOST_FILES:,} files were looked at"))
        if self._odd or self._deep:
            found.append(
                assumed(
                    f"{self._odd + self._deep} names were left out: odd characters, too deep, or no rights"
                )
            )
        return found


def parents(path: str) -> tuple[str, ...]:
    """Return the folders that a path is in, the nearest first, `.` last."""
    found = []
    while path := posixpath.dirname(path):
        found.append(path)
    return (*found, ".")


def is_plain(path: str) -> bool:
    """Return whether a path means the same in a Dockerfile, in a shell and in a pattern."""
    return _PLAIN.fullmatch(path) is not None


def join(folder: str, path: str) -> str:
    """Return a path below a folder, normalised; empty when it leaves the repository."""
    made = posixpath.normpath(posixpath.join(folder, path))
    return "" if made.startswith(("/", "../")) or made == ".." else made


def below(path: str, folder: str) -> bool:
    """Return whether a path is in a folder, at any depth."""
    return folder == "." or path.startswith(f"{folder}/")


def relative(path: str, folder: str) -> str:
    """Return a path as it is written in a folder that it is below, or in one beside it."""
    return posixpath.relpath(path, folder)


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Return whether the last name of a path matches one of the patterns."""
    return any(fnmatchcase(posixpath.basename(path), each) for each in patterns)
