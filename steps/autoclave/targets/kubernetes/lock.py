"""The lock of an environment in a cluster: a Lease, renewed while it is held, taken over once expired."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from autoclave.errors import AutoclaveError, Busy, ClusterError, DeployFailed
from autoclave.runtime.owner import is_gone
from autoclave.targets.kubernetes.kubectl import Kubectl, Object
from autoclave.targets.kubernetes.kubectl_errors import Conflict, Missing
from autoclave.targets.kubernetes.labels import DEVICE, ENVIRONMENT, has_labels, name_of, selector

_SECONDS = 60  # until a lock that nobody renews may be taken over
_RENEWAL = 15


class Claim(Struct, frozen=True, kw_only=True):
    """Who claims the lock of which device and environment: `owner` is `host:process`."""

    device: str
    environment: str
    owner: str

    @property
    def name(self) -> str:
        """The name of the Lease."""
        return name_of(self.device, self.environment)


@contextmanager
def hold(kubectl: Kubectl, claim: Claim) -> Iterator[None]:
    """Hold the lock. Raises Busy while another deployment does, DeployFailed when it is somebody else's."""
    _take(kubectl, claim)
    done = threading.Event()
    renewing = threading.Thread(target=_renew, args=(kubectl, claim, done), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        done.set()
        renewing.join()
        # With the API server absent the lock expires by itself; the deployment's own error must be seen.
        with suppress(ClusterError):
            found = _read(kubectl, claim)
            if _owner(found) == claim.owner and _is_ours(found, claim):
                kubectl.delete([f"lease/{claim.name}"])


def _take(kubectl: Kubectl, claim: Claim) -> None:
    try:
        kubectl.text("create", "--filename=-", stdin=_lease(claim))
    except Conflict:
        _take_over(kubectl, claim)


def _take_over(kubectl: Kubectl, claim: Claim) -> None:
    """Take a lock whose owner no longer exists, or did not renew it. Raises Busy, DeployFailed."""
    found = _read(kubectl, claim)
    holder = _owner(found)
    if found and not _is_ours(found, claim):
        raise DeployFailed(
            f"the lock of {claim.environment} cannot be taken",
            why=f"Lease/{claim.name} belongs to somebody else (it has not the labels "
            f"{selector(claim.device, claim.environment)}), and is left alone",
            next="remove or rename it, then deploy again",
        )
    if found and holder != claim.owner and not is_gone(holder) and not _is_expired(found):
        raise Busy(
            f"another deployment to {claim.environment} is running",
            why=f"its lock is held by {holder or 'an unknown owner'} (host:process)",
            next=f"wait for it; a lock that nobody renews is taken over after {_SECONDS} s",
        )
    version = found["metadata"]["resourceVersion"] if found else ""
    try:
        kubectl.text("replace" if found else "create", "--filename=-", stdin=_lease(claim, version))
    except (Conflict, Missing) as error:
        raise Busy(f"another deployment to {claim.environment} took the lock first", next="retry") from error


def _renew(kubectl: Kubectl, claim: Claim, done: threading.Event) -> None:
    """Renew until `done`. Once the lock belongs to another owner, stop the deployment."""
    while not done.wait(_RENEWAL):
        try:
            found = _read(kubectl, claim)
            if _owner(found) != claim.owner or not _is_ours(found, claim):
                kubectl.stopped = (
                    f"{_owner(found) or 'another deployment'} took the lock, which was not renewed in time"
                )
                return
            version = found["metadata"]["resourceVersion"]
            kubectl.text("replace", "--filename=-", stdin=_lease(claim, version))
        except ClusterError:
            continue  # the API server is absent: retry in the next round
        except AutoclaveError as error:  # kubectl itself is missing, or may not be used any more
            kubectl.stopped = kubectl.stopped or f"its lock cannot be renewed: {error.what}"
            return


def _read(kubectl: Kubectl, claim: Claim) -> Object:
    try:
        return kubectl.json("get", "lease", claim.name)[0]
    except Missing:
        return {}


def _is_ours(lease: Object, claim: Claim) -> bool:
    return has_labels(lease, selector(claim.device, claim.environment))


def _owner(lease: Object) -> str:
    return str((lease.get("spec") or {}).get("holderIdentity") or "")


def _is_expired(lease: Object) -> bool:
    spec = lease.get("spec") or {}
    renewed = spec.get("renewTime")
    if not renewed:
        return True
    limit = timedelta(seconds=int(spec.get("leaseDurationSeconds") or _SECONDS))
    return datetime.fromisoformat(renewed) + limit < datetime.now(UTC)


def _lease(claim: Claim, version: str = "") -> str:
    labels = {DEVICE: claim.device, ENVIRONMENT: claim.environment}
    metadata = {"name": claim.name, "labels": labels} | ({"resourceVersion": version} if version else {})
    spec = {
        "holderIdentity": claim.owner,
        "leaseDurationSeconds": _SECONDS,
        "renewTime": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
    }
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
    return json.dumps(lease)
