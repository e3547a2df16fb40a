"""Trust: which key may sign which kind of record, and where.

A trust file belongs to the organisation, never to a device repository. Without one, only the
development keys of this user are trusted, and no production environment accepts them.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import Meta, Struct
from securesystemslib.signer import Key, SSlibKey

from autoclave.errors import ConfigError, SignerError
from autoclave.model import steps
from autoclave.model.declared import Person
from autoclave.runtime.toml import convert, read_toml

PERSONAL = ("waive", "approve")
SUPPLIER = ("vex",)
ROLES = (*steps.ROLES, *PERSONAL, *SUPPLIER)


class TrustedKey(Struct, frozen=True, kw_only=True):
    """A public key, what it may sign, and in which environments it counts (empty: in all).

    `person` is whose key it is; keys of the pipeline and of suppliers belong to nobody. `packages` are those
    for which a supplier may sign: package URLs without version, where `*` matches anything.
    """

    name: str
    key: Key
    may: tuple[str, ...]
    environments: tuple[str, ...] = ()
    development: bool = False
    person: Person | None = None
    packages: tuple[str, ...] = ()

    def may_speak_of(self, package: str) -> bool:
        """Return whether a supplier's key may sign for a package, given as its URL without version."""
        return "vex" in self.may and any(fnmatchcase(package, each) for each in self.packages)

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

    def for_role(self, *roles: str, environment: str = "", production: bool = False) -> list[TrustedKey]:
        """Return the keys that may sign records of one of these roles, and count in the environment.

        Without an environment (before deploy), a key counts wherever it may be used.
        """
        return [
            key
            for key in self.keys
            if set(roles) & set(key.may)
            and (not environment or not key.environments or environment in key.environments)
            and not (production and key.development)
        ]


class _Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    public: str
    may: Annotated[list[str], Meta(min_length=1)]
    environments: list[str] = []
    development: bool = False
    person: Person | None = None
    packages: list[Annotated[str, Meta(pattern="^pkg:")]] = []


class _Authority(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    certificate: str


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key: Annotated[list[_Entry], Meta(min_length=1)]
    tsa: list[_Authority] = []


def load(path: Path) -> Trust:
    """Read a trust file: its `[[key]]` and `[[tsa]]` tables.

    A key has name, public, may, environments, development, person (see Person) and packages (for `vex`).
    `public` is a PEM file beside the trust file, or the PEM text itself (a CI host passes one file only);
    so is the `certificate` of a `[[tsa]]` table, a time-stamping authority's root.
    Raises ConfigError for a file that cannot be used, SignerError for a key that cannot.
    """
    listed = convert(read_toml(path), _File, source=str(path))
    for entry in listed.key:
        _check(entry, path)
    return Trust(
        tuple(
            TrustedKey(
                name=entry.name,
                key=_read_key(entry.public, path),
                may=tuple(entry.may),
                environments=tuple(entry.environments),
                development=entry.development,
                person=entry.person,
                packages=tuple(entry.packages),
            )
            for entry in listed.key
        ),
        str(path),
        tuple(Authority(each.name, _certificate(each.certificate, path)) for each in listed.tsa),
    )


def _check(entry: _Entry, path: Path) -> None:
    """Refuse roles that do not exist, and keys of persons, suppliers and pipelines that do others' work."""
    for role in entry.may:
        if role not in ROLES:
            raise ConfigError(
                f"{path}: key '{entry.name}' may sign '{role}', which is not a role",
                next=f"roles are {', '.join(ROLES)}",
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


def _certificate(text: str, path: Path) -> str:
    """Return a certificate in PEM form. Raises ConfigError."""
    if text.lstrip().startswith("-----BEGIN CERTIFICATE"):
        return text.strip() + "\n"
    try:
        return (path.parent / text).read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the certificate {text} cannot be read", why=str(error)) from error


def public_key(path: Path) -> Key:
    """Read a public key in PEM form. Raises SignerError."""
    try:
        return _parse_key(path.read_bytes(), str(path))
    except OSError as error:
        raise SignerError(f"the public key {path} cannot be read", why=str(error)) from error


def _read_key(public: str, path: Path) -> Key:
    if public.lstrip().startswith("-----BEGIN "):
        return _parse_key(public.strip().encode(), f"a key in {path}")
    return public_key(path.parent / public)


def _parse_key(pem: bytes, what: str) -> Key:
    try:
        return SSlibKey.from_crypto(load_pem_public_key(pem))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignerError(
            f"{what} is not a usable public key",
            why=str(error),
            next="'openssl pkey -in KEY -pubout' writes one",
        ) from error
