"""Why the engine does not answer, and what the user types to change that."""

from __future__ import annotations

import errno
import getpass
import grp
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

_RIGHTS = "its members have the rights of root; a rootless engine needs no such group"
_LONGEST = 300  # characters of an error of the SDK that are shown


class Silence(Struct, frozen=True):
    """Why there is no answer, and what to do."""

    why: str
    next: str


class User(Struct, frozen=True):
    """Whoever runs this: their name, the groups of this session, and whether a group lists them."""

    name: str
    groups: frozenset[int]
    is_listed: bool = False


def explain(error: BaseException, address: str) -> Silence:
    """Explain an error of the engine's connection at an address (`unix:///…`, `tcp://HOST:PORT`)."""
    cause = next((each for each in _chain(error) if isinstance(each, OSError) and each.errno), None)
    code = cause.errno if cause else 0
    scheme, _, path = address.partition("://")
    if scheme != "unix":
        what = (
            (cause.strerror or "")
            if cause and address
            else f"{type(error).__name__}: {str(error)[:_LONGEST]}"
        )
        why = f"{address}: {what}" if address else what
        return Silence(why, "check that it runs, and what DOCKER_HOST names ('docker version' asks it too)")
    if code in {errno.EACCES, errno.EPERM}:
        return explain_refusal(path, *read_socket(path))
    if code == errno.ENOENT:
        return Silence(f"there is no socket at {path}", _start_hint())
    if code == errno.ECONNREFUSED:
        return Silence(f"nothing listens on {path}: the engine was stopped", _start_hint())
    return Silence(f"{type(error).__name__}: {str(error)[:_LONGEST]}", _start_hint())


def read_socket(path: str) -> tuple[str, int, User]:
    """Return the group of a socket, by name and id, and who runs this."""
    try:
        gid = Path(path).stat().st_gid
    except OSError:  # a folder above it is closed
        return "docker", -1, _read_user([])
    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return str(gid), gid, _read_user([])
    return group.gr_name, gid, _read_user(group.gr_mem)


def _read_user(members: list[str]) -> User:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an id without an entry, as of a container
        name = str(os.geteuid())
    return User(name, frozenset({*os.getgroups(), os.getegid()}), is_listed=name in members)


def explain_refusal(path: str, group: str, gid: int, user: User) -> Silence:
    """Explain that a user may not use a socket: the group whose members may, and how to become one."""
    why = f"{user.name} may not use {path}, which is for members of the group {group}"
    if gid in user.groups:
        return Silence(
            f"{user.name} may not use {path}, although a member of {group}",
            f"see its mode, and what forbids it: ls -l {path}",
        )
    if user.is_listed:
        return Silence(
            f"{why}: {user.name} became one after this session began",
            f"log out and in again, or for this terminal: newgrp {group}",
        )
    if group == "root" or gid == 0:
        next_step = "run a rootless engine and name it with DOCKER_HOST, or let root give the socket a group"
    elif user.name.isdigit():
        next_step = f"in a container, start it with: --group-add {gid}"
    else:
        next_step = f"sudo usermod -aG {group} {user.name}, then log out and in again (or: newgrp {group})"
    return Silence(why, f"{next_step}\n{_RIGHTS}")


def _start_hint() -> str:
    if sys.platform == "darwin":
        return "start it: open Docker Desktop (or 'colima start'); DOCKER_HOST selects another engine"
    return (
        "start it: sudo systemctl start docker (none installed: docs.docker.com/engine/install, on Debian "
        "apt-get install docker.io); DOCKER_HOST selects another engine"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, and those that led to it: the SDK wraps them, some as arguments."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        each = queue.pop(0)
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            queue += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
