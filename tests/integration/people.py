"""An organisation with people in it: keys of persons beside those of the pipeline, in one trust file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from builders import real_trivy
from builders.devices import Repository
from builders.flow import make_keys

SOUP = """
[[soup]]
title = "{name}"
component = "pkg:pypi/{name}"
version = "{version}"
manufacturer = "Pallets"
why = "renders the printed report"
anomalies = "https://github.com/pallets"
reviewed-by = "Ada Quality"
reviewed-on = 2026-11-02
"""


@dataclass
class Organisation:
    """The folder of the keys, and the options that every command of the pipeline takes."""

    folder: Path
    options: list[str]

    @property
    def trust(self) -> list[str]:
        """The trust file, for commands that sign nothing."""
        return self.options[:2]

    def key(self, name: str) -> list[str]:
        """The options with which a person signs."""
        return [*self.trust, "--key", f"file:{self.folder / name}.pem"]

    def add_person(
        self, key: str, name: str, *roles: str, may: tuple[str, ...] = ("waive", "approve")
    ) -> None:
        """Give a person a key: `key` is the key's name, `name` is `id` and printed name."""
        user = name.split(maxsplit=1)[0].lower()
        person = f'person = {{ id = "{user}", name = "{name}", roles = {list(roles)} }}'
        self._trust(key, f"may = {list(may)}\n{person}")

    def trust_supplier(self, key: str, *packages: str) -> None:
        """Trust a supplier's new key for VEX about these packages."""
        self._trust(key, f'may = ["vex"]\npackages = {list(packages)}')

    def _trust(self, key: str, words: str) -> None:
        pair = ec.generate_private_key(ec.SECP256R1())
        private = self.folder / f"{key}.pem"
        private.write_bytes(
            pair.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        private.chmod(0o600)
        public = self.folder / f"{key}.pub"
        public.write_bytes(
            pair.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        with (self.folder / "trust.toml").open("a", encoding="utf-8") as file:
            file.write(f'[[key]]\nname = "{key}"\npublic = "{public.name}"\n{words}\n')


def make_organisation(folder: Path) -> Organisation:
    """Make an organisation with a pipeline, a quality manager and an engineer."""
    made = Organisation(folder, make_keys(folder))
    made.add_person("ada", "Ada Quality", "quality")
    made.add_person("ben", "Ben Engineer", "engineering")
    return made


def add_soup_register(repository: Repository, *packages: tuple[str, str]) -> None:
    """Give a known-bad device a SOUP register that knows these packages of PyPI beside Debian's."""
    control = Path(__file__).resolve().parents[2] / "examples" / "known-bad" / "control"
    register = (control / "soup.toml").read_text("utf-8")
    register += "".join(SOUP.format(name=name, version=version) for name, version in packages)
    (repository.folder / "soup.toml").write_text(register, "utf-8")
    repository.edit("autoclave.toml", 'safety-class = "B"\n', 'safety-class = "B"\nsoup = "soup.toml"\n')
    repository.commit()


def full_sized_database(folder: Path) -> str:
    """Return a cache folder with the small database made as large as a full one: a double of its size alone.

    Production refuses partial databases by their size, and the full one cannot be had here.
    """
    small = real_trivy.cache()
    for path in small.rglob("*"):
        if path.is_file():
            target = folder / path.relative_to(small)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    os.truncate(folder / "db" / "trivy.db", 100_000_000)
    return str(folder)
