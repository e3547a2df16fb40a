"""Add a key to the organisation's trust file: one writer at a time, and only if the result can be used."""

from __future__ import annotations

import fcntl
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from autoclave.device.repository import refuse_own
from autoclave.errors import Busy, ConfigError, SourceError, UsageError
from autoclave.evidence import trust, trust_text
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.evidence.trust_export import fingerprint
from autoclave.evidence.trust_text import NewKey
from autoclave.model.declared import Person
from autoclave.runtime.folder import Folder

_LARGEST = 16 << 20  # bytes, as of every TOML file
_MODE = 0o644


def add(path: Path, key: NewKey, today: date, *, device: Path) -> tuple[TrustedKey, bool]:
    """Add a key to a trust file, or make the file; return the key, and whether the file is new.

    The file that a link names is changed, and not the link. Raises ConfigError, SignerError, SourceError for
    what must not or cannot be written; the file is then as it was.
    """
    refuse_own(path, device, "trust file")
    where = path.resolve()
    folder = Folder(where.parent)
    with _translate(where), _hold(folder):
        is_new = folder.kind(where.name) is None
        before = "" if is_new else _read(folder, where)
        if not is_new:
            trust.parse(before, where)  # what is wrong already is not this key's fault
        probe = trust_text.add(before, key, "", today)
        found = _find(trust.parse(probe, where), key.name)
        text = trust_text.add(before, key, fingerprint(found), today)
        found = _find(trust.parse(text, where), key.name)
        mode = _MODE if is_new else stat.S_IMODE(where.stat().st_mode)
        folder.write(where.name, [text.encode()], mode=mode, durable=True)
    return found, is_new


def complete_person(user: str, name: str, roles: tuple[str, ...], known: Trust | None) -> Person | None:
    """Return the person that options describe; what they leave out is taken from the person's other keys.

    Raises UsageError when it is nowhere, and ConfigError when it is described in another way already.
    """
    if not user:
        if name or roles:
            raise UsageError(
                "--person-name and --role describe a person, and --person is missing",
                next="name the person's id as well: --person ada",
            )
        return None
    there = (
        next((each.person for each in known.keys if each.person and each.person.id == user), None)
        if known
        else None
    )
    if there is None:
        if not name or not roles:
            raise UsageError(
                f"the person '{user}' needs {'--role' if name else '--person-name'}",
                why="the printed name is shown with each signature, and gates count roles",
                next=f'as in: --person {user} --person-name "Ada Quality" --role quality',
            )
        return Person(id=user, name=name, roles=roles)
    if (name and name != there.name) or (roles and set(roles) != set(there.roles)):
        raise ConfigError(
            f"the trust file describes '{user}' as {there.name}, {', '.join(there.roles)}",
            why="a person has one name and the same roles in each entry",
            next="leave out --person-name and --role, or change the entries that are there by hand first",
        )
    return there


def _find(found: Trust, name: str) -> TrustedKey:
    return next(each for each in found.keys if each.name == name)


def _read(folder: Folder, path: Path) -> str:
    try:
        return folder.read(path.name, limit=_LARGEST).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8", why=str(error), next="write it as UTF-8") from error


@contextmanager
def _hold(folder: Folder) -> Iterator[None]:
    """Hold the folder against another writer; no file is left behind for it."""
    with folder.make().opened() as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(
                f"another command is writing in {folder.path}",
                why="two that write at once would lose one key",
                next="repeat the command",
            ) from error
        yield


@contextmanager
def _translate(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"{path} cannot be written",
            why=error.strerror or str(error),
            next="write it as somebody who may, such as with sudo",
        ) from error
