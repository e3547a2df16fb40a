"""The lock of an environment in a cluster: a Lease, renewed while it is held, taken over once expired."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from autoclave.errors import AutoclaveError, Busy, ClusterError
from autoclave.runtime.owner import is_gone
from autoclave.targets.kubernetes.kubectl import Kubectl, Object
from autoclave.targets.kubernetes.kubectl_errors import Conflict, Missing

_SECONDS = 60  # until a lock that nobody renews may be taken over
_RENEWAL = 15


@contextmanager
def hold(kubectl: Kubectl, name: str, owner: str, environment: str) -> Iterator[None]:
    """Hold the lock. Raises Busy while another deployment does."""
    _take(kubectl, name, owner, environment)
    done = threading.Event()
    renewing = threading.Thread(target=_renew, args=(kubectl, name, owner, done), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        done.set()
        renewing.join()
        # With the API server absent the lock expires by itself; the deployment's own error must be seen.
        with suppress(ClusterError):
            if _owner(_read(kubectl, name)) == owner:
                kubectl.delete([f"lease/{name}"])


def _take(kubectl: Kubectl, name: str, owner: str, environment: str) -> None:
    try:
        kubectl.text("create", "--filename=-", stdin=_lease(name, owner))
    except Conflict:
        _take_over(kubectl, name, owner, environment)


def _take_over(kubectl: Kubectl, name: str, owner: str, environment: str) -> None:
    """Take a lock whose owner no longer exists, or did not renew it. Raises Busy."""
    found = _read(kubectl, name)
    holder = _owner(found)
    if found and holder != owner and not is_gone(holder) and not _is_expired(found):
        raise Busy(
            f"another deployment to {environment} is running",
            why=f"its lock is held by {holder or 'an unknown owner'} (host:process)",
            next=f"wait for it; a lock that nobody renews is taken over after {_SECONDS} s",
        )
    version = found["metadata"]["resourceVersion"] if found else ""
    try:
        kubectl.text("replace" if found else "create", "--filename=-", stdin=_lease(name, owner, version))
    except (Conflict, Missing) as error:
        raise Busy(f"another deployment to {environment} took the lock first", next="retry") from error


def _renew(kubectl: Kubectl, name: str, owner: str, done: threading.Event) -> None:
    """Renew until `done`. Once the lock belongs to another owner, stop the deployment."""
    while not done.wait(_RENEWAL):
        try:
            found = _read(kubectl, name)
            if _owner(found) != owner:
                kubectl.stopped = (
                    f"{_owner(found) or 'another deployment'} took the lock, which was not renewed in time"
                )
                return
            kubectl.text(
                "replace", "--filename=-", stdin=_lease(name, owner, found["metadata"]["resourceVersion"])
            )
        except ClusterError:
            continue  # the API server is absent: retry in the next round
        except AutoclaveError as error:  # kubectl itself is missing, or may not be used any more
            kubectl.stopped = kubectl.stopped or f"its lock cannot be renewed: {error.what}"
            return


def _read(kubectl: Kubectl, name: str) -> Object:
    try:
        return kubectl.json("get", "lease", name)[0]
    except Missing:
        return {}


def _owner(lease: Object) -> str:
    return str((lease.get("spec") or {}).get("holderIdentity") or "")


def _is_expired(lease: Object) -> bool:
    spec = lease.get("spec") or {}
    renewed = spec.get("renewTime")
    if not renewed:
        return True
    limit = timedelta(seconds=int(spec.get("leaseDurationSeconds") or _SECONDS))
    return datetime.fromisoformat(renewed) + limit < datetime.now(UTC)


def _lease(name: str, owner: str, version: str = "") -> str:
    metadata = {"name": name} | ({"resourceVersion": version} if version else {})
    spec = {
        "holderIdentity": owner,
        "leaseDurationSeconds": _SECONDS,
        "renewTime": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
    }
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
    return json.dumps(lease)
