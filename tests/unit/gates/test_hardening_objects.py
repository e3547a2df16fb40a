"""What stands beside pods: rights, doors to the outside, and policies that open the network."""

from __future__ import annotations

from typing import Any

import pytest

from autoclave.gates import hardening
from autoclave.gates.hardening import KubernetesObject


def explain(kind: str, *, roles: frozenset[str] = frozenset(), has_flows: bool = False, **data: Any) -> str:
    found = hardening.findings((), (), [KubernetesObject(f"{kind}/x", kind, data, roles, has_flows)])
    assert len(found) <= 1
    return found[0].title.partition(" (")[2].removesuffix(")") if found else ""


def rule(verbs: str, resources: str, groups: str = "", **more: Any) -> dict[str, Any]:
    return {
        "apiGroups": groups.split(","),
        "resources": resources.split(","),
        "verbs": verbs.split(","),
        **more,
    }


@pytest.mark.parametrize(
    ("allowed", "why"),
    [
        (rule("*", "pods"), "a rule has a wildcard"),
        (rule("get", "*"), "a rule has a wildcard"),
        (rule("get", "pods", "*"), "a rule has a wildcard"),
        (rule("get", "*/exec"), "a rule has a wildcard"),
        (rule("escalate,bind", "roles", "rbac.authorization.k8s.io"), "it may bind, escalate"),
        (rule("impersonate", "users"), "it may impersonate"),
        (rule("get", "secrets", resourceNames=["one"]), "it reads secrets"),
        (rule("create", "pods/exec"), "it has pods/exec"),
        (rule("get", "pods/attach,pods/log"), "it has pods/attach"),
        (rule("create", "serviceaccounts/token"), "it has serviceaccounts/token"),
        (rule("patch", "deployments", "apps"), "it changes deployments"),
        (rule("create", "pods"), "it changes pods"),
        (rule("delete", "networkpolicies", "networking.k8s.io"), "it changes networkpolicies"),
        (rule("update", "configmaps"), "it changes every ConfigMap, also what is kept for restoring"),
        (
            rule("create", "workflows", "argoproj.io"),
            "it changes objects of argoproj.io, which may start anything",
        ),
        ({"verbs": "get", "resources": "secrets"}, "the field that decides it has another shape"),
        (["list"], "the field that decides it has another shape"),
    ],
)
def test_a_role_that_undoes_what_was_judged_is_found(allowed: Any, why: str) -> None:
    assert explain("Role", rules=[allowed]) == why


@pytest.mark.parametrize(
    "allowed",
    [
        rule("get,list,watch", "pods,pods/log,services,configmaps"),
        rule("get,create,update", "leases", "coordination.k8s.io"),
        rule("update", "configmaps", resourceNames=["leader"]),
        rule("get", "workflows", "argoproj.io"),
        rule("create", "events"),
        rule("delete", "pods"),
    ],
)
def test_a_role_of_an_ordinary_program_is_fine(allowed: Any) -> None:
    assert explain("Role", rules=[allowed]) == ""


@pytest.mark.parametrize(
    ("kind", "name", "subject", "why"),
    [
        ("ClusterRole", "cluster-admin", "app", "it gives ClusterRole cluster-admin"),
        ("ClusterRole", "edit", "app", "it gives ClusterRole edit"),
        ("ClusterRole", "view", "app", ""),
        ("ClusterRole", "view", "system:serviceaccounts:other", "it is for system:serviceaccounts:other"),
        ("Role", "mine", "app", ""),
        ("Role", "mine", "system:unauthenticated", "it is for system:unauthenticated"),
        ("Role", "theirs", "app", "the rules of Role theirs are not in the manifests"),
    ],
)
def test_only_roles_that_are_judged_are_given(kind: str, name: str, subject: str, why: str) -> None:
    given = {"roleRef": {"kind": kind, "name": name}, "subjects": [{"name": subject}]}
    assert explain("RoleBinding", roles=frozenset({"mine"}), **given) == why


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({}, ""),
        ({"type": "ClusterIP"}, ""),
        ({"type": "LoadBalancer"}, "type is LoadBalancer"),
        ({"type": "NodePort"}, "type is NodePort"),
        ({"type": "ExternalName", "externalName": "x.example"}, "type is ExternalName"),
        ({"externalIPs": ["192.0.2.1"]}, "externalIPs has 192.0.2.1"),
    ],
)
def test_a_service_that_is_reached_from_outside_is_found(spec: dict[str, Any], why: str) -> None:
    assert explain("Service", spec=spec) == why


EVERYBODY = "ingress is open to everybody"
UNNAMED = "egress is open to namespaces that are not named"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"ingress": [{}]}, EVERYBODY),
        ({"ingress": [{"from": []}]}, EVERYBODY),
        ({"ingress": [{"ports": [{"port": 80}]}]}, EVERYBODY),
        ({"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}, "egress is open to 0.0.0.0/0"),
        (
            {"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/1"}}, {"ipBlock": {"cidr": "128.0.0.0/1"}}]}]},
            "egress is open to 0.0.0.0/0",
        ),
        (
            {"egress": [{"to": [{"ipBlock": {"cidr": f"{first}.0.0.0/8"}}]} for first in range(256)]},
            "egress is open to 0.0.0.0/0",
        ),
        ({"egress": [{"to": [{"ipBlock": {"cidr": "::/0"}}]}]}, "egress is open to ::/0"),
        ({"egress": [{"to": [{"ipBlock": {"cidr": "all"}}]}]}, "egress has all, which is not a network"),
        ({"egress": [{"to": [{"namespaceSelector": {}}]}]}, UNNAMED),
        (
            {
                "egress": [
                    {
                        "to": [
                            {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}
                        ]
                    }
                ]
            },
            UNNAMED,
        ),
        ({"egress": [{"to": [{}]}]}, "egress has a peer that selects nothing"),
        ({"ingress": [7]}, "the field that decides it has another shape"),
        ({"egress": [{"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}]}, ""),
        ({"egress": [{"to": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]}]}, ""),
        ({"ingress": [{"from": [{"podSelector": {"matchLabels": {"a": "b"}}}]}]}, ""),
        ({"policyTypes": ["Ingress", "Egress"]}, ""),
    ],
)
def test_a_policy_that_opens_the_network_is_found(spec: dict[str, Any], why: str) -> None:
    assert explain("NetworkPolicy", spec={"podSelector": {}} | spec) == why


def test_declared_flows_are_all_that_is_allowed() -> None:
    narrow = {"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"a": "b"}}}]}]}
    assert explain("NetworkPolicy", has_flows=True, spec=narrow) == (
        "it allows traffic beside the flows of autoclave.toml"
    )
    assert explain("NetworkPolicy", has_flows=True, spec={"podSelector": {}}) == ""
