"""Deploy to the container engine: one container per image, replaced with the previous one in reserve."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

from msgspec import structs

from autoclave.context import Context, load_image
from autoclave.device.schema import Environment, Image, parse_size
from autoclave.engines.base import (
    DEVICE_LABEL,
    DIGEST_LABEL,
    ENVIRONMENT_LABEL,
    IMAGE_LABEL,
    INPUTS_LABEL,
    OWNER_LABEL,
    ROLE_LABEL,
    RUN_LABEL,
    ContainerSpec,
    ContainerState,
    Engine,
)
from autoclave.errors import Busy, EngineError
from autoclave.model.digest import Digest
from autoclave.model.facts import Running
from autoclave.runtime.owner import is_gone
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

_PAUSE = 0.1  # seconds between two checks
_PROBE = 2.0  # seconds until a probe must have answered
_TRIES = 50  # to take a lock that is being removed: meanwhile its name is neither free nor found
_TAIL = 12  # lines of a container's output that explain why it is unhealthy

# How a deployed container's health is checked, for the day it is restored.
_PROBE_LABEL = "dev.autoclave.probe"
_TIMEOUT_LABEL = "dev.autoclave.start-timeout"


def create(environment: Environment, ctx: Context) -> Target:
    """Return the target of an environment."""
    return EngineTarget(environment, ctx)


class EngineTarget:
    """The engine itself as the place where releases run."""

    def __init__(self, environment: Environment, ctx: Context) -> None:
        self.environment = environment
        self._ctx = ctx
        self._applied: list[str] = []

    def covers(self, image: Image) -> bool:
        """Return whether the device file says how the image runs: only [image.service] does, here."""
        return image.service is not None

    def inputs(self) -> Mapping[str, str]:
        """Return nothing: all settings are in [image.service]."""
        return {}

    def inspect_command(self) -> str:
        """Return the command by which a person sees what runs there."""
        return self._engine.command_line("ps", "-a", "--filter", f"label={ROLE_LABEL}=service")

    def running(self) -> list[Running]:
        """Read back what runs, by image."""
        labels = {
            DEVICE_LABEL: self._ctx.device.device.name,
            ENVIRONMENT_LABEL: self.environment.name,
            ROLE_LABEL: "service",
        }
        # By name, so that a version in reserve counts only where nothing took its place.
        by_image: dict[str, ContainerState] = {}
        for state in sorted(self._engine.containers(labels), key=lambda each: each.name):
            by_image.setdefault(state.labels.get(IMAGE_LABEL, ""), state)
        return [self._make_running(state, healthy=not self._complaint(state)) for state in by_image.values()]

    def is_running(self, rollout: Rollout) -> bool:
        """Return whether exactly this runs already, in containers of the images they are labelled with."""
        running = {each.image: each for each in self.running()}
        return all(
            is_same(each, running.get(each.image))
            and running[each.image].container
            in {read_identity(self._ctx.store, each.digest).config, each.digest}
            for each in rollout.services
        )

    @contextmanager
    def lock(self, rollout: Rollout) -> Iterator[None]:
        """Hold the environment's lock: a container that is never started, whose name only one can have.

        So it excludes machines that share the engine from each other. A lock whose owner died on this machine
        is taken over.
        """
        spec = ContainerSpec(
            image=self._load(rollout.services[0]),
            name=self._name("lock"),
            command=("lock",),
            labels={OWNER_LABEL: self._ctx.labels()[OWNER_LABEL], ROLE_LABEL: "lock"},
        )
        lock = self._take_lock(spec)
        try:
            yield
        finally:
            self._engine.remove(lock)

    def recover(self, rollout: Rollout) -> list[Running]:
        """Clean up after a deployment that died while it replaced containers; return what runs then."""
        for service in rollout.services:
            try:
                back = self._recover(self._name(service.image))
            except Unhealthy as error:
                self._warn(f"{service.image}: an earlier deployment died, and the previous version: {error}")
                continue
            if back:
                self._warn(f"{service.image}: an earlier deployment died; restored {back.digest}")
        return self.running()

    def prepare(self, rollout: Rollout) -> Preparation:
        """Return nothing to judge: the device file has no say in how a container is confined."""
        return Preparation()

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
            self._applied.append(service.image)
            with _name_service(service):
                self._replace(service)

    def observe(self, rollout: Rollout) -> list[Running]:
        """Read back what runs. Raises Unhealthy."""
        return [self._observe(service) for service in rollout.services]

    def restore(self, rollout: Rollout) -> Restoration:
        """Restore what was replaced, last first."""
        answering: list[Running] = []
        silent: list[str] = []
        while self._applied:
            image = self._applied.pop()
            try:
                back = self._restore(self._name(image))
            except (Unhealthy, EngineError) as error:
                silent.append(f"{image}: the previous version: {error}")
                continue
            if back:
                answering.append(back)
                self._note(f"{image}: restored {back.digest}, it answers")
        return Restoration(tuple(answering), "\n".join(silent))

    def finish(self, rollout: Rollout) -> None:
        """Remove the versions that were replaced."""
        self._applied.clear()
        for service in rollout.services:
            self._finish(self._name(service.image))

    @property
    def _engine(self) -> Engine:
        return self._ctx.engine

    @cached_property
    def _probe_host(self) -> str:
        return self._engine.info().probe_host

    def _note(self, text: str) -> None:
        self._ctx.screen.note(STEP, text)

    def _warn(self, text: str) -> None:
        self._ctx.screen.warn(STEP, text)

    def _name(self, *rest: str) -> str:
        return "-".join(("autoclave", self._ctx.device.device.name, self.environment.name, *rest))

    def _load(self, service: Service) -> str:
        """Bring the image into the engine, and return the engine's id of it."""
        return load_image(service.descriptor, self._ctx).id

    def _take_lock(self, spec: ContainerSpec) -> str:
        for _ in range(_TRIES):
            try:
                return self._engine.create(spec)
            except EngineError as error:
                refused = error
                held = self._engine.state(spec.name)
            if held and is_gone(held.labels.get(OWNER_LABEL, "")):
                self._engine.remove(held.id)
            elif held:
                raise Busy(
                    f"another deployment to {self.environment.name} is running",
                    why=f"its lock is held by {held.labels.get(OWNER_LABEL, 'unknown')} (host:process)",
                    next="wait for it; if that process no longer exists: "
                    + self._engine.command_line("rm", spec.name),
                )
            time.sleep(_PAUSE)
        raise refused

    def _recover(self, name: str) -> Running | None:
        if self._engine.state(f"{name}-previous") is None:
            return None
        here = self._engine.state(name)
        if here and not self._complaint(here):
            self._finish(name)
            return None
        return self._restore(name)

    def _rehearse(self, service: Service) -> None:
        spec = self._spec(service, self._name(service.image, "candidate"))
        settings = service.settings
        spec = structs.replace(
            spec,
            volumes={},
            scratch=tuple(settings.volumes.values()),
            publish=(settings.port, 0) if settings.port else None,
            aliases=(),
            restart=False,
            labels={**spec.labels, **self._ctx.labels(), ROLE_LABEL: "candidate"},
        )
        self._engine.ensure_network(spec.network)
        self._engine.remove(spec.name)  # what a crashed deployment left
        candidate = self._engine.create(spec)
        try:
            self._engine.start(candidate)
            self._wait_until_healthy(candidate)
        finally:
            self._engine.remove(candidate)

    def _replace(self, service: Service) -> None:
        name = self._name(service.image)
        previous = f"{name}-previous"
        here = self._engine.state(name)
        if here:
            self._engine.remove(previous)
            self._engine.rename(here.id, previous)
            self._engine.stop(here.id)
        spec = self._spec(service, name)
        self._engine.ensure_network(spec.network)
        container = self._engine.create(spec)
        try:
            self._engine.start(container)
        except EngineError as error:
            raise Unhealthy(f"it cannot be started: {error.why or error.what}") from error
        self._wait_until_healthy(container)

    def _observe(self, service: Service) -> Running:
        with _name_service(service):
            state = self._wait_until_healthy(self._name(service.image))
            expected = self._load(service)
            if state.image != expected:
                raise Unhealthy(f"the engine runs {state.image}, not {expected}")
        running = self._make_running(state, healthy=True)
        self._note(f"{service.image}: {service.digest} runs and is healthy {running.address}")
        return running

    def _restore(self, name: str) -> Running | None:
        """Restore the replaced version and wait until it answers; None when nothing was replaced."""
        previous = self._engine.state(f"{name}-previous")
        if self._engine.state(name):
            self._engine.remove(name)
        if previous is None:
            return None
        self._engine.rename(previous.id, name)
        self._engine.start(previous.id)
        return self._make_running(self._wait_until_healthy(previous.id, show=False), healthy=True)

    def _finish(self, name: str) -> None:
        self._engine.remove(f"{name}-previous")

    def _spec(self, service: Service, name: str) -> ContainerSpec:
        settings = service.settings
        labels = {
            **self._ctx.labels(),
            ENVIRONMENT_LABEL: self.environment.name,
            IMAGE_LABEL: service.image,
            DIGEST_LABEL: service.digest,
            INPUTS_LABEL: service.inputs,
            ROLE_LABEL: "service",
            _PROBE_LABEL: settings.health,
            _TIMEOUT_LABEL: str(settings.start_timeout),
        }
        labels.pop(RUN_LABEL)  # a deployed container outlives the run that made it
        return ContainerSpec(
            image=self._load(service),
            name=name,
            environment=settings.environment,
            network=self._name(),
            aliases=(service.image,),
            memory=parse_size(settings.memory),
            cpus=settings.cpus,
            pids=settings.pids,
            volumes={self._name(volume): path for volume, path in settings.volumes.items()},
            publish=(settings.port, service.publish) if settings.port and service.publish else None,
            labels=labels,
            restart=True,
        )

    def _wait_until_healthy(self, container: str, *, show: bool = True) -> ContainerState:
        """Wait until the container is healthy; `show` prints the end of its output when it is not in time."""
        state = self._engine.state(container)
        limit = float(state.labels.get(_TIMEOUT_LABEL, "60")) if state else 60.0
        deadline = time.monotonic() + limit
        complaint = "the container is missing"
        while state := self._engine.state(container):
            complaint = self._complaint(state)
            if not complaint:
                return state
            if time.monotonic() > deadline or (not state.running and not state.restarting):
                break
            time.sleep(_PAUSE)
        for text in list(self._engine.logs(container))[-_TAIL:] if state and show else []:
            self._ctx.screen.line(STEP, text)
        raise Unhealthy(f"not healthy (given {limit:.0f} s): {complaint}")

    def _complaint(self, state: ContainerState) -> str:
        """Return why a container is not healthy, or an empty string when it is."""
        if not state.running:
            killed = " (killed for memory)" if state.oom_killed else ""
            return f"it ended with exit code {state.exit_code}{killed}"
        probe = state.labels.get(_PROBE_LABEL, "")
        if probe and state.host_port and self._probe_host:
            return _probe(self._probe_host, state.host_port, probe)
        if state.health:
            return "" if state.health == "healthy" else f"its HEALTHCHECK says {state.health}"
        return "nothing shows its health: add health to [image.service], or a HEALTHCHECK to the image"

    def _make_running(self, state: ContainerState, *, healthy: bool) -> Running:
        reachable = self._probe_host and state.host_port
        return Running(
            image=state.labels.get(IMAGE_LABEL, ""),
            digest=state.labels.get(DIGEST_LABEL, ""),
            container=state.image,
            healthy=healthy,
            inputs=state.labels.get(INPUTS_LABEL, ""),
            address=f"http://{self._probe_host}:{state.host_port}" if reachable else "",
        )


def _probe(host: str, port: int, path: str) -> str:
    """Return why a GET did not succeed, or an empty string when it did."""
    connection = http.client.HTTPConnection(host, port, timeout=_PROBE)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"GET {path} does not answer ({type(error).__name__})"
    finally:
        connection.close()
    return "" if 200 <= status < 300 else f"GET {path} answers {status}"


@contextmanager
def _name_service(service: Service) -> Iterator[None]:
    """Put the image's name and digest before the message of an Unhealthy."""
    try:
        yield
    except Unhealthy as error:
        raise Unhealthy(f"{service.image} {Digest(service.digest).short}: {error}") from error
