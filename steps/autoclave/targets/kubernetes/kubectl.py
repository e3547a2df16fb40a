"""kubectl, the only way to a cluster's API: JSON out, errors explained, patience with an absent API server.

Credentials are kubectl's own business (KUBECONFIG, or the service account inside a cluster): no secret is
ever an argument.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from typing import Any

from autoclave.console.base import Screen
from autoclave.device.schema import Kubernetes
from autoclave.errors import AutoclaveError, ClusterError, ToolError
from autoclave.runtime.shell import Shell
from autoclave.targets.base import STEP
from autoclave.targets.kubernetes.kubeconfig import Cluster, find_cluster
from autoclave.targets.kubernetes.kubectl_errors import Unreachable, make_error
from autoclave.targets.kubernetes.labels import MANAGER

PATIENCE = 90.0
"""Seconds for which an API server may be absent before a command fails."""
_REQUEST = 30  # seconds for one request
_PAUSE = 1.0

Object = dict[str, Any]


class Kubectl:
    """Runs kubectl in one namespace. `away` counts the seconds that the API server did not answer.

    `stopped` is why no more command may be run, once there is a reason.
    """

    def __init__(self, shell: Shell, settings: Kubernetes, screen: Screen) -> None:
        self._shell = shell
        self._screen = screen
        self._base = [program(), f"--namespace={settings.namespace}", f"--request-timeout={_REQUEST}s"]
        if settings.context:
            self._base.append(f"--context={settings.context}")
        self._context = settings.context
        self._cluster: Cluster | None = None
        self.away = 0.0
        self.stopped = ""

    def cluster(self) -> Cluster:
        """Return the cluster of all commands: from now on its context is named to each of them.

        Nobody who switches the current context meanwhile sends the rest of a deployment to another cluster.
        """
        if self._cluster is None:
            view = self.json("config", "view")
            self._cluster = find_cluster(view[0] if view else {}, self._context, os.environ)
            if self._cluster.context and not self._context:
                self._base.append(f"--context={self._cluster.context}")
        return self._cluster

    def text(self, *words: str, stdin: str = "", patience: float = PATIENCE) -> str:
        """Run kubectl and return what it printed.

        The command is retried while the API server does not answer, so it must be idempotent. Raises
        ClusterError, Unreachable, Missing, Conflict, ConfigError.
        """
        began = time.monotonic()
        is_warned = False
        while True:
            if self.stopped:
                raise ClusterError(
                    "this deployment stops here", why=self.stopped, next="check what runs: autoclave status"
                )
            result = self._run_once(words, stdin)
            if isinstance(result, str):
                if is_warned:
                    self.away += time.monotonic() - began
                    self._screen.warn(
                        STEP, f"the API server answers again after {time.monotonic() - began:.0f} s"
                    )
                return result
            if not isinstance(result, Unreachable) or time.monotonic() - began > patience:
                raise result
            if not is_warned:
                self._screen.warn(
                    STEP, f"the API server does not answer, waiting up to {patience:.0f} s: {result.why}"
                )
                is_warned = True
            time.sleep(_PAUSE)

    def json(self, *words: str, stdin: str = "") -> list[Object]:
        """Run kubectl with `-o json` and return the objects of its answer, the items of a `List`."""
        printed = self.text(*words, "--output=json", stdin=stdin)
        if not printed.strip():
            return []
        try:
            answer = json.loads(printed)
        except ValueError as error:
            raise ClusterError("kubectl did not print JSON", why=str(error)) from error
        return list(answer["items"]) if str(answer.get("kind", "")).endswith("List") else [answer]

    def apply(self, objects: Sequence[Object], *, dry_run: bool = False, force: bool = False) -> list[Object]:
        """Apply manifests on the server as our field manager and return what it makes of them.

        Only `force` takes fields from other managers: to restore, never to deploy.
        """
        words = ["apply", "--server-side", f"--field-manager={MANAGER}", f"--force-conflicts={_flag(force)}"]
        return self.json(
            *words, *(["--dry-run=server"] if dry_run else []), "--filename=-", stdin=as_text(objects)
        )

    def live(self, objects: Sequence[Object]) -> list[Object]:
        """Return those of the objects that the cluster has, as it has them, with who owns which field."""
        words = ("get", "--ignore-not-found", "--show-managed-fields", "--filename=-")
        return self.json(*words, stdin=as_text(objects))

    def delete(self, titles: Sequence[str]) -> None:
        """Delete objects by `Kind/name`; missing ones are no error."""
        if titles:
            self.text("delete", "--ignore-not-found", "--wait=false", *titles)

    def _run_once(self, words: Sequence[str], stdin: str) -> str | AutoclaveError:
        """Run kubectl once; return what it printed, or its error."""
        argv = [*self._base, *words]
        try:
            done = self._shell.run(
                argv, stdin=stdin.encode() if stdin else None, timeout=4 * _REQUEST, ok=range(-64, 256)
            )
        except ToolError as error:
            if self._shell.which(argv[0]) is None:
                raise
            return Unreachable(error.what, why=error.why, next=error.next)
        if done.code == 0:
            return done.out.decode("utf-8", "replace")
        message = (done.err or done.out).decode("utf-8", "replace").strip()
        return make_error(self._shell.mask(message))


def as_text(objects: Sequence[Object]) -> str:
    """Return objects as one text to apply."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def program() -> str:
    """Return the kubectl to use."""
    return os.environ.get("AUTOCLAVE_KUBECTL") or "kubectl"


def _flag(value: bool) -> str:
    return "true" if value else "false"
