"""The service containers of the tests: on a network of this run alone, healthy before a test begins."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from msgspec import Struct, structs

from autoclave.context import Context, load_image
from autoclave.device.schema import Image, TestService, UnitTest, parse_size
from autoclave.engines import removal
from autoclave.engines.base import ContainerSpec, ImageState
from autoclave.errors import ConfigError, EngineError, StoreError
from autoclave.harness import lifecycle
from autoclave.model.digest import Digest, Digests
from autoclave.model.facts import ServiceRun
from autoclave.store.oci import Descriptor

STEP = "unit-test"

_CHECK = 0.5  # seconds between two checks of the services while the tests run
_TAIL = 20  # lines of a log that are shown
_LARGEST_LOG = 64 << 20  # bytes of a log that are kept


class PinnedService(Struct, frozen=True):
    """A declared service and the exact image that it runs."""

    declared: TestService
    digest: str
    descriptor: Descriptor | None = None  # None: another project's image, by reference
    scratch: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


class RunningServices:
    """The services of one run: their network, the result of each, and the last lines of each log."""

    def __init__(self, network: str = "") -> None:
        self.network = network
        self.runs: dict[str, ServiceRun] = {}
        self.tails: dict[str, list[str]] = {}
        self._containers: dict[str, str] = {}

    @property
    def failed(self) -> bool:
        """Whether a service failed."""
        return any(run.failure for run in self.runs.values())

    def add(self, container: str, run: ServiceRun) -> None:
        """Add a service that was started: its container and its result."""
        self._containers[run.name] = container
        self.runs[run.name] = run

    def check(self, ctx: Context) -> bool:
        """Record which services have ended; return whether all of them still run."""
        for name, container in self._containers.items():
            state = ctx.engine.state(container)
            if not (state and state.running) and not self.runs[name].failure and not ctx.cancelled.is_set():
                failure = f"{lifecycle.describe_end(state)} while the tests ran"
                self.runs[name] = structs.replace(self.runs[name], failure=failure)
        return not self.failed

    @contextmanager
    def watch(self, ctx: Context, when_failed: Callable[[], None]) -> Iterator[None]:
        """Check the services while the tests run: tests must not wait for a dead one to their time limit."""
        done = threading.Event()

        def watch() -> None:
            with suppress(EngineError):  # the step itself gets the same error, and reports it
                while not done.wait(_CHECK):
                    if not self.check(ctx):
                        when_failed()
                        return

        thread = threading.Thread(target=watch, daemon=True)
        if self._containers:
            thread.start()
        try:
            yield
        finally:
            done.set()
            if thread.is_alive():
                thread.join()


def pin(tests: UnitTest, ctx: Context, digests: Digests) -> list[PinnedService]:
    """Return each service's exact image; `digests` are those that the options name."""
    found = []
    for service in tests.service:
        if "@" in service.image:
            digest = service.image.rpartition("@")[2]
            found.append(
                PinnedService(
                    service,
                    digest,
                    None,
                    tuple(service.scratch),
                    service.environment,
                    tuple(service.command),
                    tuple(service.arguments),
                )
            )
            continue
        image = ctx.device.find_image(service.image)
        descriptor = ctx.subject(image, digests.of(image.name))
        deployed = image.service
        scratch = (*(deployed.volumes.values() if deployed else ()), *service.scratch)
        environment = {**(deployed.environment if deployed else {}), **service.environment}
        given = service if service.command or service.arguments else deployed
        command, arguments = (tuple(given.command), tuple(given.arguments)) if given else ((), ())
        found.append(
            PinnedService(service, descriptor.digest, descriptor, scratch, environment, command, arguments)
        )
    return found


@contextmanager
def start_services(image: Image, services: list[PinnedService], ctx: Context) -> Iterator[RunningServices]:
    """Start the services one after another, each when the one before is healthy.

    After the first that fails no other is started. Containers, their volumes and the network are always
    removed; each log is kept as `service-NAME.log` in the image's reports.
    """
    if not services:
        yield RunningServices()
        return
    name = f"autoclave_{ctx.device.device.name}_{ctx.run_id[:12]}_{image.name}"  # no name contains "_"
    there = RunningServices(name)
    ctx.engine.create_closed_network(name, ctx.labels())
    try:
        with _remove_all(there, image, ctx) as made:
            for each in services:
                if not there.failed:
                    _start(each, there, made, ctx)
            yield there
    finally:
        _remove_network(name, ctx)


def _start(each: PinnedService, there: RunningServices, made: list[tuple[str, str]], ctx: Context) -> None:
    declared = each.declared
    state = load_image(each.descriptor, ctx) if each.descriptor else _find_or_pull(declared, ctx)
    command = tuple(declared.health) or _deployed_health(each, ctx) or state.health
    if not command:
        raise ConfigError(
            f"the unit-test service '{declared.name}' has no health check",
            why=f"the image {declared.image} has no HEALTHCHECK, and the service no health command",
            next=f"add health = [\"…\"] to the service '{declared.name}' in autoclave.toml",
        )
    container = ctx.engine.create(_spec(each, state, there.network, ctx))
    made.append((declared.name, container))
    ctx.screen.note(
        STEP, f"service {declared.name}: {declared.image.partition('@')[0]} {Digest(each.digest).short}"
    )
    lifecycle.start(container, ctx)
    probe = lifecycle.probe_by_command(container, command, ctx.engine)
    waited = lifecycle.wait_until_healthy(container, probe, timeout=declared.start_timeout, ctx=ctx)
    failure = f"{waited.failure}: the tests did not run" if waited.failure else ""
    run = ServiceRun(
        name=declared.name,
        image=declared.image.partition("@")[0],
        digest=each.digest,
        image_id=state.id,
        seconds=waited.seconds,
        failure=failure,
    )
    there.add(container, run)
    if not failure:
        ctx.screen.note(STEP, f"service {declared.name}: healthy after {waited.seconds:.1f} s")


def _deployed_health(each: PinnedService, ctx: Context) -> tuple[str, ...]:
    """Return the health command that an image of this device has where it is deployed."""
    if each.descriptor is None:
        return ()
    deployed = ctx.device.find_image(each.declared.image).service
    return tuple(deployed.health_command) if deployed else ()


def _spec(each: PinnedService, image: ImageState, network: str, ctx: Context) -> ContainerSpec:
    declared = each.declared
    return ContainerSpec(
        image=image.id,
        user=declared.user or lifecycle.user_of(image, each.descriptor, ctx),
        environment={"HOME": "/tmp", **each.environment},  # noqa: S108 -- a path inside the container
        network=network,
        aliases=(declared.name,),
        dns=lifecycle.NO_DNS,
        memory=parse_size(declared.memory),
        cpus=declared.cpus,
        pids=declared.pids,
        scratch=each.scratch,
        command=each.command,
        arguments=each.arguments,
        executable_tmp=declared.executable_tmp,
        labels=ctx.labels(),
    )


def _find_or_pull(service: TestService, ctx: Context) -> ImageState:
    """Return the engine's image for a reference pinned by digest; pull it if it is missing."""
    found = ctx.engine.image(service.image)
    if found is None:
        ctx.engine.pull(service.image, lambda text: ctx.screen.line(STEP, text))
        found = ctx.engine.image(service.image)
    if found is None:
        raise StoreError(f"the engine does not have {service.image} after pulling it")
    return found


@contextmanager
def _remove_all(there: RunningServices, image: Image, ctx: Context) -> Iterator[list[tuple[str, str]]]:
    made: list[tuple[str, str]] = []
    try:
        yield made
    finally:
        try:
            for name, container in made:
                there.tails[name] = _keep_log(name, container, image, ctx)
        finally:
            for _, container in reversed(made):
                removal.remove(ctx.engine, container)


def _keep_log(name: str, container: str, image: Image, ctx: Context) -> list[str]:
    """Write a service's log into the reports and return its last lines."""
    if ctx.cancelled.is_set():
        return []
    try:
        tail: deque[str] = deque(maxlen=_TAIL)
        lines = _bound(ctx.engine.logs(container), tail)
        ctx.write_report(image.name, f"service-{name}.log", lines)
    except EngineError as error:
        ctx.screen.warn(STEP, f"the log of service '{name}' cannot be read: {error.why or error.what}")
        return []
    return list(tail)


def _bound(lines: Iterator[str], tail: deque[str]) -> Iterator[bytes]:
    """Yield the lines of a log up to its limit, and keep the last of them in `tail`."""
    room = _LARGEST_LOG
    for line in lines:
        raw = f"{line}\n".encode()
        room -= len(raw)
        if room < 0:
            yield b"(the rest of the log is not kept)\n"
            return
        tail.append(line)
        yield raw


def _remove_network(name: str, ctx: Context) -> None:
    try:
        ctx.engine.remove_network(name)
    except EngineError as error:
        # A later run removes it; the result of the tests does not depend on it.
        ctx.screen.warn(STEP, f"the network {name} cannot be removed: {error.why or error.what}")
