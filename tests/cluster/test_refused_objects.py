"""Objects that must not be applied close the gate before the cluster is changed."""

from __future__ import annotations

import pytest

from cluster.clinics import GOOD, Clinic

pytestmark = pytest.mark.xdist_group("cluster-released")

REFUSED = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: calibrate}
spec: {templates: [{name: main, container: {image: "docker.io/library/unknown:latest"}}]}
---
apiVersion: v1
kind: Service
metadata: {name: door}
spec: {type: LoadBalancer, selector: {app: t-clinic}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: open}
spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}
"""


def test_unknown_kinds_and_open_doors_close_the_gate_and_nothing_is_applied(clinic: Clinic) -> None:
    clinic.write("more.yaml", REFUSED)
    closed = clinic.deploy(GOOD)
    assert closed.code == 25, closed.err
    for reason in (
        "Workflow.argoproj.io/calibrate is of a kind that is not known here",
        "high AK-EXPOSED-SERVICE in Service/door",
        "high AK-OPEN-NETWORK in NetworkPolicy/open",
    ):
        assert reason in closed.message
    assert [clinic.get(kind) for kind in ("deployments", "services", "networkpolicies", "pods")] == [[]] * 4


def test_a_policy_of_somebody_else_that_opens_the_network_closes_the_gate(clinic: Clinic) -> None:
    open_policy = REFUSED.rpartition("---\n")[2]
    clinic.cluster.kubectl("apply", "-n", clinic.namespace, "-f-", stdin=open_policy)
    closed = clinic.deploy(GOOD)
    assert closed.code == 25, closed.err
    assert "high AK-OPEN-NETWORK in NetworkPolicy/open" in closed.message
    assert clinic.get("deployments") == []
