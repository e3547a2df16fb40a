"""`autoclave key new`: a key in a file, for a person (with a passphrase) or for a pipeline."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import click

from autoclave.actions import trust_file
from autoclave.cli.click_options import make_command
from autoclave.cli.commands.trust.add import (
    KeyName,
    May,
    PersonId,
    PersonName,
    PersonRoles,
    choose_roles,
    default_name,
)
from autoclave.context import Context
from autoclave.device.schema import FILE
from autoclave.device.source import repository
from autoclave.errors import ConfigError, UsageError
from autoclave.evidence import trust_text
from autoclave.evidence.trust_text import NewKey
from autoclave.runtime.options import Common, option
from autoclave.signers import development, key_pair, passphrase

_TEXT = "make a key in a file, for a person (with a passphrase) or for a pipeline"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
_RESERVED = frozenset(development.NAMES)


class Options(Common, frozen=True, kw_only=True):
    """Options of `autoclave key new`."""

    person: PersonId = ""
    person_name: PersonName = ""
    role: PersonRoles = ()
    may: May = ()
    name: KeyName = ""
    output: Annotated[
        str, option("the folder of its two files; none: ~/.config/autoclave/keys", short="-o")
    ] = ""
    passphrase_from: Annotated[
        str, option("the variable of the environment that has the passphrase; none: ask at the terminal")
    ] = ""
    no_passphrase: Annotated[bool, option("do not encrypt a pipeline's key")] = False
    algorithm: Annotated[str, option("the kind of key", choices=key_pair.ALGORITHMS)] = key_pair.ALGORITHMS[0]


def command() -> click.Command:
    """Return the command."""
    return make_command("new", _TEXT, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    may = choose_roles(opts.may, opts.person)
    person = trust_file.complete_person(opts.person, opts.person_name, opts.role, None)
    name = _choose_name(opts, ctx)
    folder = Path(opts.output).absolute() if opts.output else development.folder()
    _refuse_checkout(folder)
    made = key_pair.make(folder, name, opts.algorithm, _choose_passphrase(opts, name))
    key = NewKey(name=name, pem=made.pem.decode(), may=may, person=person)
    ending = f"?passphrase-from={opts.passphrase_from}" if opts.passphrase_from else ""
    uri = f"file:{made.private}{ending}"
    words = [f"--name {shlex.quote(name)}", *(f"--may {each}" for each in may)]
    if person:
        words += [f"--person {person.id}", f"--person-name {shlex.quote(person.name)}"]
        words += [f"--role {each}" for each in person.roles]
    lines = [
        f"private: {made.private}   keep it: who has it, and its passphrase, signs as "
        f"{person.name if person else name}",
        f"public:  {made.public}   give it to who keeps the trust file, who lets it count with",
        f"  autoclave trust add {shlex.quote(str(made.public))} {' '.join(words)} --trust FILE",
        "or with these lines in the trust file",
        *(f"  {each}" for each in trust_text.entry(key).strip().splitlines()),
        f"to sign: --key {shlex.quote(uri)}",
    ]
    ctx.screen.result(
        "\n".join(lines),
        {"private": str(made.private), "public": str(made.public), "uri": uri, "pem": key.pem, "name": name},
    )


def _choose_name(opts: Options, ctx: Context) -> str:
    name = opts.name or default_name(opts.person, "", ctx)
    if not name:
        raise UsageError(
            "the key has no name", why="its files are called by it", next="as in: --name steps-2026"
        )
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise UsageError(
            f"{name[:100]!r} cannot be the name of a key",
            why="development keys have that name" if name in _RESERVED else "its two files are called by it",
            next="use letters, digits and . _ @ + - and begin with a letter or digit, as in ada-2026",
        )
    return name


def _choose_passphrase(opts: Options, name: str) -> Callable[[], bytes | None]:
    """Return the function that asks for the passphrase. Raises UsageError for a person's key without one."""
    if not opts.no_passphrase:
        return partial(passphrase.choose, f"the key {name}", opts.passphrase_from)
    if opts.person or opts.passphrase_from:
        raise UsageError(
            "a person's key has a passphrase"
            if opts.person
            else "--no-passphrase and --passphrase-from differ",
            why="whoever copies the file could sign as that person" if opts.person else "",
            next="leave out --no-passphrase",
        )
    return lambda: None


def _refuse_checkout(folder: Path) -> None:
    """Refuse a folder in a repository: a private key that is committed once is public for ever."""
    here = folder.resolve()
    nearest = next(each for each in (here, *here.parents) if each.exists())
    if repository.find(nearest) or any((each / FILE).exists() for each in (nearest, *nearest.parents)):
        raise ConfigError(
            f"the key would be in the repository of {nearest}",
            why="a private key that is committed once is known to everybody who can fetch it",
            next="name another folder with --output, or leave it out for your own",
        )
