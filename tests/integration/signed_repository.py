"""The real cosign, on a device's repository in a registry."""

from __future__ import annotations

import os
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from autoclave.evidence.trust import TrustedKey, public_key
from autoclave.runtime.shell import Shell
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import Descriptor
from autoclave.store.registry.auth import find_credentials
from autoclave.store.registry.store import RegistryStore
from builders.devices import CommandResult, Repository, program
from builders.sample_image import write_image

OFFLINE = ["--yes", "--tlog-upload=false", "--use-signing-config=false"]


@dataclass
class Place:
    """A repository of a registry, the device released into it, and the keys."""

    address: str
    device: Repository
    digest: str
    keys: Path

    @property
    def store(self) -> RegistryStore:
        """The store as another machine opens it: with a cache of its own."""
        cache = LayoutStore(self.keys / uuid.uuid4().hex)
        return RegistryStore(self.address, cache, lambda host: find_credentials(host, Shell()))

    def reference(self, digest: str) -> str:
        """The reference of an image for cosign."""
        return f"{self.address.removeprefix('oci://')}@{digest}"

    def image(self) -> Descriptor:
        """Add an unsigned image."""
        return write_image(self.store, uuid.uuid4().bytes)

    def run(self, *words: str) -> CommandResult:
        """Run our command line on it."""
        return self.device.run(*words, "--store", self.address)

    def cosign(
        self, command: str, key: str, image: str, *words: str, code: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run the real cosign and print its last line."""
        offline = ["--insecure-ignore-tlog"] if command.startswith("verify") else OFFLINE
        file = self.keys / (f"{key}.pub" if command.startswith("verify") else f"{key}.key")
        argv = [program("cosign", "AUTOCLAVE_COSIGN"), command, "--key", str(file), *offline, *words]
        done = subprocess.run(
            [*argv, self.reference(image)],
            env={**os.environ, "COSIGN_PASSWORD": ""},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        last = (done.stderr.strip().splitlines() or [""])[-1]
        print(f"cosign {command} by {key} {' '.join(words)}: {done.returncode}: {last[:200]}")
        if code is not None:
            assert (done.returncode == 0) == (code == 0), done.stderr
        return done

    def release_key(self, name: str) -> TrustedKey:
        """One of the keys, trusted for releases."""
        return TrustedKey(name=name, key=public_key(self.keys / f"{name}.pub"), may=("release",))


def import_keys(files: dict[str, Path], folder: Path) -> Path:
    """Import private keys into cosign, and write their public halves beside them."""
    for name, file in files.items():
        argv = [program("cosign", "AUTOCLAVE_COSIGN"), "import-key-pair", "--key", str(file)]
        argv += ["--output-key-prefix", str(folder / name)]
        subprocess.run(argv, env={**os.environ, "COSIGN_PASSWORD": ""}, check=True, capture_output=True)
    return folder
