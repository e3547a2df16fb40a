"""What deploy asks of a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec import Struct

from autoclave.facts import Running


class Service(Struct, frozen=True, kw_only=True):
    """One image as it is to run: the engine's image id, the digest it stands for, and its settings.

    `memory` is bytes, `start_timeout` seconds; `publish` is the host port on 127.0.0.1, or None;
    `inputs` is the digest of the plan that these settings come from.
    """

    image: str
    image_id: str
    digest: str
    port: int | None
    publish: int | None
    health: str
    volumes: Mapping[str, str]
    environment: Mapping[str, str]
    memory: int
    cpus: float
    pids: int
    start_timeout: int
    inputs: str
    labels: Mapping[str, str]


class Unhealthy(Exception):
    """A service did not become healthy; the message says how that was seen."""


class Target(Protocol):
    """A place where releases run. Raises EngineError when it does not answer."""

    def locked(
        self, device: str, environment: str, holder: Mapping[str, str]
    ) -> AbstractContextManager[None]:
        """Hold the environment's lock. Raises Busy when another deployment does."""

    def recover(self, image: str, device: str, environment: str) -> Running | None:
        """Tidy up after a deployment that died while it switched over.

        A new version that is healthy stays; otherwise the replaced one is brought back and returned.
        Raises Unhealthy when it does not answer.
        """

    def rehearse(self, service: Service, device: str, environment: str, line: Callable[[str], None]) -> None:
        """Run the new version beside what is there, with volumes of its own. Raises Unhealthy."""

    def switch(self, service: Service, device: str, environment: str, line: Callable[[str], None]) -> Running:
        """Replace the running version, keep named volumes, wait until healthy. Raises Unhealthy.

        The replaced version is kept, stopped, until `settle` or `put_back`.
        """

    def put_back(self, image: str, device: str, environment: str) -> Running | None:
        """Bring the replaced version back and wait until it answers; None when there was none.

        Raises Unhealthy when it does not answer.
        """

    def settle(self, image: str, device: str, environment: str) -> None:
        """Remove the version that was replaced."""

    def running(self, device: str, environment: str) -> list[Running]:
        """Read back what runs, by image."""
