"""Secrets of deployed containers: files of the operator's folder, copied into each before it starts.

They are in no repository, image, release or record, and in no variable that `docker inspect` shows. They are
in a volume of the container alone, which is removed with it: a version that is restored has those it had.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from autoclave.device.repository import refuse_own
from autoclave.engines.base import Engine
from autoclave.errors import ConfigError
from autoclave.targets.base import Unhealthy

FOLDER = "/run/secrets"
_LARGEST = 1 << 20  # bytes of a secret


class Secrets:
    """The secrets in a folder that the operator names, outside of the device repository."""

    def __init__(self, engine: Engine, folder: str, device: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._device = device
        self._values: dict[str, bytes] = {}

    def find_missing(self, image: str, names: Sequence[str]) -> Iterator[str]:
        """Yield why an image cannot have its secrets. Raises ConfigError for a folder of the repository."""
        if names and not self._folder:
            yield (
                f"{image} needs the secrets {', '.join(names)}: name the folder that has a file for each "
                "with --secrets"
            )
            return
        for name in names:
            try:
                self._read(name)
            except OSError as error:
                why = f"{self._folder}/{name} cannot be read ({error.strerror})"
                yield f"{image} needs the secret {name}: {why}"
            except ConfigError as error:
                yield f"{image} needs the secret {name}: {error.what}"

    def put(self, container: str, names: Sequence[str]) -> None:
        """Copy secrets into a container that was created and not started. Raises Unhealthy."""
        if names:
            try:
                found = {name: self._read(name) for name in names}
            except (OSError, ConfigError) as error:
                raise Unhealthy(f"it cannot have its secrets: {error}") from error
            self._engine.put(container, FOLDER, _pack(found))

    def _read(self, name: str) -> bytes:
        """Return a secret as it was when it was read first: what is rehearsed is what runs then."""
        if name not in self._values:
            self._values[name] = self._open(name)
        return self._values[name]

    def _open(self, name: str) -> bytes:
        folder = Path(self._folder)
        refuse_own(folder, self._device, "folder of secrets")
        # The operator's own folder may be made of links, as a cluster mounts them; nobody waits for a pipe.
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123 -- of a descriptor
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigError(f"{folder / name} is not a file")
            raw = file.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise ConfigError(f"{folder / name} has more than {_LARGEST >> 20} MiB")
        return raw


def _pack(secrets: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, raw in sorted(secrets.items()):
            member = tarfile.TarInfo(name)
            # Nobody else is in the container, and who its user is only the image knows.
            member.size, member.mode = len(raw), 0o444
            tar.addfile(member, io.BytesIO(raw))
    return buffer.getvalue()
