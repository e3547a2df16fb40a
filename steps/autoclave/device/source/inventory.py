"""What a commit has below the device folder: every file, link and submodule, out of verified trees."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from autoclave.device.source import trees
from autoclave.device.source.objects import Objects
from autoclave.device.source.trees import show
from autoclave.errors import SourceError

_MOST_ENTRIES = 2_000_000
_LONGEST_PATH = 4000  # bytes
_LARGEST_TREE = 64 << 20  # bytes
_LARGEST_COMMIT = 16 << 20
_LARGEST_ATTRIBUTES = 4 << 20
_LONGEST_LINK = 4096
_ATTRIBUTES = b".gitattributes"


class Commit(Struct, frozen=True):
    """A commit: its id, that of its tree, and when it was made (seconds since 1970)."""

    id: str
    tree: str
    time: int


class File(Struct, frozen=True):
    """A file: its path below the device folder, the id of its content, and 0o644 or 0o755."""

    path: bytes
    id: str
    mode: int


class Part(Struct, frozen=True):
    """All entries that come out of one repository: the device's own, or a submodule's.

    `folders` come before what is in them. `links` maps paths to targets. `has_lfs` is whether a file of
    attributes gives files to Git LFS.
    """

    objects: Objects
    folders: tuple[bytes, ...]
    files: tuple[File, ...]
    links: dict[bytes, bytes]
    has_lfs: bool


def read_commit(objects: Objects, identity: str) -> Commit:
    """Read a commit. Raises SourceError."""
    head = objects.read(identity, "commit", limit=_LARGEST_COMMIT).partition(b"\n\n")[0]
    fields = dict(line.split(b" ", 1) for line in reversed(head.splitlines()) if b" " in line)
    try:
        tree = fields[b"tree"].decode("ascii")
        time = int(fields[b"committer"].rsplit(b" ", 2)[1])
    except (KeyError, ValueError, IndexError) as error:
        raise SourceError(f"the commit {identity} is damaged", next="check it: git fsck") from error
    return Commit(identity, tree, max(0, min(time, 1 << 33)))


def find_tree(commit: Commit, folder: Path, objects: Objects) -> tuple[str, bool]:
    """Return the id of a folder's tree (`folder` is relative to the top; empty when nothing of it is
    committed), and whether attributes of the folders above it give files to Git LFS.
    """
    tree, has_lfs = commit.tree, False
    for name in map(os.fsencode, folder.parts):
        entries = _read_tree(tree, b"", objects)
        has_lfs = has_lfs or _names_lfs([each for _, path, each in entries if path == _ATTRIBUTES], objects)
        tree = next((each for mode, path, each in entries if path == name and mode == trees.FOLDER), "")
        if not tree:
            return "", False
    return tree, has_lfs


def read_parts(
    objects: Objects,
    tree: str,
    *,
    has_lfs: bool,
    open_module: Callable[[bytes, str], tuple[Objects, str]],
) -> Iterator[Part]:
    """Yield what a tree has, then what its submodules have, at any depth.

    `open_module` returns the repository of a submodule, by path and commit, and the id of that commit's tree.
    """
    pending = [(objects, tree, b"", has_lfs)]
    left = _MOST_ENTRIES
    while pending:
        source, root, prefix, has_lfs = pending.pop()
        part, modules = _read_part(source, root, prefix, left, has_lfs=has_lfs)
        left -= len(part.files) + len(part.folders)
        yield part
        for path, commit in modules:
            opened, module_tree = open_module(path, commit)
            pending.append((opened, module_tree, path, False))


def _read_part(
    objects: Objects, root: str, prefix: bytes, most: int, *, has_lfs: bool
) -> tuple[Part, list[tuple[bytes, str]]]:
    folders, files = [prefix] if prefix else [], list[File]()
    links, modules = list[tuple[bytes, str]](), list[tuple[bytes, str]]()
    level = [(prefix, root)]
    while level:
        below: list[tuple[bytes, str]] = []
        for path, entries in _read_level(level, objects):
            for mode, name, identity in entries:
                if mode in (trees.FILE, trees.PROGRAM):
                    files.append(File(name, identity, mode))
                elif mode == trees.FOLDER:
                    below.append((name, identity))
                else:
                    (links if mode == trees.LINK else modules).append((name, identity))
            if len(path) > _LONGEST_PATH or len(files) + len(folders) + len(below) > most:
                raise SourceError(
                    f"the commit has more than {_MOST_ENTRIES:,} entries, or too long a path",
                    why=f"at '{show(path)[:200]}'",
                    next="nobody builds from that: name the device's own folder with -C",
                )
        folders += [path for path, _ in below]
        level = below
    targets = objects.read_all([each for _, each in links], "blob", limit=_LONGEST_LINK)
    attributes = [each.id for each in files if each.path.rpartition(b"/")[2] == _ATTRIBUTES]
    found = Part(
        objects=objects,
        folders=tuple(folders),
        files=tuple(files),
        links={path: target for (path, _), target in zip(links, targets, strict=True)},
        has_lfs=_names_lfs(attributes, objects) or has_lfs,
    )
    return found, modules


def _read_level(
    level: Sequence[tuple[bytes, str]], objects: Objects
) -> Iterator[tuple[bytes, list[tuple[int, bytes, str]]]]:
    identities = [each for _, each in level]
    bodies = objects.read_all(identities, "tree", limit=_LARGEST_TREE)
    for (path, identity), raw in zip(level, bodies, strict=True):
        yield path, trees.parse(raw, path, len(identity) // 2)


def _read_tree(identity: str, folder: bytes, objects: Objects) -> list[tuple[int, bytes, str]]:
    raw = objects.read(identity, "tree", limit=_LARGEST_TREE)
    return trees.parse(raw, folder, len(identity) // 2)


def _names_lfs(identities: Sequence[str], objects: Objects) -> bool:
    found = False
    for raw in objects.read_all(list(dict.fromkeys(identities)), "blob", limit=_LARGEST_ATTRIBUTES):
        found = found or b"filter=lfs" in raw
    return found
