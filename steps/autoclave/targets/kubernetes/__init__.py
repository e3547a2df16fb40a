"""Deploy to a namespace of Kubernetes: checked, tried, applied by digest, watched, read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property

from msgspec import structs

from autoclave.context import Context
from autoclave.device.schema import Environment, Image, Kubernetes
from autoclave.errors import AutoclaveError, ClusterError, ConfigError
from autoclave.gates.hardening import findings
from autoclave.gates.hardening.program import list_programs
from autoclave.model.digest import digest_of
from autoclave.model.facts import Running
from autoclave.model.place import Place
from autoclave.model.release import manifests_of
from autoclave.runtime.owner import owner
from autoclave.store.base import is_address
from autoclave.store.image import read_identity
from autoclave.targets.base import (
    STEP,
    ForeignImage,
    Preparation,
    Rehearsal,
    Restoration,
    Rollout,
    Target,
    Unhealthy,
    is_same,
)
from autoclave.targets.kubernetes import diff, images, kinds, lock, manifests, scaling, state
from autoclave.targets.kubernetes.checks import (
    CHECKED,
    check_namespace,
    find_cluster_wide,
    find_foreign,
    find_opening,
)
from autoclave.targets.kubernetes.kubectl import Kubectl, Object
from autoclave.targets.kubernetes.labels import has_labels, selector
from autoclave.targets.kubernetes.objects import make_objects, read_digests
from autoclave.targets.kubernetes.render import render_manifests
from autoclave.targets.kubernetes.state import AppliedObjects, RolloutState, find_missing
from autoclave.targets.kubernetes.watch import WORKLOADS, read_back, watch
from autoclave.targets.kubernetes.workloads import find_objects, find_pods

TABLES = frozenset({"kubernetes"})
"""The tables of an environment that this target reads."""

_NEVER_DELETED = frozenset({"PersistentVolumeClaim", "PersistentVolume", "Namespace"})


def create(environment: Environment, ctx: Context) -> Target:
    """Return the target of an environment. Raises ConfigError without [environment.kubernetes]."""
    if environment.kubernetes is None:
        raise ConfigError(
            f"environment '{environment.name}' has no [environment.kubernetes]",
            why="it says what is applied to which namespace",
            next="add it with namespace and manifests to autoclave.toml",
        )
    return KubernetesTarget(environment, environment.kubernetes, ctx)


class KubernetesTarget:
    """One namespace of a cluster as the place where releases run."""

    def __init__(self, environment: Environment, settings: Kubernetes, ctx: Context) -> None:
        self.environment = environment
        self._settings = settings
        self._ctx = ctx
        self._device = ctx.device.device.name
        self._kubectl = Kubectl(ctx.shell, settings, ctx.screen)
        self._desired: list[Object] = []
        self._live: list[Object] = []
        self._state = RolloutState()
        self._is_applied = False

    def place(self) -> Place:
        """Return the API server and the namespace that kubectl really uses."""
        return Place("cluster", self._kubectl.cluster().address, self._settings.namespace)

    def covers(self, image: Image) -> bool:
        """Return True: the manifests say how images run, and each image must run."""
        return True

    def inputs(self) -> Mapping[str, str]:
        """Return what the objects are made of: the rendered manifests, the flows, the namespace."""
        return {
            "manifests": digest_of(self._rendered),
            "flows": digest_of(repr(self._ctx.device.flow).encode()),
            "namespace": self._settings.namespace,
        }

    def sources(self) -> Mapping[str, bytes]:
        """Return the manifests as they are rendered."""
        return {self._title: self._rendered}

    def inspect_command(self) -> str:
        """Return the command by which a person sees what runs there."""
        return f"kubectl get pods --namespace={self._settings.namespace} --selector={self._selector}"

    def running(self) -> list[Running]:
        """Read back what the pods run, by image."""
        return self._read()[0]

    def is_running(self, rollout: Rollout) -> bool:
        """Return whether exactly this runs already."""
        running = {each.image: each for each in self.running()}
        return all(is_same(each, running.get(each.image)) for each in rollout.services)

    def lock(self, rollout: Rollout) -> AbstractContextManager[None]:
        """Hold the environment's lock, a Lease in the namespace. Raises Busy, DeployFailed."""
        claim = lock.Claim(device=self._device, environment=self.environment.name, owner=owner())
        return lock.hold(self._kubectl, claim)

    def recover(self, rollout: Rollout) -> Mapping[str, str]:
        """Finish or undo what a deployment left that died while it was under way; return what ran before."""
        running, self._state = self._read()
        interrupted, before = self._state.next, self._state.current
        digests = read_digests(interrupted.objects) if interrupted else {}
        if interrupted is None:
            pass
        elif _is_healthy(running, digests) and self._complete(interrupted, digests):
            self._warn("an earlier deployment died after its pods were ready: its version stays")
            self.finish(rollout)
            left = {image: (digest, interrupted.inputs.get(image)) for image, digest in digests.items()}
            if left == {each.image: (each.digest, each.inputs) for each in rollout.services}:  # continued
                return read_digests(before.objects) if before else {}
        else:
            self._warn("an earlier deployment died while it was under way: restoring what ran before it")
            self._is_applied = True
            restoration = self.restore(rollout)
            self._is_applied = False
            if restoration.silent:
                self._warn(restoration.silent)
        return {each.image: each.digest for each in self.running()}

    def prepare(self, rollout: Rollout) -> Preparation:
        """Render and complete the objects; return what is in them and what in the namespace prevents them."""
        read = manifests.read(self._rendered.decode("utf-8"), self._title)
        found, unknown = kinds.admit(read, self._ctx.policy.kubernetes.kinds)
        objects = make_objects(rollout, self._settings.namespace, self._repository, found)
        self._desired = objects.plain
        live = self._kubectl.json("get", CHECKED)
        before = self._state.current
        return Preparation(
            findings=findings(
                *find_pods(objects.manifests, self._find_programs(rollout)),
                (
                    *find_objects(found, has_flows=bool(rollout.flows)),
                    *find_opening(live, self._desired, before.objects if before else ()),
                ),
            ),
            foreign=tuple(
                ForeignImage(digest=digest, reference=reference, where=where)
                for reference, where in objects.others.items()
                if (digest := images.digest_in(reference))
            ),
            objections=(
                *unknown,
                *images.find_unpinned(objects.others),
                *check_namespace(live, self._desired, self._settings.namespace, self._selector),
                *find_foreign(
                    state.find_existing(self._kubectl, self._device, self.environment.name), self._selector
                ),
            ),
        )

    def rehearse(self, rollout: Rollout) -> Rehearsal:
        """Try the objects on the API server, and change nothing. Raises ClusterError when it refuses."""
        self._live = self._kubectl.live(self._desired)
        self._desired = self._leave_replicas(self._desired, self._live)
        coming = self._kubectl.apply(self._desired, dry_run=True)
        return Rehearsal(
            objections=(
                *find_foreign(self._live, self._selector),
                *find_cluster_wide(coming, self._settings.namespace),
            ),
            diff=tuple(diff.describe(self._live, coming)),
        )

    def apply(self, rollout: Rollout) -> None:
        """Apply the whole device. Raises Unhealthy when the API server refuses part of it."""
        inputs = {each.image: each.inputs for each in rollout.services}
        coming = AppliedObjects(self._desired, inputs, find_missing(self._desired, self._live))
        changed = RolloutState(self._state.current or state.adopt_live(self._live), coming)
        state.refuse_large(changed)
        state.refuse_foreign(self._kubectl, self._device, self.environment.name)
        self._is_applied = True  # from the first request on: whether one that is cut off arrived is unknown
        self._write_state(changed)
        with _unhealthy_when_refused():
            self._kubectl.apply(self._desired)

    def observe(self, rollout: Rollout) -> list[Running]:
        """Watch until the pods are ready, and read their digests from their status. Raises Unhealthy."""
        digests = {each.image: each.digest for each in rollout.services}
        with _unhealthy_when_refused():
            before = self._state.current.objects if self._state.current else []
            leaving = find_missing(before, self._desired)
            running = self._watch(self._desired, digests, leaving)
            self._prune(leaving)
        for each in running:
            self._note(f"{each.image}: {each.digest} read back from the status of {each.address.strip('()')}")
        return _with_inputs(running, {each.image: each.inputs for each in rollout.services})

    def restore(self, rollout: Rollout) -> Restoration:
        """Apply what was applied before, delete what is new since, wait until it is ready, read it back."""
        if not self._is_applied:
            return Restoration(())
        try:
            return self._restore()
        except (Unhealthy, AutoclaveError) as error:
            why = _describe(error) if isinstance(error, AutoclaveError) else str(error)
            return Restoration((), f"the previous version: {why}")

    def finish(self, rollout: Rollout) -> None:
        """Keep what is applied as what to go back to."""
        self._write_state(RolloutState(self._state.next or self._state.current))

    @property
    def _title(self) -> str:
        """The title of the rendered manifests in a release."""
        return manifests_of(self.environment.name)

    @cached_property
    def _rendered(self) -> bytes:
        """The manifests of the release, or rendered from the source while there is none."""
        if self._ctx.released:
            return self._ctx.read_released(self._title)
        found = render_manifests(self._settings, self._device, self._ctx.source.folder, self._ctx.shell)
        text = manifests.dump(found)
        manifests.read(text, self._title)  # what could not be deployed is not signed
        return text.encode()

    @property
    def _selector(self) -> str:
        return selector(self._device, self.environment.name)

    @property
    def _repository(self) -> str:
        """The repository from which the cluster pulls the device's images. Raises ConfigError."""
        address = self._ctx.options.store
        if self._settings.repository:
            return self._settings.repository
        if not is_address(address):
            raise ConfigError(
                "a cluster cannot pull from a store that is a folder of this machine",
                why=f"the store is {address or '.autoclave/store'}",
                next="use a registry as the store: --store oci://HOST/REPOSITORY",
            )
        return address.partition("://")[2]

    def _note(self, text: str) -> None:
        self._ctx.screen.note(STEP, text)

    def _warn(self, text: str) -> None:
        self._ctx.screen.warn(STEP, text)

    def _read(self) -> tuple[list[Running], RolloutState]:
        """Read, in one request, what runs and the state that is kept about it."""
        objects = self._kubectl.json("get", f"{WORKLOADS},configmaps", f"--selector={self._selector}")
        kept = state.find_state(objects, self._device, self.environment.name)
        applied = kept.current.objects if kept.current else []
        found = read_back([*objects, *state.find_removed_jobs(kept, objects)], applied)
        return _with_inputs(found, kept.current.inputs if kept.current else {}), kept

    def _complete(self, interrupted: AppliedObjects, digests: Mapping[str, str]) -> bool:
        """Apply what a deployment began that died: it may have died before the last of its objects.

        Return whether all of it is ready then; what it replaced is deleted.
        """
        try:
            with _unhealthy_when_refused():
                self._kubectl.apply(self._leave_replicas(interrupted.objects))
                before = self._state.current.objects if self._state.current else []
                leaving = find_missing(before, interrupted.objects)
                self._watch(interrupted.objects, digests, leaving)
                self._prune(leaving)
        except Unhealthy as error:
            self._warn(f"what an earlier deployment began cannot be completed: {error}")
            return False
        return True

    def _restore(self) -> Restoration:
        kept = self._state
        before = kept.current.objects if kept.current else []
        missing = find_missing(kept.next.objects, before) if kept.next else []
        new = [each for each in kept.next.created if each in missing] if kept.next else []
        if before:
            self._kubectl.apply(self._leave_replicas(before, leaving=new), force=True)
        self._prune(new)
        if kept.current is None:
            self._note("nothing ran here before: what was new is deleted again, except claims")
            self._write_state(RolloutState())
            return Restoration(())
        running = self._watch(before, read_digests(before), new, unstick=True)
        for each in running:
            self._note(f"{each.image}: restored {each.digest}, read back from {each.address.strip('()')}")
        self._write_state(RolloutState(kept.current))
        return Restoration(tuple(_with_inputs(running, kept.current.inputs)))

    def _find_programs(self, rollout: Rollout) -> dict[str, frozenset[str]]:
        """Return the paths at which each image of the device has what it runs."""
        images_of = {each.image: read_identity(self._ctx.store, each.digest) for each in rollout.services}
        return {
            name: list_programs([*of.entrypoint, *of.cmd], of.working_dir) for name, of in images_of.items()
        }

    def _leave_replicas(
        self, objects: list[Object], live: Sequence[Object] | None = None, leaving: Sequence[str] = ()
    ) -> list[Object]:
        """Return objects that change no number of pods that an autoscaler sets; `leaving` will be deleted."""
        scalers = [*objects, *self._kubectl.json("get", "horizontalpodautoscalers")]
        scaled = scaling.find_scaled(each for each in scalers if state.title(each) not in leaving)
        if not scaled & {state.title(each) for each in objects}:
            return objects
        return scaling.leave_replicas(objects, self._kubectl.live(objects) if live is None else live, scaled)

    def _watch(
        self,
        objects: Sequence[Object],
        digests: Mapping[str, str],
        leaving: Sequence[str],
        *,
        unstick: bool = False,
    ) -> list[Running]:
        return watch(
            self._kubectl,
            objects,
            self._selector,
            digests,
            self._ctx.screen,
            timeout=self._settings.timeout,
            leaving=leaving,
            unstick=unstick,
        )

    def _prune(self, titles: Sequence[str]) -> None:
        """Delete objects that are ours by label; never claims, whose data stays."""
        if not titles:
            return
        existing = self._kubectl.json("get", "--ignore-not-found", *titles)
        deleted = [
            state.title(each)
            for each in existing
            if has_labels(each, self._selector) and each["kind"] not in _NEVER_DELETED
        ]
        if deleted:
            self._note(f"deleted, since the manifests no longer have it: {', '.join(deleted)}")
        self._kubectl.delete(deleted)

    def _write_state(self, changed: RolloutState) -> None:
        self._state = changed
        state.write(self._kubectl, self._device, self.environment.name, changed)


@contextmanager
def _unhealthy_when_refused() -> Iterator[None]:
    try:
        yield
    except ClusterError as error:
        raise Unhealthy(_describe(error)) from error


def _is_healthy(running: Sequence[Running], digests: Mapping[str, str]) -> bool:
    """Return whether pods run exactly these digests, by image, and are ready."""
    actual = {each.image: each.digest for each in running if each.healthy}
    return bool(digests) and all(actual.get(image) == digest for image, digest in digests.items())


def _with_inputs(running: Sequence[Running], inputs: Mapping[str, str]) -> list[Running]:
    return [structs.replace(each, inputs=inputs.get(each.image, "")) for each in running]


def _describe(error: AutoclaveError) -> str:
    return f"{error.what}: {error.why}" if error.why else error.what
