"""What docs/openshift.md shows is what the code takes: manifests, flows, and pods without a user's number."""

from __future__ import annotations

import copy
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from autoclave.device.schema import Flow
from autoclave.errors import ConfigError
from autoclave.gates import hardening
from autoclave.targets.kubernetes import manifests, network
from autoclave.targets.kubernetes.pods import pod_spec

PAGE = (Path(__file__).parents[2] / "docs" / "openshift.md").read_text("utf-8")

POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: backend}
spec:
  selector: {matchLabels: {app: backend}}
  template:
    metadata: {labels: {app: backend}}
    spec:
      automountServiceAccountToken: false
      securityContext:
        runAsNonRoot: true
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: backend
          image: remote-monitoring/backend
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          resources:
            requests: {cpu: 100m, memory: 128Mi}
            limits: {cpu: "1", memory: 256Mi}
          readinessProbe: {httpGet: {path: /health, port: 8080}}
          livenessProbe: {tcpSocket: {port: 8080}}
"""


def snippets(language: str) -> list[str]:
    """The page's snippets in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_manifests_are_put_into_the_namespace_and_left_alone() -> None:
    read = [manifest for text in snippets("yaml") for manifest in manifests.read(text, "docs/openshift.md")]
    assert [each.kind for each in read] == ["Route", "NetworkPolicy"]
    for before, after in zip(read, manifests.set_namespace(read, "clinic"), strict=True):
        expected: dict[str, Any] = copy.deepcopy(before.data)
        expected["metadata"]["namespace"] = "clinic"
        assert after.data == expected
    assert "# the router's own certificate" in manifests.dump(read)


def test_the_flows_let_router_and_names_through() -> None:
    (snippet,) = (each for each in snippets("toml") if "flow" in each)
    flows = msgspec.convert(tomllib.loads(snippet)["flow"], list[Flow])
    made = network.make_policies(flows, ["backend", "database"], device="monitor", environment="clinic")
    assert network.has_default_deny([each.data for each in made])
    (router,) = (each.data["spec"]["ingress"] for each in made if "ingress" in each.data["spec"])
    (names,) = (each.data["spec"]["egress"] for each in made if "egress" in each.data["spec"])
    assert "openshift-ingress" in str(router)
    assert "openshift-dns" in str(names)
    assert names[0]["ports"] == [{"protocol": "UDP", "port": 5353}]


def test_a_pod_without_a_user_id_is_not_a_finding() -> None:
    (pod,) = manifests.read(POD, "backend.yaml")
    judged = hardening.Pod(pod.title, pod.kind, pod_spec(pod))
    assert hardening.findings([judged]) == ()


def test_a_constraint_among_the_manifests_is_refused() -> None:
    text = "apiVersion: security.openshift.io/v1\nkind: SecurityContextConstraints\nmetadata: {name: mine}\n"
    with pytest.raises(ConfigError, match="belongs to no namespace"):
        manifests.set_namespace(manifests.read(text, "scc.yaml"), "clinic")
