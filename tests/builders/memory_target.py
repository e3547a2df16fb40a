"""A target in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from msgspec import Struct

from autoclave.device.schema import Environment, Image
from autoclave.model.facts import Running
from autoclave.model.place import Place
from autoclave.targets.base import Preparation, Rehearsal, Restoration, Rollout, Unhealthy


class MemoryTarget(Struct):
    """A target whose reports are given: `calls` are what was asked of it, `digests` what runs, by image.

    `meanwhile` happens while a version is applied, `before_lock` just before the lock is taken.
    """

    environment: Environment = Environment(name="test", target="place")
    address: Place | None = Place("place", "file:///memory")
    preparation: Preparation = Preparation()
    rehearsal: Rehearsal = Rehearsal()
    restoration: Restoration = Restoration(())
    unhealthy: str = ""
    digests: dict[str, str] = {}
    calls: list[str] = []
    meanwhile: Callable[[], object] = lambda: None
    before_lock: Callable[[], object] = lambda: None

    def place(self) -> Place | None:
        return self.address

    def covers(self, image: Image) -> bool:
        """Return whether the image has a service."""
        return image.service is not None

    def inputs(self) -> Mapping[str, str]:
        return {}

    def sources(self) -> Mapping[str, bytes]:
        return {}

    def inspect_command(self) -> str:
        return "place ls"

    def running(self) -> list[Running]:
        return [
            Running(image=image, digest=digest, container=digest, healthy=True, inputs="")
            for image, digest in self.digests.items()
        ]

    def is_running(self, rollout: Rollout) -> bool:
        return self.digests == {each.image: each.digest for each in rollout.services}

    @contextmanager
    def lock(self, rollout: Rollout) -> Iterator[None]:
        self.before_lock()
        self.calls.append("lock")
        try:
            yield
        finally:
            self.calls.append("unlock")

    def recover(self, rollout: Rollout) -> Mapping[str, str]:
        self.calls.append("recover")
        return dict(self.digests)

    def prepare(self, rollout: Rollout) -> Preparation:
        self.calls.append("prepare")
        return self.preparation

    def rehearse(self, rollout: Rollout) -> Rehearsal:
        self.calls.append("rehearse")
        return self.rehearsal

    def apply(self, rollout: Rollout) -> None:
        self.calls.append("apply")
        if self.unhealthy:
            raise Unhealthy(self.unhealthy)
        self.meanwhile()
        self.digests = {each.image: each.digest for each in rollout.services}

    def observe(self, rollout: Rollout) -> list[Running]:
        self.calls.append("observe")
        return self.running()

    def restore(self, rollout: Rollout) -> Restoration:
        self.calls.append("restore")
        return self.restoration

    def finish(self, rollout: Rollout) -> None:
        self.calls.append("finish")
