"""What deploy asks of a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from autoclave.device.schema import Environment, Flow
from autoclave.model.facts import Finding, Running
from autoclave.model.verdict import Verdict


class Service(Struct, frozen=True, kw_only=True):
    """One image as it is to run: its digest and its settings.

    `memory` is bytes, `start_timeout` seconds; `publish` is the host port on 127.0.0.1, or None;
    `inputs` is the digest of the plan that these settings come from.
    """

    image: str
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


class Rollout(Struct, frozen=True, kw_only=True):
    """A device as it is to run in one environment: whole, or not at all. `folder` is the device's.

    `image_id` brings a digest into the container engine and returns the engine's id of it; `reference`
    returns where a cluster pulls a digest from (`repository@sha256:…`); `foreign` tells why an image of
    somebody else is no release that may run here, or nothing; `judged` is the policy's verdict on findings
    about pods, and `require` closes the deploy gate.
    """

    device: str
    environment: Environment
    services: tuple[Service, ...]
    folder: Path
    flows: tuple[Flow, ...]
    owner: str
    image_id: Callable[[str], str]
    reference: Callable[[str], str]
    foreign: Callable[[str], str]
    judged: Callable[[Sequence[Finding]], Verdict]
    require: Callable[[Verdict], None]


class Tell(Struct, frozen=True):
    """Where a target says what it does: one line of its own, a line of somebody's output, a warning."""

    note: Callable[[str], None]
    line: Callable[[str], None]
    warn: Callable[[str], None]


class Restoration(Struct, frozen=True):
    """What putting back brought: what answers again, and why something does not (empty: all does)."""

    answering: tuple[Running, ...]
    silent: str = ""


class Unhealthy(Exception):
    """The new version did not become healthy; the message says how that was seen."""


class Target(Protocol):
    """A place where releases run. Raises EngineError or ClusterError when it does not answer."""

    def lock(self, rollout: Rollout) -> AbstractContextManager[None]:
        """Hold the environment's lock. Raises Busy when another deployment does."""

    def recover(self, rollout: Rollout, tell: Tell) -> None:
        """Tidy up after a deployment that died while it switched over.

        A new version that is healthy stays; otherwise the replaced one is brought back.
        """

    def rehearse(self, rollout: Rollout, tell: Tell) -> None:
        """Try the new version without touching what runs. Raises Unhealthy, or DeployGateClosed."""

    def apply(self, rollout: Rollout, tell: Tell) -> list[Running]:
        """Replace what runs, keep its data, wait until all is healthy, read back. Raises Unhealthy.

        The replaced version can be brought back until `settle`.
        """

    def restore(self, rollout: Rollout, tell: Tell) -> Restoration:
        """Bring back what `switch` replaced and wait until it answers."""

    def finish(self, rollout: Rollout) -> None:
        """Let go of the version that was replaced."""

    def running(self, device: str, environment: str) -> list[Running]:
        """Read back what runs, by image."""

    def inspect_command(self, device: str, environment: str) -> str:
        """Return the command by which a person sees what runs there."""
