"""Deploy to the container engine: one container per image, replaced with the previous one in reserve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property

from autoclave.context import Context, load_image
from autoclave.device.schema import Environment, Image
from autoclave.engines import removal
from autoclave.engines.base import (
    DEPLOYED,
    DIGEST_LABEL,
    INPUTS_LABEL,
    ContainerSpec,
    ContainerState,
    Engine,
)
from autoclave.errors import EngineError
from autoclave.model.digest import Digest
from autoclave.model.facts import Running
from autoclave.model.place import Place
from autoclave.store.image import read_identity
from autoclave.targets.base import (
    STEP,
    Preparation,
    Rehearsal,
    Restoration,
    Rollout,
    Service,
    Target,
    Unhealthy,
    is_same,
)
from autoclave.targets.docker import lock
from autoclave.targets.docker.containers import make_candidate, make_spec, read_running
from autoclave.targets.docker.health import Health
from autoclave.targets.docker.ownership import CANDIDATE, Ownership
from autoclave.targets.docker.secrets import Secrets

TABLES = frozenset({"publish", "variables"})
"""The tables of an environment that this target reads."""


def create(environment: Environment, ctx: Context) -> Target:
    """Return the target of an environment."""
    return EngineTarget(environment, ctx)


class EngineTarget:
    """The engine itself as the place where releases run."""

    def __init__(self, environment: Environment, ctx: Context) -> None:
        self.environment = environment
        self._ctx = ctx
        self._replaced: list[tuple[str, str]] = []  # image, and the id of the container that ran before

    def place(self) -> Place:
        """Return the engine that is connected."""
        return Place("engine", self._engine.address)

    def covers(self, image: Image) -> bool:
        """Return whether the device file says how the image runs: only [image.service] does, here."""
        return image.service is not None

    def inputs(self) -> Mapping[str, str]:
        """Return nothing: all settings are in [image.service]."""
        return {}

    def sources(self) -> Mapping[str, bytes]:
        """Return nothing: all settings are in [image.service]."""
        return {}

    def inspect_command(self) -> str:
        """Return the command by which a person sees what runs there."""
        labels = self._own.labels(DEPLOYED).items()
        filters = [word for name, value in labels for word in ("--filter", f"label={name}={value}")]
        return self._engine.command_line("ps", "-a", *filters)

    def running(self) -> list[Running]:
        """Read back what runs, by image."""
        return [
            self._read_running(state, healthy=not self._health.complaint(state))
            for _, state in sorted(self._own.services().items())
        ]

    def is_running(self, rollout: Rollout) -> bool:
        """Return whether exactly this runs already, in containers of the images they are labelled with."""
        running = {each.image: each for each in self.running()}
        return all(
            is_same(each, running.get(each.image))
            and running[each.image].container
            in {read_identity(self._ctx.store, each.digest).config, each.digest}
            for each in rollout.services
        )

    def lock(self, rollout: Rollout) -> AbstractContextManager[None]:
        """Hold the environment's lock. Raises Busy while another deployment does, DeployFailed."""
        image = self._load(rollout.services[0])
        return lock.hold(self._engine, self._own, image, self.environment.name)

    def recover(self, rollout: Rollout) -> Mapping[str, str]:
        """Clean up after a deployment that died while it replaced containers; return what ran before."""
        continued: dict[str, str] = {}
        for service in rollout.services:
            try:
                continued |= self._recover(service)
            except Unhealthy as error:
                self._warn(f"{service.image}: an earlier deployment died, and the previous version: {error}")
        return {each.image: each.digest for each in self.running()} | continued

    def prepare(self, rollout: Rollout) -> Preparation:
        """Object to what has our names and belongs to somebody else, and to secrets that are not there.

        There is nothing else to judge: the device file has no say in how a container is confined.
        """
        found = [
            reason
            for service in rollout.services
            for reason in (
                *self._own.find_foreign(service.image, service.settings.volumes),
                *self._secrets.find_missing(service.image, service.settings.secrets),
            )
        ]
        return Preparation(objections=tuple(dict.fromkeys(found)))

    def rehearse(self, rollout: Rollout) -> Rehearsal:
        """Run each new version beside what is there, with volumes of its own. Raises Unhealthy."""
        for service in rollout.services:
            self._note(f"{service.image}: rehearsing {Digest(service.digest).short} beside what runs")
            with _name_service(service):
                self._rehearse(service)
        return Rehearsal()

    def apply(self, rollout: Rollout) -> None:
        """Replace each running version, keep named volumes. Raises Unhealthy.

        One is healthy before the next is replaced.
        """
        for service in rollout.services:
            with _name_service(service):
                self._replace(service)

    def observe(self, rollout: Rollout) -> list[Running]:
        """Read back what runs. Raises Unhealthy."""
        return [self._observe(service) for service in rollout.services]

    def restore(self, rollout: Rollout) -> Restoration:
        """Restore what was replaced, last first."""
        answering: list[Running] = []
        silent: list[str] = []
        while self._replaced:
            image, replaced = self._replaced.pop()
            try:
                back = self._restore(image, replaced)
            except (Unhealthy, EngineError) as error:
                silent.append(f"{image}: the previous version: {error}")
                continue
            if back:
                answering.append(back)
                self._note(f"{image}: restored {back.digest}, it answers")
        return Restoration(tuple(answering), "\n".join(silent))

    def finish(self, rollout: Rollout) -> None:
        """Remove the versions that were replaced."""
        self._replaced.clear()
        for service in rollout.services:
            self._own.remove(self._own.previous(service.image), service.image)

    @property
    def _engine(self) -> Engine:
        return self._ctx.engine

    @cached_property
    def _own(self) -> Ownership:
        return Ownership(self._engine, self._ctx.device.device.name, self.environment.name)

    @cached_property
    def _secrets(self) -> Secrets:
        return Secrets(self._engine, getattr(self._ctx.options, "secrets", ""), self._ctx.folder)

    @cached_property
    def _health(self) -> Health:
        return Health(self._engine, self._ctx.screen)

    def _note(self, text: str) -> None:
        self._ctx.screen.note(STEP, text)

    def _warn(self, text: str) -> None:
        self._ctx.screen.warn(STEP, text)

    def _load(self, service: Service) -> str:
        """Bring the image into the engine, and return the engine's id of it."""
        return load_image(service.descriptor, self._ctx).id

    def _make_spec(self, service: Service) -> ContainerSpec:
        return make_spec(service, self._load(service), self._own)

    def _read_running(self, state: ContainerState, *, healthy: bool) -> Running:
        return read_running(state, healthy=healthy, address=self._health.address(state))

    def _recover(self, service: Service) -> dict[str, str]:
        """Finish or undo what a deployment left; return what it replaced, if it deployed this version."""
        previous, actual = self._find_previous(service.image), self._find(service.image)
        if previous is None:
            return {}
        if actual and not self._health.complaint(actual):
            self._engine.remove(previous.id)
            left = actual.labels.get(DIGEST_LABEL), actual.labels.get(INPUTS_LABEL)
            is_continued = left == (service.digest, service.inputs)
            return {service.image: previous.labels.get(DIGEST_LABEL, "")} if is_continued else {}
        if back := self._restore(service.image):
            self._warn(f"{service.image}: an earlier deployment died; restored {back.digest}")
        return {}

    def _rehearse(self, service: Service) -> None:
        spec = make_candidate(self._make_spec(service), service, self._own, self._ctx)
        self._own.prepare(spec, service.image, {})
        self._own.remove(spec.name, service.image, CANDIDATE)  # what a crashed deployment left
        candidate = self._engine.create(spec)
        try:
            self._secrets.put(candidate, service.settings.secrets)
            self._engine.start(candidate)
            self._health.wait(candidate)
        finally:
            removal.remove(self._engine, candidate)

    def _replace(self, service: Service) -> None:
        spec, image = self._make_spec(service), service.image
        replaced = self._find(image)
        self._replaced.append((image, replaced.id if replaced else ""))
        try:
            self._own.prepare(spec, image, service.settings.volumes)
        except EngineError as error:
            raise _make_unhealthy(error) from error
        if replaced:
            self._own.remove(self._own.previous(image), image)
            self._engine.rename(replaced.id, self._own.previous(image))
            self._engine.stop(replaced.id)
        try:
            container = self._engine.create(spec)
            self._secrets.put(container, service.settings.secrets)
            self._engine.start(container)
        except EngineError as error:
            raise _make_unhealthy(error) from error
        self._health.wait(container)

    def _observe(self, service: Service) -> Running:
        with _name_service(service):
            found = self._find(service.image)
            if found is None:
                raise Unhealthy("its container is missing")
            state = self._health.wait(found.id)
            expected = self._load(service)
            if state.image != expected:
                raise Unhealthy(f"the engine runs {state.image}, not {expected}")
        running = self._read_running(state, healthy=True)
        self._note(f"{service.image}: {service.digest} runs and is healthy {running.address}")
        return running

    def _find(self, image: str) -> ContainerState | None:
        return self._own.find(self._own.container(image), image)

    def _find_previous(self, image: str) -> ContainerState | None:
        return self._own.find(self._own.previous(image), image)

    def _restore(self, image: str, replaced: str = "") -> Running | None:
        """Restore the previous version and wait until it answers; None when nothing has to be restored.

        `replaced` is the id of the container that a replacement began with. While it still has the name,
        nothing took its place, and it may even run.
        """
        current = self._find(image)
        if current and current.id == replaced:
            self._engine.start(current.id)
            return self._read_running(self._health.wait(current.id, show=False), healthy=True)
        previous = self._find_previous(image)
        if current:
            self._engine.remove(current.id)
        if previous is None:
            return None
        self._engine.rename(previous.id, self._own.container(image))
        self._engine.start(previous.id)
        return self._read_running(self._health.wait(previous.id, show=False), healthy=True)


def _make_unhealthy(error: EngineError) -> Unhealthy:
    return Unhealthy(f"it cannot be started: {error.why or error.what}")


@contextmanager
def _name_service(service: Service) -> Iterator[None]:
    """Put the image's name and digest before the message of an Unhealthy."""
    try:
        yield
    except Unhealthy as error:
        raise Unhealthy(f"{service.image} {Digest(service.digest).short}: {error}") from error
