"""Trust: which key may sign which kind of record, and where.

A trust file belongs to the organisation, never to a device repository. Without one, only the
development keys of this user are trusted, and no production environment accepts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from cryptography.x509 import load_pem_x509_certificates
from msgspec import Meta, Struct
from securesystemslib.signer import Key

from autoclave.device.repository import refuse_own
from autoclave.errors import ConfigError, SignerError
from autoclave.model import steps
from autoclave.model.declared import Person
from autoclave.model.place import explain_pattern, find_match
from autoclave.model.text import Line, Role, UserId, find_alike, is_line, matching
from autoclave.runtime.toml import convert, parse_toml, read_toml
from autoclave.signers.keys import LARGEST, read_public

PERSONAL = ("waive", "approve")
SUPPLIER = ("vex",)
ROLES = (*steps.ROLES, *PERSONAL, *SUPPLIER)


class TrustedKey(Struct, frozen=True, kw_only=True):
    """A public key, what it may sign, and the patterns of the places in which it counts (empty: in all).

    `person` is whose key it is; keys of the pipeline and of suppliers belong to nobody. `packages` are those
    for which a supplier may sign: package URLs without version, where `*` matches anything.
    """

    name: str
    key: Key
    may: tuple[str, ...]
    places: tuple[str, ...] = ()
    development: bool = False
    person: Person | None = None
    packages: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The key's name and id, for people."""
        return f"{self.name} ({self.key.keyid[:12]})"


class Authority(Struct, frozen=True):
    """A time-stamping authority: its name and its root certificate in PEM form."""

    name: str
    certificate: str


class Trust(Struct, frozen=True):
    """All trusted keys and time-stamping authorities, and the file or folder they came from."""

    keys: tuple[TrustedKey, ...]
    source: str
    authorities: tuple[Authority, ...] = ()

    def for_role(self, *roles: str, place: str | None = None, production: bool = False) -> list[TrustedKey]:
        """Return the keys that may sign records of one of these roles, and count in the place.

        Without a place (before deploy), a key counts wherever it may be used; in one that nobody names,
        only a key does that counts everywhere.
        """
        return [
            key
            for key in self.keys
            if set(roles) & set(key.may)
            and (place is None or not key.places or find_match(place, key.places))
            and not (production and key.development)
        ]


# A supplier names a package, or the beginning of its name: never all packages of an ecosystem.
_PACKAGE_WORDS = "a package URL, or the beginning of one with * behind it"
_PACKAGE = r"pkg:[a-z][a-z0-9.+-]*/[A-Za-z0-9%@._~/-][^?\[\]\s]*"


class _Holder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: UserId
    name: Annotated[Line, Meta(max_length=100)]
    roles: list[Role]


class _Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[Line, Meta(max_length=100)]
    public: str
    may: Annotated[list[str], Meta(min_length=1)]
    places: Annotated[list[str], Meta(min_length=1)] | None = None
    development: bool = False
    person: _Holder | None = None
    packages: list[
        Annotated[str, matching(_PACKAGE, says=_PACKAGE_WORDS, example="pkg:pypi/*", max_length=500)]
    ] = []


class _Authority(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[Line, Meta(max_length=100)]
    certificate: str


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key: Annotated[list[_Entry], Meta(min_length=1)]
    tsa: list[_Authority] = []


def load(path: Path, *, device: Path | None = None) -> Trust:
    """Read a trust file: its `[[key]]` and `[[tsa]]` tables. It is refused inside the repository of `device`.

    A key has name, public, may, places, development, person (see Person) and packages (for `vex`).
    `public` is a PEM file beside the trust file, or the PEM text itself (a CI host passes one file only);
    so is the `certificate` of a `[[tsa]]` table, a time-stamping authority's root.
    Raises ConfigError for a file that cannot be used, and when a key or a person is in it under two names;
    SignerError for a key that cannot be used.
    """
    if device:
        refuse_own(path, device, "trust file")
    return _interpret(read_toml(path), path, device)


def parse(text: str, path: Path) -> Trust:
    """Return what a text would mean as the trust file at `path`. Raises what `load` does."""
    return _interpret(parse_toml(text, str(path)), path, None)


def _interpret(data: dict[str, Any], path: Path, device: Path | None) -> Trust:
    listed = convert(data, _File, source=str(path))
    for entry in listed.key:
        _check(entry, path)
    keys = tuple(
        TrustedKey(
            name=entry.name,
            key=_read_key(entry, path, device),
            may=tuple(entry.may),
            places=tuple(entry.places or ()),
            development=entry.development,
            person=_person(entry.person),
            packages=tuple(entry.packages),
        )
        for entry in listed.key
    )
    authorities = tuple(Authority(each.name, _certificate(each, path, device)) for each in listed.tsa)
    if why := find_ambiguity(keys, authorities):
        raise ConfigError(
            f"{path}: {why}",
            why="one key is one signer, and one name is one key or one person",
            next="give each its own key, and its own name or id",
        )
    return Trust(keys, str(path), authorities)


def find_ambiguity(keys: Sequence[TrustedKey], authorities: Sequence[Authority] = ()) -> str:
    """Return what is there twice: a key, by its value and not its text, or a name that looks like another."""
    for first, second in pairwise(sorted(keys, key=lambda each: each.key.keyid)):
        if first.key.keyid == second.key.keyid:
            return f"'{first.name}' and '{second.name}' are the same key"
    for kind, names in (("keys", keys), ("authorities", authorities)):
        odd = [each.name for each in names if not is_line(each.name)]
        if odd:
            return f"the name {odd[0]!r} is not in the normal form of Unicode (NFC)"
        if alike := find_alike(each.name for each in names):
            return f"two {kind} are called '{alike[0]}' and '{alike[1]}'"
    return _find_ambiguous_person([each.person for each in keys if each.person])


def _find_ambiguous_person(holders: Sequence[Person]) -> str:
    """Return which person is described in two ways; one person may have several keys."""
    persons = list(dict.fromkeys((each.id, each.name, tuple(sorted(each.roles))) for each in holders))
    for user, name, _ in persons:
        if not is_line(name):
            return f"the name {name!r} of '{user}' is not in the normal form of Unicode (NFC)"
    if alike := find_alike(user for user, _, _ in persons):
        same = alike[0] == alike[1]
        return (
            f"the person '{alike[0]}' has two names, or different roles"
            if same
            else f"two persons are called '{alike[0]}' and '{alike[1]}'"
        )
    return ""


def _person(holder: _Holder | None) -> Person | None:
    return Person(id=holder.id, name=holder.name, roles=tuple(holder.roles)) if holder else None


def _check(entry: _Entry, path: Path) -> None:
    """Refuse roles that do not exist, and keys of persons, suppliers and pipelines that do others' work."""
    for role in entry.may:
        if role not in ROLES:
            raise ConfigError(
                f"{path}: key '{entry.name}' may sign '{role}', which is not a role",
                next=f"roles are {', '.join(ROLES)}",
            )
    for place in entry.places or ():
        if why := explain_pattern(place):
            raise ConfigError(
                f"{path}: key '{entry.name}' counts in '{place}', which is not a place",
                why=why,
                next="write it as 'autoclave plan' prints it, or with * for part of a name",
            )
    personal = sorted(set(entry.may) & set(PERSONAL))
    others = sorted(set(entry.may) - set(PERSONAL))
    if personal and entry.person is None:
        raise ConfigError(
            f"{path}: key '{entry.name}' may sign '{personal[0]}', but belongs to no person",
            why="only a person decides: a key of the pipeline can neither approve nor waive",
            next='name its holder: person = { id = "…", name = "…", roles = ["quality"] }',
        )
    if entry.person and others:
        raise ConfigError(
            f"{path}: the key of {entry.person.name} may sign '{others[0]}'",
            why="a person's key must not be where a pipeline could use it",
            next="give the pipeline a key of its own",
        )
    if "vex" in entry.may and set(entry.may) != {"vex"}:
        raise ConfigError(
            f"{path}: the supplier's key '{entry.name}' may sign "
            f"'{next(role for role in entry.may if role != 'vex')}'",
            why="a supplier may sign for its own packages, and for nothing else",
            next="give the pipeline a key of its own",
        )
    if ("vex" in entry.may) != bool(entry.packages):
        wrong = (
            "has packages, but not the role vex"
            if entry.packages
            else "may sign 'vex', but names no packages"
        )
        raise ConfigError(
            f"{path}: key '{entry.name}' {wrong}",
            why="a supplier may sign for its own packages, and nobody else for any",
            next='name them without version: may = ["vex"], packages = ["pkg:pypi/flask", "pkg:npm/acme*"]',
        )


def _certificate(authority: _Authority, path: Path, device: Path | None) -> str:
    """Return an authority's root certificate in PEM form, and nothing else. Raises ConfigError."""
    what = f"the certificate of '{authority.name}'"
    try:
        pem = _read_text(authority.certificate, path, what, device).strip() + b"\n"
    except SignerError as error:
        raise ConfigError(error.what, why=error.why) from error
    if b"PRIVATE KEY" in pem or pem.count(b"-----BEGIN ") != 1:
        raise ConfigError(
            f"{path}: {what} is not one certificate",
            why="it has a private key" if b"PRIVATE KEY" in pem else "it must be one PEM block",
            next="name the authority's root certificate alone",
        )
    try:
        load_pem_x509_certificates(pem)
        return pem.decode("ascii")
    except (ValueError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {what} cannot be used", why=str(error)) from error


def public_key(path: Path) -> Key:
    """Read a public key in PEM form. Raises SignerError."""
    return read_public(_read_file(path), str(path))


def _read_key(entry: _Entry, path: Path, device: Path | None) -> Key:
    what = f"the key '{entry.name}' in {path}"
    return read_public(_read_text(entry.public, path, what, device), what)


def _read_text(named: str, path: Path, what: str, device: Path | None) -> bytes:
    """Return a PEM text: `named` itself, or the file of that name beside the trust file."""
    if "-----BEGIN" in named or not named.isprintable():
        return named.strip().encode()
    if device:
        refuse_own(path.parent / named, device, "file of the trust file")
    try:
        return _read_file(path.parent / named)
    except SignerError as error:
        raise SignerError(f"{what}: {error.what}", why=error.why, next=error.next) from error


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise SignerError(f"{path} cannot be read", why=str(error)) from error
