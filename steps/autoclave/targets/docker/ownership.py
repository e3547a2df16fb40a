"""What in the engine belongs to a device in an environment: by name and by labels, never by a name alone.

Names are joined with `_`, which no name in autoclave.toml contains: two devices, environments or images never
share one. Whatever has one of our names without our labels belongs to somebody else: it is not read, stopped,
replaced or removed, and nothing is deployed over it.
"""

from __future__ import annotations

from collections.abc import Mapping

from autoclave.engines.base import (
    DEPLOYED,
    DEVICE_LABEL,
    ENVIRONMENT_LABEL,
    IMAGE_LABEL,
    ROLE_LABEL,
    VOLUME_LABEL,
    ContainerSpec,
    ContainerState,
    Engine,
)
from autoclave.targets.base import Unhealthy

CANDIDATE, LOCK = "candidate", "lock"
"""The roles of other containers than the deployed ones: what is rehearsed, and the lock."""


class Ownership:
    """The names and labels of what belongs to a device in an environment, and what is found by them."""

    def __init__(self, engine: Engine, device: str, environment: str) -> None:
        self._engine = engine
        self._device = device
        self._environment = environment

    @property
    def network(self) -> str:
        """The network that the device's containers share."""
        return self._join()

    @property
    def lock(self) -> str:
        """The container that is the environment's lock; those of images have one more part."""
        return self._join()

    def container(self, image: str) -> str:
        """Return the name of the container in which an image runs."""
        return self._join(image)

    def previous(self, image: str) -> str:
        """Return the name of the container in reserve."""
        return self._join(image, "previous")

    def candidate(self, image: str) -> str:
        """Return the name of the container in which an image is rehearsed."""
        return self._join(image, "candidate")

    def volume(self, name: str) -> str:
        """Return the engine's name of a volume that autoclave.toml names."""
        return self._join(name)

    def labels(self, role: str = "", image: str = "", volume: str = "") -> dict[str, str]:
        """Return the labels of a network, of a volume, or of a container in a role."""
        found = {DEVICE_LABEL: self._device, ENVIRONMENT_LABEL: self._environment}
        more = {ROLE_LABEL: role, IMAGE_LABEL: image, VOLUME_LABEL: volume}
        return found | {label: value for label, value in more.items() if value}

    def find(self, name: str, image: str, role: str = DEPLOYED) -> ContainerState | None:
        """Return our container of that name; None when there is none, or it is somebody else's."""
        state = self._engine.state(name)
        return state if state and not _difference(state.labels, self.labels(role, image)) else None

    def services(self) -> dict[str, ContainerState]:
        """Return what runs, by image; what is in reserve only where nothing took its place."""
        found: dict[str, ContainerState] = {}
        for state in self._engine.containers(self.labels(DEPLOYED)):
            image = state.labels.get(IMAGE_LABEL, "")
            if state.name == self.container(image):
                found[image] = state
            elif state.name == self.previous(image):
                found.setdefault(image, state)
        return found

    def remove(self, name: str, image: str, role: str = DEPLOYED) -> None:
        """Remove our container of that name, if there is one."""
        if state := self.find(name, image, role):
            self._engine.remove(state.id)

    def find_foreign(self, image: str, volumes: Mapping[str, str]) -> list[str]:
        """Return why an image cannot be deployed: what has a name that it needs, and is somebody else's."""
        reasons = [
            self.describe_container(self.container(image), image),
            self.describe_container(self.previous(image), image),
            self.describe_container(self.candidate(image), image, CANDIDATE),
            self._describe_network(),
            *(self._describe_volume(name) for name in volumes),
        ]
        return [reason for reason in reasons if reason]

    def describe_container(self, name: str, image: str, role: str = DEPLOYED) -> str:
        """Return why the container of that name is not ours; empty when it is, or there is none."""
        state = self._engine.state(name)
        return describe_foreign("container", name, state.labels, self.labels(role, image)) if state else ""

    def prepare(self, spec: ContainerSpec, image: str, volumes: Mapping[str, str]) -> None:
        """Create the network and the volumes of a container. Raises Unhealthy for those of somebody else."""
        if reasons := self.find_foreign(image, volumes):
            raise Unhealthy("; ".join(reasons))
        if self._engine.network(spec.network) is None:
            self._engine.create_network(spec.network, self.labels())
        for name in volumes:
            if self._engine.volume(self.volume(name)) is None:
                self._engine.create_volume(self.volume(name), self.labels(volume=name))

    def _join(self, *parts: str) -> str:
        return "_".join(("autoclave", self._device, self._environment, *parts))

    def _describe_network(self) -> str:
        found = self._engine.network(self.network)
        return describe_foreign("network", self.network, found.labels, self.labels()) if found else ""

    def _describe_volume(self, name: str) -> str:
        found, whole = self._engine.volume(self.volume(name)), self.volume(name)
        return describe_foreign("volume", whole, found.labels, self.labels(volume=name)) if found else ""


def describe_foreign(kind: str, name: str, actual: Mapping[str, str], expected: Mapping[str, str]) -> str:
    """Return why something that has one of our names is not ours; empty when it is."""
    wrong = _difference(actual, expected)
    return (
        f"the {kind} {name} belongs to somebody else ({wrong}), and is left alone: remove or rename it"
        if wrong
        else ""
    )


def _difference(actual: Mapping[str, str], expected: Mapping[str, str]) -> str:
    """Return the first label that is not as expected, in words; empty when all are."""
    for label, value in expected.items():
        if actual.get(label) != value:
            is_other = label in actual
            return f"its label {label} is {actual[label]!r}" if is_other else f"it has no label {label}"
    return ""
