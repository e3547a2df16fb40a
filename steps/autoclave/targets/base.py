"""What a target is: a place where releases run.

A target acts and reports facts; it never judges. What it finds goes up as values (`Preparation`, `Rehearsal`,
`Restoration`, `Running`), the deploy step judges them and closes the gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from msgspec import Struct

from autoclave.device import schema
from autoclave.device.schema import Environment, Flow, Image
from autoclave.model.facts import Finding, Running
from autoclave.model.place import Place
from autoclave.runtime.toml import convert
from autoclave.store.oci import Descriptor

T = TypeVar("T", bound=Struct)

STEP = "deploy"
"""The step under whose name a target prints what it does."""


class Service(Struct, frozen=True, kw_only=True):
    """One image as it is to run: which one, and with which settings.

    `publish` is the host port on 127.0.0.1, or None; `further_ports` are those of the other ports, by
    `11112/tcp`; `inputs` is the digest of the plan that all of this
    comes from.
    """

    image: str
    descriptor: Descriptor
    settings: schema.Service
    publish: int | None
    inputs: str
    further_ports: Mapping[str, int] = {}

    @property
    def digest(self) -> str:
        """The image's digest."""
        return self.descriptor.digest


class Rollout(Struct, frozen=True, kw_only=True):
    """A device as it is to run in one environment: whole, or not at all."""

    device: str
    environment: Environment
    services: tuple[Service, ...]
    flows: tuple[Flow, ...] = ()


class ForeignImage(Struct, frozen=True, kw_only=True):
    """An image of another device that would run beside this one: its pinned reference, and where."""

    digest: str
    reference: str
    where: str


class Preparation(Struct, frozen=True, kw_only=True):
    """What is known before anything is tried, for the step to judge.

    `findings` are about how pods are confined, `foreign` are images that must be verified releases as well,
    `objections` are reasons of the place itself why this must not be deployed.
    """

    findings: tuple[Finding, ...] = ()
    foreign: tuple[ForeignImage, ...] = ()
    objections: tuple[str, ...] = ()


class Rehearsal(Struct, frozen=True, kw_only=True):
    """What a trial showed: objections as in `Preparation`, and the lines of what would change."""

    objections: tuple[str, ...] = ()
    diff: tuple[str, ...] = ()


class Restoration(Struct, frozen=True):
    """What a restoration brought: what answers again, and why something does not (empty: all does)."""

    answering: tuple[Running, ...]
    silent: str = ""


class Unhealthy(Exception):
    """The new version did not become healthy; the message says what was seen."""


class Target(Protocol):
    """A place where releases run, in the order in which a deployment uses it.

    Raises EngineError or ClusterError when the place does not answer, ConfigError when its settings cannot
    be used.
    """

    @property
    def environment(self) -> Environment:
        """The environment that this is the target of."""

    def place(self) -> Place | None:
        """Return what a deployment really reaches, read now; None when it has no address: production."""

    def covers(self, image: Image) -> bool:
        """Return whether a deployment of the device includes this image. Contacts nothing."""

    def inputs(self) -> Mapping[str, str]:
        """Return what decides how images run besides their settings, for the plan. Contacts nothing."""

    def sources(self) -> Mapping[str, bytes]:
        """Return the files of the source that say how images run there, by their title in a release.

        The device file itself is in every release. Contacts nothing.
        """

    def inspect_command(self) -> str:
        """Return the command by which a person sees what runs there."""

    def running(self) -> list[Running]:
        """Read back what runs, by image."""

    def is_running(self, rollout: Rollout) -> bool:
        """Return whether exactly this runs already, and is healthy."""

    def lock(self, rollout: Rollout) -> AbstractContextManager[None]:
        """Hold the environment's lock. Raises Busy while another deployment does."""

    def recover(self, rollout: Rollout) -> Mapping[str, str]:
        """Clean up after a deployment that died while it was under way; return what ran before this one.

        By image, the digest. A new version that is healthy stays, otherwise the replaced one is restored.
        Where exactly the version to deploy stays, the deployment that died is continued: what ran before is
        what that one replaced.
        """

    def prepare(self, rollout: Rollout) -> Preparation:
        """Work out what is to be deployed, and return what must be judged before anything is tried."""

    def rehearse(self, rollout: Rollout) -> Rehearsal:
        """Try the new version without touching what runs. Raises Unhealthy."""

    def apply(self, rollout: Rollout) -> None:
        """Replace what runs, and keep its data. Raises Unhealthy.

        The replaced version can be restored until `finish`.
        """

    def observe(self, rollout: Rollout) -> list[Running]:
        """Wait until all of it is healthy, and read back what runs. Raises Unhealthy."""

    def restore(self, rollout: Rollout) -> Restoration:
        """Restore what `apply` replaced, and wait until it answers; do nothing if nothing was replaced."""

    def finish(self, rollout: Rollout) -> None:
        """Discard the version that was replaced."""


def is_same(service: Service, running: Running | None) -> bool:
    """Return whether what runs is healthy, and is this image with these settings."""
    return (
        running is not None
        and running.healthy
        and (running.digest, running.inputs) == (service.digest, service.inputs)
    )


def read_settings(environment: Environment, kind: type[T]) -> T:
    """Return `[environment.settings]` as a struct of the target's own. Raises ConfigError naming the key."""
    return convert(environment.settings, kind, source=f"environment '{environment.name}', settings")
