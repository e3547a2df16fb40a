"""Publish: tag what was released with its version, in the registry that is the store."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from autoclave.context import Context
from autoclave.device.schema import Environment, Image
from autoclave.errors import ConfigError
from autoclave.model.facts import Running
from autoclave.model.place import Place
from autoclave.store.base import is_address
from autoclave.targets.base import STEP, Preparation, Rehearsal, Restoration, Rollout, Target, Unhealthy

TABLES: frozenset[str] = frozenset()
"""The tables of an environment that this target reads: none."""


def create(environment: Environment, ctx: Context) -> Target:
    """Return the target of an environment."""
    return RegistryTarget(environment, ctx)


class RegistryTarget:
    """The store's repository as the place where others find releases.

    A build moves the tag of its image's name before any gate has judged it. A version is tagged here alone,
    once, and its tag never moves.
    """

    def __init__(self, environment: Environment, ctx: Context) -> None:
        self.environment = environment
        self._ctx = ctx

    def place(self) -> Place:
        """Return the repository that is published to."""
        return Place("registry", self._repository.lower())

    def covers(self, image: Image) -> bool:
        """Return True: every image of the device is published."""
        return True

    def inputs(self) -> Mapping[str, str]:
        """Return nothing: a tag has no settings."""
        return {}

    def sources(self) -> Mapping[str, bytes]:
        """Return nothing: a tag has no settings."""
        return {}

    def inspect_command(self) -> str:
        """Return the command by which a person sees what is published."""
        return f"skopeo list-tags docker://{self._repository}"

    def running(self) -> list[Running]:
        """Return which digest each image's version refers to in the registry."""
        repository, found = self._repository, []
        for image in self._ctx.device.image:
            tag = self._tag(image.name)
            if published := self._ctx.store.find(tag):
                found.append(
                    Running(
                        image=image.name,
                        digest=published.digest,
                        container=published.digest,
                        healthy=True,
                        inputs="",
                        address=f"{repository}:{tag}",
                    )
                )
        return found

    def is_running(self, rollout: Rollout) -> bool:
        """Return whether each version refers to exactly its digest already."""
        published = {each.image: each.digest for each in self.running()}
        return all(published.get(each.image) == each.digest for each in rollout.services)

    def lock(self, rollout: Rollout) -> AbstractContextManager[None]:
        """Hold nothing, a registry has no locks: the tags are read before they are made, and after."""
        return nullcontext()

    def recover(self, rollout: Rollout) -> Mapping[str, str]:
        """Return what is published: a tag exists or not, so there is nothing to clean up."""
        return {each.image: each.digest for each in self.running()}

    def prepare(self, rollout: Rollout) -> Preparation:
        """Object to a version that refers to another digest already, or whose tag a build moves."""
        repository, version = self._repository, self._ctx.device.device.version
        published = {each.image: each.digest for each in self.running()}
        # A build moves the one, a release the other: `release.decisions.release_name`.
        names = [image.name for image in self._ctx.device.image]
        moved = {*names, *(f"{name}.released" for name in names)}
        if moving := [tag for each in rollout.services if (tag := self._tag(each.image)) in moved]:
            return Preparation(
                objections=(
                    f"{repository}:{moving[0]} is a tag that builds and releases of an image move: "
                    "rename the image, or change device.version",
                )
            )
        return Preparation(
            objections=tuple(
                f"{repository}:{self._tag(each.image)} is {published[each.image]} already, and a published "
                f"version never changes: raise device.version above {version}"
                for each in rollout.services
                if published.get(each.image, each.digest) != each.digest
            )
        )

    def rehearse(self, rollout: Rollout) -> Rehearsal:
        """Try nothing: a tag runs nothing."""
        return Rehearsal()

    def apply(self, rollout: Rollout) -> None:
        """Tag each image with its version. Raises Unhealthy when one refers to another digest by now."""
        published = {each.image: each.digest for each in self.running()}
        for service in rollout.services:
            if published.get(service.image, service.digest) != service.digest:
                raise Unhealthy(
                    f"{self._repository}:{self._tag(service.image)} was published meanwhile, as "
                    f"{published[service.image]}"
                )
        for service in rollout.services:
            tag = self._tag(service.image)
            self._ctx.store.tag(tag, service.descriptor)
            self._ctx.screen.note(STEP, f"{service.image}: {service.digest} is {self._repository}:{tag}")

    def observe(self, rollout: Rollout) -> list[Running]:
        """Read back what the tags refer to. Raises Unhealthy."""
        running = self.running()
        digests = {each.image: each.digest for each in running}
        for service in rollout.services:
            if digests.get(service.image) != service.digest:
                published = digests.get(service.image, "missing")
                raise Unhealthy(f"{service.image} is {published} in the registry, not {service.digest}")
        return running

    def restore(self, rollout: Rollout) -> Restoration:
        """Do nothing: no version's tag was moved."""
        return Restoration(())

    def finish(self, rollout: Rollout) -> None:
        """Do nothing: nothing was replaced."""

    @property
    def _repository(self) -> str:
        """The store's repository. Raises ConfigError for a store that is a folder."""
        address = self._ctx.options.store
        if not is_address(address):
            raise ConfigError(
                "only a store in a registry can be published to",
                why=f"the store is {address or '.autoclave/store'}, a folder of this machine",
                next="name a registry: --store oci://HOST/REPOSITORY",
            )
        return address.partition("://")[2]

    def _tag(self, image: str) -> str:
        """Return the tag of an image's version: the version alone when the device has one image.

        A tag has no `+`; it becomes `_`, as Helm has it. No image's name contains `_`: what comes before the
        first one is the image.
        """
        device = self._ctx.device
        version = device.device.version.replace("+", "_")
        return version if len(device.image) == 1 else f"{image}_{version}"
