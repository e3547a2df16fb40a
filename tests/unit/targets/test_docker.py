"""The container engine as the place of releases: the previous version stays in reserve until all is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec import structs

from autoclave import targets
from autoclave.console.json import JsonScreen
from autoclave.context import Context
from autoclave.device.schema import Environment, Service
from autoclave.engines import base as base_engine
from autoclave.engines import removal
from autoclave.engines.base import (
    ContainerSpec,
    ContainerState,
    EngineInfo,
    ImageState,
    NetworkState,
    VolumeState,
)
from autoclave.errors import Busy, DeployFailed, EngineError
from autoclave.runtime.options import Common
from autoclave.runtime.owner import owner
from autoclave.store.oci import MANIFEST, Descriptor
from autoclave.targets import base, docker
from autoclave.targets.base import Rollout, Target, Unhealthy
from autoclave.targets.docker import health, lock

DEVICE = """
[device]
name = "pump"
version = "1.0.0"
safety-class = "A"
[[image]]
name = "app"
[image.service]
[[image]]
name = "tool"
[[environment]]
name = "ward"
"""
WARD = Environment(name="ward")
OLD, NEW, SICK = (f"sha256:{letter * 64}" for letter in "abc")


class Engine:
    """Containers in memory, by name. A container is healthy unless its image is `SICK`."""

    address = "unix:///run/engine.sock"

    def __init__(self) -> None:
        self.all: dict[str, ContainerState] = {}
        self.all_networks: dict[str, NetworkState] = {}
        self.volumes: dict[str, VolumeState] = {}
        self.calls: list[str] = []

    def command_line(self, *words: str) -> str:
        return " ".join(("engine", *words))

    def info(self) -> EngineInfo:
        return EngineInfo(name="memory", kernel="", probe_host="", clock="")

    def create(self, spec: ContainerSpec) -> str:
        if spec.name in self.all:
            raise EngineError(f"the name {spec.name} is taken")
        self.calls.append(f"create {spec.name}")
        self.all[spec.name] = ContainerState(
            id=f"id-{spec.name}-{len(self.calls)}",
            name=spec.name,
            image=spec.image,
            labels=spec.labels,
            running=False,
            exit_code=0,
            health="unhealthy" if spec.image == SICK else "healthy",
        )
        return self.all[spec.name].id

    def state(self, container: str) -> ContainerState | None:
        return next((each for each in self.all.values() if container in (each.id, each.name)), None)

    def start(self, container: str) -> None:
        self._change(container, running=True)

    def stop(self, container: str) -> None:
        self._change(container, running=False)

    def rename(self, container: str, name: str) -> None:
        self._change(container, name=name)

    def remove(self, container: str) -> None:
        if state := self.state(container):
            del self.all[state.name]

    def containers(self, labels: Mapping[str, str]) -> list[ContainerState]:
        return [
            each
            for each in self.all.values()
            if all(
                each.labels.get(name, "") == value if value else name in each.labels
                for name, value in labels.items()
            )
        ]

    def logs(self, container: str) -> Iterator[str]:
        yield "it does not work"

    def network(self, name: str) -> NetworkState | None:
        return self.all_networks.get(name)

    def create_network(self, name: str, labels: Mapping[str, str]) -> None:
        self.all_networks[name] = NetworkState(name=name, labels=labels)

    def networks(self, labels: Mapping[str, str]) -> list[NetworkState]:
        return [each for each in self.all_networks.values() if labels.items() <= each.labels.items()]

    def volume(self, name: str) -> VolumeState | None:
        return self.volumes.get(name)

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        self.volumes[name] = VolumeState(name=name, labels=labels)

    def _change(self, container: str, **changes: Any) -> None:
        state = self.state(container)
        assert state
        del self.all[state.name]
        changed = structs.replace(state, **changes)
        self.all[changed.name] = changed


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine, which calls an image by its digest."""

    def load(descriptor: Descriptor, ctx: Context) -> ImageState:
        return ImageState(id=descriptor.digest, layers=(), user="")

    class Identity:
        config = "sha256:config"

    monkeypatch.setattr(health, "_PAUSE", 0)
    monkeypatch.setattr(lock, "_PAUSE", 0)
    monkeypatch.setattr(docker, "load_image", load)
    monkeypatch.setattr(docker, "read_identity", lambda *_: Identity())
    return Engine()


@pytest.fixture
def ctx(tmp_path: Path, engine: Engine) -> Context:
    (tmp_path / "autoclave.toml").write_text(DEVICE)
    made = Context(Common(folder=str(tmp_path)), JsonScreen())
    made.__dict__["_engine"] = engine
    return made


def rollout(
    digest: str,
    inputs: str = "sha256:1",
    *,
    image: str = "app",
    environment: Environment = WARD,
    volumes: dict[str, str] | None = None,
) -> Rollout:
    service = base.Service(
        image=image,
        descriptor=Descriptor(media_type=MANIFEST, digest=digest, size=1),
        settings=Service(start_timeout=1, volumes=volumes or {}),
        publish=None,
        inputs=inputs,
    )
    return Rollout(device="pump", environment=environment, services=(service,))


def deploy(target: Target, release: Rollout) -> None:
    with target.lock(release):
        target.recover(release)
        target.rehearse(release)
        target.apply(release)
        target.observe(release)
        target.finish(release)


def test_only_images_with_a_service_are_covered(ctx: Context) -> None:
    target = targets.create(WARD, ctx)
    assert [each.name for each in ctx.device.image if target.covers(each)] == ["app"]


def test_the_new_version_replaces_the_old_one(ctx: Context, engine: Engine) -> None:
    deploy(targets.create(WARD, ctx), rollout(OLD))
    deploy(targets.create(WARD, ctx), rollout(NEW))
    assert list(engine.all) == ["autoclave_pump_ward_app"]
    (running,) = targets.create(WARD, ctx).running()
    assert (running.image, running.digest, running.healthy) == ("app", NEW, True)


def test_exactly_this_runs_only_with_the_same_digest_settings_and_health(
    ctx: Context, engine: Engine
) -> None:
    target = targets.create(WARD, ctx)
    assert not target.is_running(rollout(OLD))
    deploy(target, rollout(OLD))
    assert target.is_running(rollout(OLD))
    assert not target.is_running(rollout(NEW))
    assert not target.is_running(rollout(OLD, inputs="sha256:2"))
    name = "autoclave_pump_ward_app"
    engine.all[name] = structs.replace(engine.all[name], image="sha256:somebody else's")
    assert not target.is_running(rollout(OLD))
    engine.all[name] = structs.replace(engine.all[name], image=OLD, health="unhealthy")
    assert not target.is_running(rollout(OLD))


def test_a_rehearsal_leaves_what_runs_alone(ctx: Context, engine: Engine) -> None:
    target = targets.create(WARD, ctx)
    deploy(target, rollout(OLD))
    before = dict(engine.all)
    with pytest.raises(Unhealthy, match=r"app sha256:c+….*its HEALTHCHECK says unhealthy"):
        target.rehearse(rollout(SICK))
    assert engine.all == before
    assert target.restore(rollout(SICK)).answering == ()


def test_the_replaced_version_is_restored(ctx: Context, engine: Engine) -> None:
    target = targets.create(WARD, ctx)
    deploy(target, rollout(OLD))
    with pytest.raises(Unhealthy):
        target.apply(rollout(SICK))
    (restored,) = target.restore(rollout(SICK)).answering
    assert restored.digest == OLD
    assert target.is_running(rollout(OLD))
    assert list(engine.all) == ["autoclave_pump_ward_app"]


def test_a_container_of_another_image_is_not_what_was_deployed(ctx: Context, engine: Engine) -> None:
    target = targets.create(WARD, ctx)
    target.apply(rollout(NEW))
    name = "autoclave_pump_ward_app"
    engine.all[name] = structs.replace(engine.all[name], image=OLD)
    with pytest.raises(Unhealthy, match=f"the engine runs {OLD}, not {NEW}"):
        target.observe(rollout(NEW))


@pytest.mark.parametrize(("new", "runs"), [(NEW, NEW), (SICK, OLD)], ids=["healthy", "sick"])
def test_after_a_crash_a_healthy_version_stays_and_another_is_replaced(
    ctx: Context, new: str, runs: str
) -> None:
    deploy(targets.create(WARD, ctx), rollout(OLD))
    died = targets.create(WARD, ctx)
    try:
        died.apply(rollout(new))
    except Unhealthy:
        assert new == SICK
    other = f"sha256:{'d' * 64}"
    assert targets.create(WARD, ctx).recover(rollout(other)) == {"app": runs}
    (running,) = targets.create(WARD, ctx).running()
    assert running.digest == runs


def test_a_deployment_that_continues_one_that_died_replaces_what_that_one_replaced(ctx: Context) -> None:
    deploy(targets.create(WARD, ctx), rollout(OLD))
    targets.create(WARD, ctx).apply(rollout(NEW))
    assert targets.create(WARD, ctx).recover(rollout(NEW)) == {"app": OLD}


def test_a_deployment_with_other_settings_does_not_continue_one_that_died(ctx: Context) -> None:
    deploy(targets.create(WARD, ctx), rollout(OLD))
    targets.create(WARD, ctx).apply(rollout(NEW))
    assert targets.create(WARD, ctx).recover(rollout(NEW, inputs="sha256:2")) == {"app": NEW}


@pytest.mark.parametrize("call", ["rename", "stop"])
def test_what_runs_is_not_removed_before_anything_took_its_place(
    ctx: Context, engine: Engine, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    target = targets.create(WARD, ctx)
    deploy(target, rollout(OLD))
    (before,) = engine.all.values()

    def interrupt(*_: object) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, call, interrupt)
    with pytest.raises(KeyboardInterrupt):
        target.apply(rollout(NEW))
    (restored,) = target.restore(rollout(NEW)).answering
    assert restored.digest == OLD
    assert [(each.id, each.running) for each in engine.all.values()] == [(before.id, True)]


@pytest.mark.parametrize("call", ["create_network", "create_volume", "create", "start"])
def test_what_the_engine_refuses_to_start_is_unhealthy(
    ctx: Context, engine: Engine, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*_: object) -> None:
        raise EngineError("no", why="the port is taken")

    target = targets.create(WARD, ctx)
    deploy(target, rollout(OLD))
    engine.all_networks.clear()
    with monkeypatch.context() as patched:
        patched.setattr(engine, call, refuse)
        with pytest.raises(Unhealthy, match="it cannot be started: the port is taken"):
            target.apply(rollout(NEW, volumes={"data": "/var/data"}))
    (restored,) = target.restore(rollout(NEW)).answering
    assert restored.digest == OLD


def test_a_lock_that_cannot_be_removed_hides_no_error(
    ctx: Context, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise EngineError("the engine does not answer")

    target = targets.create(WARD, ctx)
    monkeypatch.setattr(engine, "remove", refuse)
    with pytest.raises(Unhealthy, match="sick"), target.lock(rollout(OLD)):
        raise Unhealthy("sick")
    engine.all.clear()
    with pytest.raises(EngineError), target.lock(rollout(OLD)):
        pass


def test_a_lock_that_is_held_refuses_another_deployment(ctx: Context, engine: Engine) -> None:
    target = targets.create(WARD, ctx)
    with target.lock(rollout(OLD)):
        with pytest.raises(Busy) as busy, target.lock(rollout(OLD)):
            pass
        assert owner() in busy.value.why
    assert engine.all == {}


def place(folder: Path, engine: Engine, device: str, environment: str) -> Target:
    """The place of another device or environment in the same engine."""
    (folder / device).mkdir(exist_ok=True)
    (folder / device / "autoclave.toml").write_text(DEVICE.replace("pump", device))
    ctx = Context(Common(folder=str(folder / device)), JsonScreen())
    ctx.__dict__["_engine"] = engine
    return targets.create(Environment(name=environment), ctx)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("glucose-test", "clinic", "app", "data"), ("glucose", "test", "clinic-app", "clinic-data")),
        (("pump", "ward", "app", "data"), ("pump", "ward-app", "app", "app-data")),
        (("pump", "ward", "app", "data"), ("pump", "ward", "app-previous", "data-previous")),
        (("pump", "ward", "app", "data"), ("pump", "ward", "app-candidate", "data-candidate")),
        (("pump", "ward", "app", "data"), ("pump", "ward", "lock", "lock")),
        (("pump", "ward", "previous", "app"), ("pump", "ward", "app", "previous")),
    ],
)
def test_no_two_names_are_one(
    tmp_path: Path, engine: Engine, one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    places = []
    for device, environment, image, volume in (one, other):
        target = place(tmp_path, engine, device, environment)
        release = rollout(OLD, image=image, environment=target.environment, volumes={volume: "/var/data"})
        deploy(target, release)
        places.append((target, release, image))
    assert len(engine.all) == 2
    assert len(engine.volumes) == (1 if one[:2] == other[:2] and one[3] == other[3] else 2)
    for target, release, image in places:
        assert image in [each.image for each in target.running()]
        assert target.is_running(release)
        deploy(target, rollout(NEW, image=image, environment=target.environment))
    assert len(engine.all) == 2


@pytest.mark.parametrize("labels", [{}, {"dev.autoclave.device": "glucose"}])
@pytest.mark.parametrize("name", ["app", "app_previous", "app_candidate"])
def test_a_container_of_somebody_else_is_left_alone(
    ctx: Context, engine: Engine, name: str, labels: dict[str, str]
) -> None:
    whole = f"autoclave_pump_ward_{name}"
    theirs = engine.create(ContainerSpec(image=OLD, name=whole, labels=labels))
    engine.start(theirs)
    before = dict(engine.all)
    target = targets.create(WARD, ctx)
    assert target.running() == []
    assert not target.is_running(rollout(OLD))
    assert target.recover(rollout(NEW)) == {}
    (objection,) = target.prepare(rollout(NEW)).objections
    assert f"the container {whole} belongs to somebody else" in objection
    with pytest.raises(Unhealthy, match="belongs to somebody else"):
        target.rehearse(rollout(NEW))
    with pytest.raises(Unhealthy, match="belongs to somebody else"):
        target.apply(rollout(NEW))
    with pytest.raises(Unhealthy):
        target.observe(rollout(NEW))
    assert target.restore(rollout(NEW)).answering == ()
    target.finish(rollout(NEW))
    assert engine.all == before


@pytest.mark.parametrize(
    "labels", [{}, {"dev.autoclave.device": "pump", "dev.autoclave.environment": "home"}]
)
def test_a_network_and_a_volume_of_somebody_else_are_left_alone(
    ctx: Context, engine: Engine, labels: dict[str, str]
) -> None:
    engine.create_network("autoclave_pump_ward", labels)
    engine.create_volume("autoclave_pump_ward_data", labels)
    target, release = targets.create(WARD, ctx), rollout(NEW, volumes={"data": "/var/data"})
    network, volume = target.prepare(release).objections
    assert "the network autoclave_pump_ward belongs to somebody else" in network
    assert "the volume autoclave_pump_ward_data belongs to somebody else" in volume
    with pytest.raises(Unhealthy, match="belongs to somebody else"):
        target.apply(release)
    assert engine.all == {}


def test_a_lock_of_somebody_else_is_left_alone(ctx: Context, engine: Engine) -> None:
    gone = "elsewhere:1"
    labels = {"dev.autoclave.owner": gone, "dev.autoclave.role": "lock"}
    engine.create(ContainerSpec(image=OLD, name="autoclave_pump_ward", labels=labels))
    before = dict(engine.all)
    theft = targets.create(WARD, ctx).lock(rollout(OLD))
    with pytest.raises(DeployFailed, match="the lock of ward cannot be taken") as refused, theft:
        pass
    assert "belongs to somebody else (it has no label dev.autoclave.device)" in refused.value.why
    assert engine.all == before


def test_labels_without_the_name_do_not_make_a_container_ours(ctx: Context, engine: Engine) -> None:
    """An image's own labels are those of each of its containers."""
    target = targets.create(WARD, ctx)
    deploy(target, rollout(OLD))
    (ours,) = engine.all.values()
    engine.create(ContainerSpec(image=NEW, name="autoclave_other", labels=ours.labels))
    (running,) = target.running()
    assert running.digest == OLD


def test_what_is_deployed_is_no_leftover_whatever_its_image_is_labelled(
    ctx: Context, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(targets.create(WARD, ctx), rollout(OLD))
    (name,) = engine.all
    monkeypatch.setattr(removal, "is_gone", lambda label: label == "this:1")
    of_image = {"dev.autoclave.run": "x", "dev.autoclave.owner": "this:1"}
    engine.all[name] = structs.replace(engine.all[name], labels={**of_image, **engine.all[name].labels})
    left = engine.create(ContainerSpec(image=OLD, name="left", labels=of_image))
    assert removal.remove_leftovers(cast(base_engine.Engine, engine)) == ["left"]
    assert engine.state(left) is None
    assert name in engine.all


CHANGES = ("create", "start", "stop", "rename", "remove")


def stop_at(engine: Engine, monkeypatch: pytest.MonkeyPatch, number: int, *, after: bool) -> None:
    """Let the call of that number that changes something be interrupted, before or after it was done."""
    count = 0

    def make(call: Any) -> Any:
        def interrupt(*words: Any) -> Any:
            nonlocal count
            count += 1
            is_last = count == number
            if is_last and not after:
                raise KeyboardInterrupt
            done = call(*words)
            if is_last:
                raise KeyboardInterrupt
            return done

        return interrupt

    for name in CHANGES:
        monkeypatch.setattr(engine, name, make(getattr(engine, name)))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 6))
def test_wherever_it_is_stopped_the_old_version_is_restored(
    ctx: Context, engine: Engine, monkeypatch: pytest.MonkeyPatch, number: int, after: bool
) -> None:
    target = targets.create(WARD, ctx)
    deploy(target, rollout(OLD))
    with monkeypatch.context() as patched:
        stop_at(engine, patched, number, after=after)
        try:
            target.apply(rollout(NEW))
            assert number > 4  # rename, stop, create, start
        except KeyboardInterrupt:
            pass
    (restored,) = target.restore(rollout(NEW)).answering
    assert restored.digest == OLD
    assert target.is_running(rollout(OLD))
    assert list(engine.all) == ["autoclave_pump_ward_app"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 12))
def test_wherever_it_is_killed_one_version_answers_after_the_next_deployment_began(
    ctx: Context, engine: Engine, monkeypatch: pytest.MonkeyPatch, number: int, after: bool
) -> None:
    deploy(targets.create(WARD, ctx), rollout(OLD))
    with monkeypatch.context() as patched:
        stop_at(engine, patched, number, after=after)
        died = targets.create(WARD, ctx)
        try:
            died.recover(rollout(NEW))
            died.rehearse(rollout(NEW))
            died.apply(rollout(NEW))
            died.observe(rollout(NEW))
            died.finish(rollout(NEW))
        except KeyboardInterrupt:
            pass
    target = targets.create(WARD, ctx)
    before = target.recover(rollout(NEW))
    (running,) = target.running()
    assert running.healthy
    assert running.digest in {OLD, NEW}
    assert before in ({"app": OLD}, {"app": NEW})
    deploy(target, rollout(NEW))
    assert list(engine.all) == ["autoclave_pump_ward_app"]
