"""A git repository as files: where it is, and which commit is checked out.

git itself is not asked: it would obey the repository's configuration, and take a bare repository that lies
in the work tree for the one to read. Formats: gitrepository-layout(5), gitformat-pack(5), git-worktree(1).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from autoclave.errors import SourceError

_LARGEST = 64 << 10  # bytes of HEAD, a reference, a gitfile
_LARGEST_PACKED = 256 << 20  # bytes of packed-refs
_DEEPEST = 5  # references that refer to references, as in git
_ID = re.compile(rb"[0-9a-f]{40}([0-9a-f]{24})?")
_PART = re.compile(r"(?!.*\.lock\Z)(?!\.)(?!.*\.\.)[^\x00-\x20\x7f ~^:?*\[\\]+(?<!\.)")
_OF_THE_WORK_TREE = ("refs/bisect/", "refs/rewritten/", "refs/worktree/")


class Repository(Struct, frozen=True):
    """A repository: the work tree's top folder, the folder of its HEAD, and that of its objects.

    The last two differ in a linked work tree (git-worktree).
    """

    top: Path
    head: Path
    common: Path

    @property
    def objects(self) -> Path:
        """The folder of loose objects and packs."""
        return self.common / "objects"

    @property
    def lfs_objects(self) -> Path:
        """The folder of the objects that Git LFS has fetched."""
        return self.common / "lfs" / "objects"


def find(folder: Path) -> Repository | None:
    """Return the repository whose work tree a folder belongs to: the nearest one. Raises SourceError."""
    for each in (folder, *folder.parents):
        if found := open_at(each):
            return found
    return None


def open_at(top: Path) -> Repository | None:
    """Return the repository of exactly this work tree: by its folder or file `.git`. Raises SourceError."""
    head = top / ".git"
    if not head.is_dir():
        text = _read(head)
        if text is None:
            return None
        if not text.startswith(b"gitdir:"):
            raise SourceError(
                f"{head} is neither a repository nor names one", next="clone the repository anew"
            )
        head = top / os.fsdecode(text.removeprefix(b"gitdir:").strip())
    common = head
    if (text := _read(head / "commondir")) is not None:
        common = head / os.fsdecode(text.strip())
    if not (common / "objects").is_dir() or not (head / "HEAD").exists():
        if head == top / ".git":
            return None  # an empty folder of that name: git does not take it for a repository either
        raise SourceError(
            f"{top / '.git'} names a repository that is missing",
            why=f"{head} is not one",
            next="check the repository out again (a submodule: git submodule update --init)",
        )
    return Repository(top, head, common)


def require_at(top: Path) -> Repository:
    """Return the repository of exactly this work tree. Raises SourceError."""
    found = open_at(top)
    if found is None:
        raise SourceError(f"{top} has no repository")
    return found


def read_head(repository: Repository) -> str:
    """Return the id of the commit that is checked out; empty before the first commit. Raises SourceError."""
    if (repository.common / "reftable").exists():
        raise SourceError(
            f"{repository.common} keeps its references in reftables, which are not read here",
            next="convert it: git refs migrate --ref-format=files",
        )
    text = _read(repository.head / "HEAD") or b""
    for _ in range(_DEEPEST):
        if not text.startswith(b"ref:"):
            return _check_id(text, repository)
        name = _check_name(text.removeprefix(b"ref:").strip(), repository)
        where = repository.head if name.startswith(_OF_THE_WORK_TREE) else repository.common
        found = _read(where / name)
        if found is None:
            return _find_packed(name, repository)
        text = found
    raise SourceError(
        f"HEAD of {repository.head} refers to references that never end",
        next="check out a branch or a commit",
    )


def require_own_objects(repository: Repository) -> None:
    """Refuse a repository that borrows objects from elsewhere. Raises SourceError."""
    common = repository.common.resolve()
    pending, seen = [repository.objects.resolve()], set[Path]()
    while pending:
        folder = pending.pop()
        if not folder.is_relative_to(common):
            raise SourceError(
                f"the repository {repository.top} borrows objects from {folder}",
                why="what is built must come out of the repository itself",
                next="git repack -a -d && rm -f .git/objects/info/alternates",
            )
        if folder not in seen:
            seen.add(folder)
            pending += _alternates(folder)


def _alternates(objects: Path) -> Iterator[Path]:
    for line in (_read(objects / "info" / "alternates") or b"").splitlines():
        if line and not line.startswith(b"#"):
            yield (objects / os.fsdecode(line)).resolve()


def _find_packed(name: str, repository: Repository) -> str:
    wanted = os.fsencode(name)
    packed = _read(repository.common / "packed-refs", limit=_LARGEST_PACKED) or b""
    for line in packed.splitlines():
        identity, _, named = line.partition(b" ")
        if named == wanted:
            return _check_id(identity, repository)
    return ""


def _check_id(text: bytes, repository: Repository) -> str:
    found = text.strip()
    if not _ID.fullmatch(found):
        raise SourceError(
            f"the checked-out commit of {repository.top} cannot be read",
            why=f"{repository.head / 'HEAD'} or what it refers to is not the id of a commit",
            next="check out a branch or a commit",
        )
    return found.decode()


def _check_name(raw: bytes, repository: Repository) -> str:
    name = os.fsdecode(raw)
    parts = name.split("/")
    if len(parts) < 2 or parts[0] != "refs" or not all(_PART.fullmatch(each) for each in parts):
        raise SourceError(
            f"HEAD of {repository.head} refers to {name[:100]!r}, which is not the name of a reference",
            next="check out a branch or a commit",
        )
    return name


def _read(path: Path, *, limit: int = _LARGEST) -> bytes | None:
    """Return the content of a regular file, None when there is none. Raises SourceError."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{path} cannot be read", why=str(error), next="clone the repository anew"
        ) from error
    with os.fdopen(opened, "rb") as file:
        mode = os.fstat(opened).st_mode
        if stat.S_ISDIR(mode):
            return None
        if not stat.S_ISREG(mode):
            raise SourceError(f"{path} is not a regular file", next="clone the repository anew")
        found = file.read(limit + 1)
    if len(found) > limit:
        raise SourceError(f"{path} is larger than {limit} bytes", next="clone the repository anew")
    return found
