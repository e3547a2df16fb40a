"""The layers of an image one after the other: what each did to its files and to its package databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from autoclave.inventory import packages
from autoclave.inventory.rpm import is_rpm
from autoclave.model.digest import digest_of
from autoclave.store.archive.overlay import Entry, Files, Layer, Tree

LARGEST, LARGEST_OF_ALL = 64 * 1024 * 1024, 512 * 1024 * 1024
"""Bytes that are kept of one file, and of all files of databases together."""
_MERGED = ("bin/", "sbin/", "lib/", "lib32/", "lib64/", "libx32/")
_ELF = b"\x7fELF"
_BUILD_INFO = b"\xff Go buildinf:"  # debug/buildinfo of Go: scanners read the modules of such a program


class State(Struct, frozen=True):
    """A package database after a layer: its files' digests, the packages, what their files contained then."""

    layer: int
    command: str
    digests: dict[str, str]
    found: dict[str, packages.Package]
    contents: dict[str, str]


class _Seen(Struct, frozen=True):
    """A file of the layer that is being read: its size, what is kept of it, and whether that is all of it."""

    size: int
    kept: bytearray
    is_whole: bool


Reader = Callable[[Mapping[str, bytes]], dict[str, packages.Package]]


class Kind(Struct, frozen=True):
    """A kind of database: which files belong to it, which of them list packages, and how they are read."""

    name: str
    is_part: Callable[[str], bool]
    is_list: Callable[[str], bool]
    read: Reader


KINDS = (
    Kind("dpkg", packages.is_dpkg, packages.is_dpkg_status, packages.read_dpkg),
    Kind("apk", packages.APK.__contains__, packages.APK.__contains__, packages.read_apk),
    Kind("rpm", is_rpm, is_rpm, lambda files: {}),
)


class History:
    """What was seen of the layers so far: give it to `read_layer` as its watch, and then add the layer.

    `written` is the number of the layer that wrote each path last; `states`
    are those of each kind of database, one for each layer that changed it. `programs` are the sizes of
    programs and libraries by digest.
    """

    def __init__(self) -> None:
        self._tree = Tree()
        self.written: dict[str, int] = {}
        self.states: dict[str, list[State]] = {kind.name: [] for kind in KINDS}
        self.programs: dict[str, int] = {}
        self.bodies: dict[str, bytes] = {}
        # By path: what a layer has twice is there as it was the last time, as engines extract it.
        self._seen: dict[str, _Seen] = {}
        self._described: dict[str, dict[str, str]] = {kind.name: {} for kind in KINDS}
        self._left = LARGEST_OF_ALL
        self._count = 0

    @property
    def files(self) -> Files:
        """What a container sees."""
        return self._tree.files

    def watch(self, path: str, size: int) -> Callable[[bytes], object] | None:
        """Keep the content of a file of a database, and the beginning of every other one."""
        kept = bytearray()
        whole = is_kept(path) and size <= min(LARGEST, self._left)
        self._seen[path] = _Seen(size, kept, whole)
        if whole:
            self._left -= size
            return kept.extend
        return lambda chunk: _look(chunk, kept)

    def add(self, layer: Layer, command: str) -> None:
        """Lay a layer, which was just read, over the ones before."""
        entries = {path: entry for path, entry in layer if entry}
        for path, seen in self._seen.items():
            entry = entries.get(path)
            if entry and entry.kind == "file":
                self._keep(entry.content, seen)
        self._seen.clear()
        self._tree.lay(layer)
        self._count += 1
        self.written.update(dict.fromkeys(entries, self._count))
        for kind in KINDS:
            digests = {path: entry.content for path, entry in self.files.items() if kind.is_part(path)}
            if digests != self._described[kind.name]:
                self._described[kind.name] = digests
                self._remember(kind, command, digests)

    def body(self, path: str) -> bytes | None:
        """Return the content of a file as a container sees it, if it is kept."""
        entry = self.files.get(path)
        return self.bodies.get(entry.content) if entry and entry.kind == "file" else None

    def find(self, path: str) -> tuple[str, Entry] | None:
        """Return where a file is that a package names, with its entry: /bin may be below /usr."""
        for each in (path, f"usr/{path}") if path.startswith(_MERGED) else (path,):
            if (entry := self.files.get(each)) and entry.kind in {"file", "link"}:
                return each, entry
        return None

    def _keep(self, digest: str, seen: _Seen) -> None:
        kept = bytes(seen.kept)
        # A hard link of the same path may have come later: then the path has another file's digest.
        if seen.is_whole and digest_of(kept) == digest:
            self.bodies[digest] = kept
        if kept.startswith(_ELF) and not kept.endswith(_BUILD_INFO):
            self.programs[digest] = max(seen.size, self.programs.get(digest, 0))

    def _remember(self, kind: Kind, command: str, digests: dict[str, str]) -> None:
        bodies = {path: body for path in digests if (body := self.body(path)) is not None}
        found = kind.read(bodies)
        paths = (path for each in found.values() for path in each.files)
        contents = {path: there[1].content for path in paths if (there := self.find(path))}
        state = State(self._count, command, digests, found, contents)
        self.states[kind.name].append(state)


def _look(chunk: bytes, kept: bytearray) -> None:
    """Keep how a file begins, and whether it says of which Go modules it is made."""
    if not kept:
        kept.extend(chunk[: len(_ELF)])
    if kept == _ELF and _BUILD_INFO in chunk:
        kept.extend(_BUILD_INFO)


def is_kept(path: str) -> bool:
    """Return whether the content of a file is needed."""
    return any(kind.is_part(path) for kind in KINDS) or is_record(path) or path == REPOSITORIES


def is_record(path: str) -> bool:
    """Return whether a file lists the files of an installed Python package (PEP 376)."""
    return path.endswith((".dist-info/RECORD", ".egg-info/installed-files.txt"))


REPOSITORIES = "etc/apk/repositories"


def list_states(history: History) -> Iterator[tuple[Kind, list[State]]]:
    """Yield each kind of database that any layer had, with its states, lowest layer first."""
    for kind in KINDS:
        if states := history.states[kind.name]:
            yield kind, states
