"""Publish: give what was released its version as a tag, in the registry that is the store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from autoclave.device.schema import Device
from autoclave.errors import ConfigError
from autoclave.model.facts import Running
from autoclave.model.verdict import Verdict
from autoclave.store.base import Store, is_address
from autoclave.targets.base import Restoration, Rollout, Tell, Unhealthy


class RegistryTarget:
    """The store's repository as the place where others find releases.

    A build moves the tag of its image's name before any gate has judged it; the tag of a version is given
    here alone, once, and never moves.
    """

    def __init__(self, device: Device, address: str, store: Callable[[], Store]) -> None:
        if not is_address(address):
            raise ConfigError(
                "only a store in a registry can be published to",
                why=f"the store is {address or '.autoclave/store'}, a folder of this machine",
                next="name a registry: --store oci://HOST/REPOSITORY",
            )
        self._device = device
        self._repository = address.partition("://")[2]
        self._store = store

    def lock(self, rollout: Rollout) -> AbstractContextManager[None]:
        """Hold nothing: a tag is given in one request, and another digest's is never replaced."""
        return nullcontext()

    def recover(self, rollout: Rollout, tell: Tell) -> None:
        """Do nothing: a tag is there or not."""

    def rehearse(self, rollout: Rollout, tell: Tell) -> None:
        """Refuse a version that stands for another digest already. Raises DeployGateClosed."""
        reasons = []
        for service in rollout.services:
            tag = self.tag(service.image)
            there = self._store().find(tag)
            if there and there.digest != service.digest:
                reasons.append(
                    f"{self._repository}:{tag} is {there.digest} already, and a published version never "
                    f"changes: raise device.version above {self._device.device.version}"
                )
        rollout.require(Verdict("deploy", tuple(reasons)))

    def apply(self, rollout: Rollout, tell: Tell) -> list[Running]:
        """Give the tags, and read back what they stand for. Raises Unhealthy."""
        for service in rollout.services:
            self._store().tag(self.tag(service.image), self._store().find_image(service.digest))
            tell.note(f"{service.image}: {service.digest} is {self._repository}:{self.tag(service.image)}")
        running = self.running(rollout.device, rollout.environment.name)
        digests = {each.image: each.digest for each in running}
        for service in rollout.services:
            if digests.get(service.image) != service.digest:
                raise Unhealthy(
                    f"the registry answers {digests.get(service.image, 'nothing')} for {service.image}"
                )
        return running

    def restore(self, rollout: Rollout, tell: Tell) -> Restoration:
        """Do nothing: no version's tag was moved."""
        return Restoration(())

    def finish(self, rollout: Rollout) -> None:
        """Do nothing: nothing was replaced."""

    def running(self, device: str, environment: str) -> list[Running]:
        """Return which digest each image's version stands for in the registry."""
        found = []
        for image in self._device.image:
            tag = self.tag(image.name)
            if there := self._store().find(tag):
                found.append(
                    Running(
                        image=image.name,
                        digest=there.digest,
                        container=there.digest,
                        healthy=True,
                        inputs="",
                        address=f"{self._repository}:{tag}",
                    )
                )
        return found

    def inspect_command(self, device: str, environment: str) -> str:
        """Return the command by which a person sees what is published."""
        return f"skopeo list-tags docker://{self._repository}"

    def tag(self, image: str) -> str:
        """Return the tag of an image's version: the version alone when the device has one image.

        A tag has no `+`; it becomes `_`, as Helm has it.
        """
        version = self._device.device.version.replace("+", "_")
        return version if len(self._device.image) == 1 else f"{image}-{version}"
