"""The text of a trust file: a new one that explains itself, and one with another key, its comments kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import tomlkit
from msgspec import Struct
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table

from autoclave.errors import ConfigError
from autoclave.model.declared import Person

HEADER = """\
# The trust file: which public key may sign what, and where. It belongs to the organisation: keep it where no
# device repository can change it, and name it to people and jobs with --trust or AUTOCLAVE_TRUST.
# 'autoclave trust add' adds a key, 'autoclave trust list' explains the file, 'autoclave trust check' compares
# it with the policy and with the records of a device. Edit it by hand to change or remove a key.
#
#   name      how messages call the key
#   public    the public key: the PEM text, or the name of a file beside this one
#   may       what it may sign: build, unit-test, scan, deploy, release (a pipeline),
#             waive, approve (a person), vex (a supplier)
#   places    where it counts, as 'autoclave plan' prints places; left out: everywhere
#   person    whose key it is: id, printed name, roles in the organisation
#   packages  for which packages a supplier may sign, as ["pkg:pypi/flask"]
"""


class NewKey(Struct, frozen=True, kw_only=True):
    """A key to add to a trust file; see `trust.TrustedKey`. `pem` is its public half."""

    name: str
    pem: str
    may: Sequence[str]
    places: Sequence[str] = ()
    person: Person | None = None
    packages: Sequence[str] = ()


def add(text: str, key: NewKey, fingerprint: str, today: date) -> str:
    """Return the text of a trust file with another key at the end of its keys. Raises ConfigError.

    Everything else stays as it is, comments and order too; an empty text becomes a new file.
    """
    try:
        document = tomlkit.parse(text or HEADER + "\n")
        listed = document.get("key")
        if listed is None:
            listed = tomlkit.aot()
            document.add("key", listed)
        if not isinstance(listed, AoT):
            raise ConfigError(
                "the keys of this trust file are not written as [[key]] tables",
                why="another way of writing them cannot be edited without losing comments",
                next="write each key as a [[key]] table, or add the new one by hand",
            )
        listed.append(_table(key, fingerprint, today))
        return tomlkit.dumps(document)
    except (TOMLKitError, RecursionError, ValueError) as error:
        raise ConfigError(
            "the trust file cannot be edited", why=str(error), next="add the key by hand: docs/keys.md"
        ) from error


def entry(key: NewKey) -> str:
    """Return a key as the TOML text of its table, for people to paste."""
    listed = tomlkit.aot()
    listed.append(_table(key, "", None))
    document = tomlkit.document()
    document.add("key", listed)
    return tomlkit.dumps(document)


def _table(key: NewKey, fingerprint: str, today: date | None) -> Table:
    table = tomlkit.table()
    if today:
        table.add(tomlkit.comment(f"added {today}; fingerprint {fingerprint}"))
    table.add("name", key.name)
    table.add("public", tomlkit.value(f'"""\n{key.pem.strip()}\n"""'))
    table.add("may", list(key.may))
    if key.places:
        table.add("places", list(key.places))
    if key.packages:
        table.add("packages", list(key.packages))
    if key.person:
        holder = tomlkit.inline_table()
        holder.update({"id": key.person.id, "name": key.person.name, "roles": list(key.person.roles)})
        table.add("person", holder)
    table.add(tomlkit.nl())
    return table
