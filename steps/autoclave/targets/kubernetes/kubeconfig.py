"""Which API server kubectl talks to: read out of what `kubectl config view` makes of all kubeconfig files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from autoclave.errors import ConfigError
from autoclave.model.place import normalise

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds the token and the certificate of its own cluster."""
_IN_CLUSTER = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")


class Cluster(Struct, frozen=True):
    """The context that is used (empty: the cluster that this process runs in), and its API server."""

    context: str
    address: str


def find_cluster(
    view: Mapping[str, Any], context: str, environ: Mapping[str, str], account: Path = ACCOUNT
) -> Cluster:
    """Return the cluster that kubectl uses: that of the named context, else of the current one.

    Without any kubeconfig, kubectl in a pod uses the pod's own cluster; its address is the same in many
    clusters, so the place is named by the certificate of its authority. Raises ConfigError.
    """
    name = context or str(view.get("current-context") or "")
    if not name:
        if not any(view.get(each) for each in ("clusters", "contexts", "users")):
            return Cluster("", _find_own(environ, account))
        raise _make_error("the kubeconfig has no current context")
    found = _named(view, "contexts", name)
    if found is None:
        raise _make_error(f"the kubeconfig has no context '{name}'")
    cluster = _named(view, "clusters", str(found.get("cluster") or "")) or {}
    if not cluster.get("server"):
        raise _make_error(f"the kubeconfig names no API server for the context '{name}'")
    address = normalise(str(cluster["server"]))
    # Behind a proxy even a loopback address is that of another machine.
    proxy = cluster.get("proxy-url")
    return Cluster(name, f"{address}?proxy={normalise(str(proxy))}" if proxy else address)


def _named(view: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any] | None:
    """Return the content of a named entry of a kubeconfig's list."""
    for each in view.get(kind) or []:
        if each.get("name") == name:
            return dict(each.get(kind.removesuffix("s")) or {})
    return None


def _find_own(environ: Mapping[str, str], account: Path) -> str:
    certificate = account / "ca.crt"
    if not all(environ.get(each) for each in _IN_CLUSTER) or not (account / "token").is_file():
        raise _make_error("there is no kubeconfig, and this is not a pod with a service account")
    try:
        digest = hashlib.sha256(certificate.read_bytes()).hexdigest()
    except OSError as error:
        raise _make_error(f"{certificate} cannot be read: {error.strerror}") from error
    return f"in-cluster:{digest[:32]}"


def _make_error(why: str) -> ConfigError:
    return ConfigError(
        "it is not known which cluster kubectl would deploy to",
        why=why,
        next="name a context (environment.kubernetes.context), and a file that has it (KUBECONFIG)",
    )
