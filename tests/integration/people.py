"""An organisation with people in it: keys of persons beside those of the pipeline, in one trust file."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from builders import real_trivy
from builders.devices import Repository
from builders.flow import make_keys

ROOT = Path(__file__).resolve().parents[2]
FULL = (
    "alpine 3.20",
    "debian 12",
    "ubuntu 24.04",
    "Red Hat",
    "pip::GitHub Security Advisory Pip",
    "npm::GitHub Security Advisory Npm",
    "maven::GitHub Security Advisory Maven",
    "go::GitHub Security Advisory Go",
)

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
    control = ROOT / "examples" / "known-bad" / "control"
    register = (control / "soup.toml").read_text("utf-8")
    register += "".join(SOUP.format(name=name, version=version) for name, version in packages)
    (repository.folder / "soup.toml").write_text(register, "utf-8")
    repository.edit("autoclave.toml", 'safety-class = "B"\n', 'safety-class = "B"\nsoup = "soup.toml"\n')
    repository.commit()


def full_database(folder: Path) -> str:
    """Return a cache folder with a double of a full database: the small one, and fillers that match nothing.

    Production refuses a partial database by what is in it, and the full one cannot be had here.
    """
    facts = json.loads((ROOT / "setup" / "trivy" / "advisories.json").read_bytes())
    found = {each["bucket"]: each for each in facts["sources"]}
    fillers = {f"filler-{number}": {f"CVE-1900-{number}": {}} for number in range(100)}
    for bucket in FULL:
        new = {"bucket": bucket, "source": {"ID": "filler", "Name": "filler"}, "advisories": {}}
        found.setdefault(bucket, new)["advisories"] |= fillers
    facts["sources"] = list(found.values())
    now = datetime.now(UTC)
    new = {"Title": "filler", "PublishedDate": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
    facts["vulnerabilities"] |= {f"CVE-{now.year}-1{number:07}": new for number in range(50_000)}
    folder.mkdir(parents=True)
    (folder / "facts.json").write_text(json.dumps(facts), "utf-8")
    made = [Path(real_trivy.program()).with_name("advisories"), "-in", folder / "facts.json", "-out", folder]
    subprocess.run(made, check=True, capture_output=True)
    return str(folder)
