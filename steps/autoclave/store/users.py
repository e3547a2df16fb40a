"""Which number a container's user has: the image's USER, looked up in the image's own files.

Source: moby/sys, user/user.go (`GetExecUser`, `ParsePasswdFilter`), which Docker, containerd and Podman use.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from autoclave.store.archive import layers
from autoclave.store.archive.overlay import Files
from autoclave.store.base import Store
from autoclave.store.image import CONFIG_LIMIT, read_identity
from autoclave.store.oci import parse_manifest

_USERS = "etc/passwd"
_LARGEST_ID = (1 << 31) - 1
_LARGEST_FILE = 16 << 20
_MOST_LINKS = 40  # Linux: MAXSYMLINKS


def resolve_user(store: Store, digest: str) -> int | None:
    """Return the user id that a container of an image has; None when an engine refuses to start it.

    Raises StoreError when the image cannot be read.
    """
    user = read_identity(store, digest).user.partition(":")[0]
    if not user:
        return 0
    if re.fullmatch(r"[+-]?[0-9]+", user):  # a number is one, whatever the image's files say
        number = int(user) if len(user) < 20 else -1
        return number if 0 <= number <= _LARGEST_ID else None
    return _number_of(user, _read_passwd(store, digest))


def _number_of(user: str, passwd: str) -> int | None:
    """Return the number of the first entry of a name; a number that is none counts as 0 there."""
    for line in passwd.split("\n"):  # no other character ends a line
        fields = [*line.strip().split(":"), "", "", ""]
        if fields[0] == user:
            number = int(fields[2]) if re.fullmatch(r"[+-]?[0-9]{1,19}", fields[2]) else 0
            return number if 0 <= number <= _LARGEST_ID else None
    return None


def _read_passwd(store: Store, digest: str) -> str:
    """Return /etc/passwd as a container sees it, through links of the image; empty without one."""
    files = layers.files_of(store, digest)
    path = resolve_path(files, _USERS)
    entry = files.get(path)
    if entry is None or entry.kind != "file":
        return ""
    manifest = parse_manifest(store.read(digest, limit=CONFIG_LIMIT), digest)
    for layer in reversed(manifest.layers):
        raw = layers.read_file(store.chunks(layer.digest), entry.content, limit=_LARGEST_FILE)
        if raw is not None:
            return raw.decode("utf-8", "replace")
    return ""


def resolve_path(files: Files, path: str) -> str:
    """Return where a path of an image leads, through its links; they cannot leave the image."""
    done = PurePosixPath()
    left = list(PurePosixPath(path).parts)
    for _ in range(_MOST_LINKS * 256):
        if not left:
            break
        part = left.pop(0)
        if part == "..":
            done = done.parent
            continue
        entry = files.get(str(done / part))
        if entry is None or entry.kind != "link":
            done /= part
            continue
        target = PurePosixPath(entry.content)
        done = PurePosixPath() if target.is_absolute() else done
        left = [*target.parts[1 if target.is_absolute() else 0 :], *left]
    return str(done)
