"""Trees of git, read without git: entries with names that are safe to write, and modes that are known.

Formats: gitformat-index(5) for modes, git-fsck(1) for what a name must not be.
"""

from __future__ import annotations

import re
from typing import Final

from autoclave.errors import SourceError

FILE: Final = 0o644
PROGRAM: Final = 0o755
FOLDER: Final = 0o40000
LINK: Final = 0o120000
MODULE: Final = 0o160000

_MODES = {
    b"100644": FILE,
    b"100664": FILE,
    b"100755": PROGRAM,
    b"40000": FOLDER,
    b"040000": FOLDER,
    b"120000": LINK,
    b"160000": MODULE,
}
_GIT = re.compile(r"(\.git|git~1)[ .]*(:.*)?", re.IGNORECASE | re.DOTALL)
# Characters that HFS+ leaves out of names.
_UNSEEN = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


def parse(raw: bytes, folder: bytes, id_bytes: int) -> list[tuple[int, bytes, str]]:
    """Return mode, path and id of a tree's entries; `folder` is its path. Raises SourceError."""
    found: list[tuple[int, bytes, str]] = []
    names: set[bytes] = set()
    prefix = folder + b"/" if folder else b""
    at = 0
    while at < len(raw):
        space = raw.find(b" ", at)
        end = raw.find(b"\0", space)
        if space < 0 or end < 0 or end + 1 + id_bytes > len(raw):
            raise SourceError(f"the tree of '{show(folder) or '.'}' is damaged", next="check it: git fsck")
        name = raw[space + 1 : end]
        mode = _MODES.get(raw[at:space])
        if mode is None:
            raise SourceError(
                f"'{show(prefix + name)}' has the mode {show(raw[at:space])[:20]}, which is not known",
                why="files are 100644 or 100755, links 120000, submodules 160000",
                next="commit it again: git rm --cached it, then git add it",
            )
        if name in names or not is_safe(name):
            raise SourceError(
                f"'{show(prefix + name)}' is not a name that a file may have",
                why="it is there twice"
                if name in names
                else "it would not stay in its folder, or is git's own",
                next="rename it, and commit that",
            )
        names.add(name)
        found.append((mode, prefix + name, raw[end + 1 : end + 1 + id_bytes].hex()))
        at = end + 1 + id_bytes
    return found


def is_safe(name: bytes) -> bool:
    """Return whether a name is one path component, and neither git's own nor one that looks like it."""
    if name in {b"", b".", b".."} or b"/" in name:
        return False
    if b"git" not in name.lower() and name.isascii():
        return True
    text = _UNSEEN.sub("", name.decode("utf-8", "replace"))
    return not any(_GIT.fullmatch(part) for part in text.split("\\"))


def show(path: bytes) -> str:
    """Return a path for a message."""
    return path.decode("utf-8", "backslashreplace")
