"""Deploy to a namespace of Kubernetes or OpenShift: judged, tried, applied by digest, watched, read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from msgspec import structs

from autoclave.device.schema import Kubernetes
from autoclave.errors import AutoclaveError, ClusterError
from autoclave.model.facts import Running
from autoclave.model.verdict import Verdict
from autoclave.runtime.shell import Shell
from autoclave.targets.base import Restoration, Rollout, Tell, Unhealthy
from autoclave.targets.kubernetes import diff, lock, network, volumes
from autoclave.targets.kubernetes import state as kept
from autoclave.targets.kubernetes.kubectl import Kubectl, Object
from autoclave.targets.kubernetes.objects import make_objects, objections, read_digests, selector
from autoclave.targets.kubernetes.render import render_manifests
from autoclave.targets.kubernetes.state import AppliedObjects, RolloutState
from autoclave.targets.kubernetes.watch import WORKLOADS, read_back, watch

_NEVER_DELETED = frozenset({"PersistentVolumeClaim", "PersistentVolume", "Namespace"})
_LOOKED_AT = "persistentvolumeclaims,networkpolicies,deployments,statefulsets,daemonsets"


class KubernetesTarget:
    """One namespace of a cluster as the place where releases run."""

    def __init__(self, settings: Kubernetes, shell: Shell) -> None:
        self._settings = settings
        self._shell = shell
        self._kubectl = Kubectl(shell, settings)
        self._wanted: list[Object] = []
        self._live: list[Object] = []
        self._known = RolloutState()
        self._unchanged: list[Running] | None = None
        self._switching = False

    def lock(self, rollout: Rollout) -> AbstractContextManager[None]:
        """Hold the environment's lock, a Lease in the namespace. Raises Busy."""
        name = kept.name_of(rollout.device, rollout.environment.name)
        return lock.hold(self._kubectl, name, rollout.owner, rollout.environment.name)

    def recover(self, rollout: Rollout, tell: Tell) -> None:
        """Settle or put back what a deployment left that died while it was under way."""
        self._kubectl.warn = tell.warn
        running, state = self._read(rollout.device, rollout.environment.name)
        self._known = state
        if state.next is None:
            self._unchanged = running
            return
        asked = read_digests(state.next.objects)
        now = {each.image: each for each in running}
        if asked and all(
            image in now and now[image].healthy and now[image].digest == digest
            for image, digest in asked.items()
        ):
            tell.warn("an earlier deployment died after its pods were ready: it stands")
            before = state.current.objects if state.current else []
            self._prune(rollout, kept.find_missing(before, state.next.objects), tell)
            self.finish(rollout)
            return
        tell.warn("an earlier deployment died while it was under way: putting back what ran before it")
        self._switching = True
        returned = self.restore(rollout, tell)
        self._switching = False
        if returned.silent:
            tell.warn(returned.silent)

    def rehearse(self, rollout: Rollout, tell: Tell) -> None:
        """Judge what is to be applied, ask the API server whether it would take it, show the difference.

        Raises DeployGateClosed, or ClusterError when the API server refuses; nothing is changed.
        """
        self._kubectl.warn = tell.warn
        found = render_manifests(self._settings, rollout.device, rollout.folder, self._shell)
        objects = make_objects(rollout, self._settings.namespace, found)
        self._wanted = objects.plain
        rollout.require(Verdict("deploy", (*objections(objects, rollout), *self._check_namespace(rollout))))
        self._live = self._kubectl.live(self._wanted)
        coming = self._kubectl.apply(self._wanted, dry_run=True)
        rollout.require(Verdict("deploy", tuple(self._find_cluster_wide(coming))))
        for line in diff.describe(self._live, coming):
            tell.note(line)

    def apply(self, rollout: Rollout, tell: Tell) -> list[Running]:
        """Apply the whole device, watch until its pods are ready, read their digests. Raises Unhealthy."""
        state = self._known
        inputs = {each.image: each.inputs for each in rollout.services}
        coming = AppliedObjects(self._wanted, inputs, kept.find_missing(self._wanted, self._live))
        state = RolloutState(state.current or kept.adopt_live(self._live), coming)
        self._write_state(rollout, state)
        self._switching = True
        try:
            self._kubectl.apply(self._wanted)
            asked = {each.image: each.digest for each in rollout.services}
            running = self._watch(rollout, self._wanted, asked, tell)
            if state.current:
                self._prune(rollout, kept.find_missing(state.current.objects, self._wanted), tell)
        except ClusterError as error:
            raise Unhealthy(_describe(error)) from error
        for each in running:
            tell.note(f"{each.image}: {each.digest} read back from the status of {each.address.strip('()')}")
        return _with_inputs(running, inputs)

    def restore(self, rollout: Rollout, tell: Tell) -> Restoration:
        """Apply what was applied before, delete what is new since, wait until it is ready, read it back."""
        if not self._switching:
            return Restoration(())
        try:
            return self._restore(rollout, tell)
        except (Unhealthy, ClusterError) as error:
            said = _describe(error) if isinstance(error, ClusterError) else str(error)
            return Restoration((), f"the previous version: {said}")

    def finish(self, rollout: Rollout) -> None:
        """Keep what is applied as what to go back to."""
        state = self._known
        self._write_state(rollout, RolloutState(state.next or state.current))

    def running(self, device: str, environment: str) -> list[Running]:
        """Read back what the pods run, by image."""
        # Under the lock nothing changes between a recovery that found nothing to do and the first question.
        found, self._unchanged = self._unchanged, None
        return self._read(device, environment)[0] if found is None else found

    def _read(self, device: str, environment: str) -> tuple[list[Running], RolloutState]:
        """Ask once for what runs, and for what is kept about it."""
        select = f"--selector={selector(device, environment)}"
        objects = self._kubectl.json("get", f"{WORKLOADS},configmaps", select)
        state = kept.find_state(objects, device, environment)
        return _with_inputs(read_back(objects), state.current.inputs if state.current else {}), state

    def inspect_command(self, device: str, environment: str) -> str:
        """Return the command by which a person sees what runs there."""
        where = f"--namespace={self._settings.namespace}"
        return f"kubectl get pods {where} --selector={selector(device, environment)}"

    def _check_namespace(self, rollout: Rollout) -> list[str]:
        """Return what the namespace as it is has against the objects: claims, and an open network."""
        live = self._kubectl.json("get", _LOOKED_AT)
        mine = selector(rollout.device, rollout.environment.name).split(",")
        reasons = volumes.check_claims(
            [each for each in live if _is_claim(each) or _has(each, mine)], self._wanted
        )
        if not network.has_default_deny(
            each for each in [*live, *self._wanted] if each["kind"] == "NetworkPolicy"
        ):
            reasons.append(
                f"namespace '{self._settings.namespace}' has no NetworkPolicy that denies by default"
            )
        return reasons

    def _find_cluster_wide(self, coming: Sequence[Object]) -> list[str]:
        """Return which objects belong to no namespace: only the server knows all kinds that do not."""
        return [
            f"{kept.title(each)} belongs to no namespace: a device never changes the cluster around it"
            for each in coming
            if each["metadata"].get("namespace") != self._settings.namespace
        ]

    def _restore(self, rollout: Rollout, tell: Tell) -> Restoration:
        state = self._known
        before = state.current.objects if state.current else []
        if before:
            self._kubectl.apply(before, force=True)
        if state.next:
            new = kept.find_missing(state.next.objects, before)
            self._prune(rollout, [each for each in state.next.created if each in new], tell)
        if state.current is None:
            tell.note("nothing ran here before: what was new is deleted again, but for claims")
            self._write_state(rollout, RolloutState())
            return Restoration(())
        running = self._watch(rollout, before, read_digests(before), tell, unstick=True)
        for each in running:
            tell.note(f"{each.image}: put back {each.digest}, read back from {each.address.strip('()')}")
        self._write_state(rollout, RolloutState(state.current))
        return Restoration(tuple(_with_inputs(running, state.current.inputs)))

    def _watch(
        self,
        rollout: Rollout,
        objects: Sequence[Object],
        asked: Mapping[str, str],
        tell: Tell,
        *,
        unstick: bool = False,
    ) -> list[Running]:
        select = selector(rollout.device, rollout.environment.name)
        timeout = self._settings.timeout
        return watch(self._kubectl, objects, select, asked, tell, timeout=timeout, unstick=unstick)

    def _prune(self, rollout: Rollout, titles: Sequence[str], tell: Tell) -> None:
        """Delete objects that are ours by label; never claims, whose data stays."""
        if not titles:
            return
        mine = selector(rollout.device, rollout.environment.name).split(",")
        there = self._kubectl.json("get", "--ignore-not-found", *titles)
        gone = [kept.title(each) for each in there if _has(each, mine) and each["kind"] not in _NEVER_DELETED]
        if gone:
            tell.note(f"deleted, since the manifests hold it no longer: {', '.join(gone)}")
        self._kubectl.delete(gone)

    def _write_state(self, rollout: Rollout, state: RolloutState) -> None:
        self._known = state
        kept.write(self._kubectl, rollout.device, rollout.environment.name, state)


def _with_inputs(running: Sequence[Running], inputs: Mapping[str, str]) -> list[Running]:
    return [structs.replace(each, inputs=inputs.get(each.image, "")) for each in running]


def _is_claim(of: Object) -> bool:
    return of.get("kind") == "PersistentVolumeClaim"


def _has(of: Object, labels: Sequence[str]) -> bool:
    """Tell whether an object has all labels, each given as `key=value`."""
    here = (of.get("metadata") or {}).get("labels") or {}
    return all(here.get(key) == value for key, _, value in (each.partition("=") for each in labels))


def _describe(error: AutoclaveError) -> str:
    return f"{error.what}: {error.why}" if error.why else error.what
