"""`autoclave trust add PUBLIC`: let a public key sign something, in the organisation's trust file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import click

from autoclave.actions import trust_file
from autoclave.cli.click_options import make_command
from autoclave.context import Context
from autoclave.errors import UsageError
from autoclave.evidence import trust
from autoclave.evidence.trust import PERSONAL, ROLES, SUPPLIER
from autoclave.evidence.trust_export import fingerprint, pem_of
from autoclave.evidence.trust_reasons import describe_key
from autoclave.evidence.trust_text import NewKey
from autoclave.model.steps import ROLES as OF_STEPS
from autoclave.runtime.options import Common, option

_TEXT = "let a public key sign something; makes the file when there is none"

KeyName = Annotated[
    str, option("how messages call the key; none: the person and the year, or the file's name")
]
PersonId = Annotated[
    str, option("whose key it is: the person's id, as ada; none: a pipeline's or a supplier's")
]
PersonName = Annotated[str, option('the person\'s printed name, as "Ada Quality"')]
PersonRoles = Annotated[tuple[str, ...], option("a role of the person, as quality (repeatable)")]
May = Annotated[
    tuple[str, ...],
    option("what the key may sign (repeatable); none: waive and approve for a person", choices=ROLES),
]


class Options(Common, frozen=True, kw_only=True):
    """Options of `autoclave trust add`."""

    public: Annotated[str, option("the PEM file of the public key", argument=True)]
    name: KeyName = ""
    person: PersonId = ""
    person_name: PersonName = ""
    role: PersonRoles = ()
    may: May = ()
    place: Annotated[
        tuple[str, ...],
        option(
            "a place in which the key counts, as 'autoclave plan' prints it (repeatable); none: everywhere"
        ),
    ] = ()
    package: Annotated[
        tuple[str, ...], option("a package for which a supplier may sign, as pkg:pypi/flask (repeatable)")
    ] = ()


def command() -> click.Command:
    """Return the command."""
    return make_command("add", _TEXT, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    path = require_file(opts)
    may = choose_roles(opts.may, opts.person, opts.package)
    found = trust.public_key(Path(opts.public))
    known = trust.load(path, device=ctx.folder) if path.is_file() else None  # a pipe would be waited for
    person = trust_file.complete_person(opts.person, opts.person_name, opts.role, known)
    key = NewKey(
        name=opts.name or default_name(opts.person, Path(opts.public).stem, ctx),
        pem=pem_of(found),
        may=may,
        places=opts.place,
        person=person,
        packages=opts.package,
    )
    added, is_new = trust_file.add(path, key, ctx.now().date(), device=ctx.folder)
    lines = [f"{path} now has the key {added.label}", f"  fingerprint {fingerprint(added)}"]
    lines += [f"  {each}" for each in describe_key(added)]
    ctx.screen.result(
        "\n".join(lines),
        {"file": str(path), "new": is_new, "name": added.name, "fingerprint": fingerprint(added)},
    )
    ctx.screen.note("trust", "compare the fingerprint with its owner's, by another way than the file came")
    if not is_new:
        ctx.screen.note("trust", "a release is exported with this file once 'autoclave seal' has named it")


def require_file(opts: Common) -> Path:
    """Return the trust file that the options name. Raises UsageError when they name none."""
    if opts.trust:
        return Path(opts.trust)
    raise UsageError(
        "no trust file is named",
        why="without one, only this user's development keys count, and only outside of production",
        next="name one, new or not: --trust /etc/autoclave/trust.toml, or AUTOCLAVE_TRUST",
    )


def choose_roles(may: tuple[str, ...], person: str, packages: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return what a key may sign: as asked for, else what is usual. Raises UsageError when nothing is."""
    if may:
        return may
    if person:
        return PERSONAL
    if packages:
        return SUPPLIER
    raise UsageError(
        "nothing says what the key may sign",
        why="a key belongs to a person, to a pipeline or to a supplier",
        next="a person's: --person ada --person-name \"Ada Quality\" --role quality; a pipeline's: "
        f"--may ROLE ({', '.join(OF_STEPS)}); a supplier's: --may vex --package pkg:pypi/flask",
    )


def default_name(person: str, otherwise: str, ctx: Context) -> str:
    """Return how a new key is called."""
    return f"{person}-{ctx.now().year}" if person else otherwise
