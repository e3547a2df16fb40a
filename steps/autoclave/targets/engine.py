"""Deploy to a container engine: one container per image, switched over with the previous one in reserve."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import structs

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
from autoclave.targets.base import Restoration, Rollout, Service, Tell, Unhealthy

_PAUSE = 0.1  # seconds between two looks
_PROBE = 2.0  # seconds until a probe must have answered
_TRIES = 50  # to take a lock that is being let go: while it is removed, its name is neither free nor found
_TAIL = 12  # lines of a container's output that explain why it is unhealthy

# What a deployed container says about how its health is seen, for the day it is put back.
_PROBE_LABEL = "dev.autoclave.probe"
_TIMEOUT_LABEL = "dev.autoclave.start-timeout"


class EngineTarget:
    """The engine itself as the place where releases run."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._probe_host = engine.info().probe_host
        self._switched: list[str] = []

    @contextmanager
    def lock(self, rollout: Rollout) -> Iterator[None]:
        """Hold the environment's lock: a container that is never started, whose name only one can have.

        So it holds between machines that share the engine. A lock whose owner died on this machine is
        taken over.
        """
        spec = ContainerSpec(
            image=rollout.image_id(rollout.services[0].digest),
            name=_name(rollout.device, rollout.environment.name, "lock"),
            command=("lock",),
            labels={OWNER_LABEL: rollout.owner, ROLE_LABEL: "lock"},
        )
        lock = self._take_lock(spec, rollout.environment.name)
        try:
            yield
        finally:
            self._engine.remove(lock)

    def _take_lock(self, spec: ContainerSpec, environment: str) -> str:
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
                    f"another deployment to {environment} is running",
                    why=f"its lock is held by {held.labels.get(OWNER_LABEL, 'unknown')} (host:process)",
                    next=f"wait for it; if it is gone for good: docker rm {spec.name}",
                )
            time.sleep(_PAUSE)
        raise refused

    def recover(self, rollout: Rollout, tell: Tell) -> None:
        """Settle or put back what a deployment left that died while it switched over."""
        for service in rollout.services:
            try:
                back = self._recover(_name(rollout.device, rollout.environment.name, service.image))
            except Unhealthy as error:
                tell.warn(f"{service.image}: an earlier deployment died; what ran before: {error}")
                continue
            if back:
                tell.warn(f"{service.image}: an earlier deployment died; put back {back.digest}")

    def rehearse(self, rollout: Rollout, tell: Tell) -> None:
        """Run each new version beside what is there, with volumes of its own. Raises Unhealthy."""
        for service in rollout.services:
            tell.note(f"{service.image}: rehearsing {Digest(service.digest).short} beside what runs")
            with _name_service(service):
                self._rehearse(service, rollout, tell.line)

    def apply(self, rollout: Rollout, tell: Tell) -> list[Running]:
        """Replace each running version, keep named volumes, wait until healthy. Raises Unhealthy."""
        running: list[Running] = []
        for service in rollout.services:
            self._switched.append(service.image)
            with _name_service(service):
                running.append(self._switch(service, rollout, tell.line))
            tell.note(f"{service.image}: {service.digest} runs and is healthy {running[-1].address}")
        return running

    def restore(self, rollout: Rollout, tell: Tell) -> Restoration:
        """Bring back what was replaced, last first; tell what answers again, and what does not."""
        answering: list[Running] = []
        silent: list[str] = []
        for image in reversed(self._switched):
            try:
                back = self._restore(_name(rollout.device, rollout.environment.name, image))
            except (Unhealthy, EngineError) as error:
                silent.append(f"{image}: the previous version: {error}")
                continue
            if back:
                answering.append(back)
                tell.note(f"{image}: put back {back.digest}, it answers")
        return Restoration(tuple(answering), "\n".join(silent))

    def finish(self, rollout: Rollout) -> None:
        """Remove the versions that were replaced."""
        for service in rollout.services:
            self._finish(_name(rollout.device, rollout.environment.name, service.image))

    def running(self, device: str, environment: str) -> list[Running]:
        """Read back what runs, by image."""
        labels = {DEVICE_LABEL: device, ENVIRONMENT_LABEL: environment, ROLE_LABEL: "service"}
        # By name, so that a version in reserve counts only where nothing took its place.
        by_image: dict[str, ContainerState] = {}
        for state in sorted(self._engine.containers(labels), key=lambda each: each.name):
            by_image.setdefault(state.labels.get(IMAGE_LABEL, ""), state)
        return [
            _make_running(state, self._address(state), healthy=not self._complaint(state))
            for state in by_image.values()
        ]

    def inspect_command(self, device: str, environment: str) -> str:
        """Return the command by which a person sees what runs there."""
        return "docker ps -a --filter label=dev.autoclave.role=service"

    def _recover(self, name: str) -> Running | None:
        if self._engine.state(f"{name}-previous") is None:
            return None
        here = self._engine.state(name)
        if here and not self._complaint(here):
            self._finish(name)
            return None
        return self._restore(name)

    def _rehearse(self, service: Service, rollout: Rollout, line: Callable[[str], None]) -> None:
        device, environment = rollout.device, rollout.environment.name
        name = _name(device, environment, service.image, "candidate")
        spec = _spec(service, rollout.image_id(service.digest), device, environment, name=name)
        spec = structs.replace(
            spec,
            volumes={},
            scratch=tuple(service.volumes.values()),
            publish=(service.port, 0) if service.port else None,
            aliases=(),
            restart=False,
            labels={**spec.labels, **service.labels, ROLE_LABEL: "candidate"},
        )
        self._engine.ensure_network(spec.network)
        self._engine.remove(spec.name)  # what a crashed deployment left
        candidate = self._engine.create(spec)
        try:
            self._engine.start(candidate)
            self._wait_healthy(candidate, line)
        finally:
            self._engine.remove(candidate)

    def _switch(self, service: Service, rollout: Rollout, line: Callable[[str], None]) -> Running:
        device, environment = rollout.device, rollout.environment.name
        name = _name(device, environment, service.image)
        previous = f"{name}-previous"
        here = self._engine.state(name)
        if here:
            self._engine.remove(previous)
            self._engine.rename(here.id, previous)
            self._engine.stop(here.id)
        self._engine.ensure_network(_network(device, environment))
        image_id = rollout.image_id(service.digest)
        container = self._engine.create(_spec(service, image_id, device, environment, name=name))
        try:
            self._engine.start(container)
        except EngineError as error:
            raise Unhealthy(f"it cannot be started: {error.why or error.what}") from error
        state = self._wait_healthy(container, line)
        if state.image != image_id:
            raise Unhealthy(f"the engine runs {state.image}, not {image_id}")
        return _make_running(state, self._address(state), healthy=True)

    def _restore(self, name: str) -> Running | None:
        """Bring the replaced version back and wait until it answers; None when there was none."""
        previous = self._engine.state(f"{name}-previous")
        if self._engine.state(name):
            self._engine.remove(name)
        if previous is None:
            return None
        self._engine.rename(previous.id, name)
        self._engine.start(previous.id)
        state = self._wait_healthy(previous.id, lambda _: None)
        return _make_running(state, self._address(state), healthy=True)

    def _finish(self, name: str) -> None:
        self._engine.remove(f"{name}-previous")

    def _wait_healthy(self, container: str, line: Callable[[str], None]) -> ContainerState:
        """Wait until the container is healthy, showing its output when it is not in time."""
        state = self._engine.state(container)
        limit = float(state.labels.get(_TIMEOUT_LABEL, "60")) if state else 60.0
        deadline = time.monotonic() + limit
        complaint = "it is gone"
        while state := self._engine.state(container):
            complaint = self._complaint(state)
            if not complaint:
                return state
            if time.monotonic() > deadline or (not state.running and not state.restarting):
                break
            time.sleep(_PAUSE)
        for text in list(self._engine.logs(container))[-_TAIL:] if state else []:
            line(text)
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
        return "nothing tells whether it is healthy: give [image.service] health, or the image a HEALTHCHECK"

    def _address(self, state: ContainerState) -> str:
        return f"http://{self._probe_host}:{state.host_port}" if self._probe_host and state.host_port else ""


def _probe(host: str, port: int, path: str) -> str:
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
    try:
        yield
    except Unhealthy as error:
        raise Unhealthy(f"{service.image} {Digest(service.digest).short}: {error}") from error


def _spec(service: Service, image_id: str, device: str, environment: str, *, name: str) -> ContainerSpec:
    labels = {
        **service.labels,
        DEVICE_LABEL: device,
        ENVIRONMENT_LABEL: environment,
        IMAGE_LABEL: service.image,
        DIGEST_LABEL: service.digest,
        INPUTS_LABEL: service.inputs,
        ROLE_LABEL: "service",
        _PROBE_LABEL: service.health,
        _TIMEOUT_LABEL: str(service.start_timeout),
    }
    labels.pop(RUN_LABEL, None)  # a deployed container outlives the run that made it
    return ContainerSpec(
        image=image_id,
        name=name,
        environment=service.environment,
        network=_network(device, environment),
        aliases=(service.image,),
        memory=service.memory,
        cpus=service.cpus,
        pids=service.pids,
        volumes={_name(device, environment, volume): path for volume, path in service.volumes.items()},
        publish=(service.port, service.publish) if service.port and service.publish else None,
        labels=labels,
        restart=True,
    )


def _make_running(state: ContainerState, address: str, *, healthy: bool) -> Running:
    return Running(
        image=state.labels.get(IMAGE_LABEL, ""),
        digest=state.labels.get(DIGEST_LABEL, ""),
        container=state.image,
        healthy=healthy,
        inputs=state.labels.get(INPUTS_LABEL, ""),
        address=address,
    )


def _name(device: str, environment: str, *rest: str) -> str:
    return "-".join(("autoclave", device, environment, *rest))


def _network(device: str, environment: str) -> str:
    return _name(device, environment)
