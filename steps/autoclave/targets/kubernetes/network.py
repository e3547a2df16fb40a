"""NetworkPolicies: all traffic is denied, except the flows that the device file declares."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autoclave.device.schema import Flow
from autoclave.errors import ConfigError
from autoclave.targets.kubernetes.labels import DEVICE, ENVIRONMENT, IMAGE, name_of
from autoclave.targets.kubernetes.manifests import Manifest

DENY = "default-deny"
_ANYWHERE = ({"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}})
_DNS = {
    "to": [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            # The label of the cluster DNS of kubeadm, k3s, GKE, EKS and AKS, CoreDNS included.
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
    ],
    "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
}


def make_policies(
    flows: Sequence[Flow], images: Sequence[str], *, device: str, environment: str
) -> list[Manifest]:
    """Return a default deny for every pod of the namespace, and one policy for each end of each flow.

    Flows are those of the device in the environment: of another device in the namespace, an image of the same
    name gets none. Raises ConfigError for a flow whose ends are invalid.
    """
    owned = {DEVICE: device, ENVIRONMENT: environment}
    policies = [
        _policy(name_of(device, environment, DENY), {}, {"policyTypes": ["Ingress", "Egress"]}),
    ]
    for flow in flows:
        if flow.source not in images and flow.to not in images:
            raise ConfigError(
                f"the flow from '{flow.source}' to '{flow.to}' has no image of the device at either end",
                next=f"one end must be one of: {', '.join(images)}",
            )
        if flow.to in images:
            rule = {"from": _peers(flow.source, images, owned)} | _ports(flow)
            name = name_of(device, environment, _name(flow, "in"))
            spec = {"policyTypes": ["Ingress"], "ingress": [rule]}
            policies.append(_policy(name, {**owned, IMAGE: flow.to}, spec))
        if flow.source in images:
            rule = _DNS if flow.to == "dns" else {"to": _peers(flow.to, images, owned)} | _ports(flow)
            name = name_of(device, environment, _name(flow, "out"))
            spec = {"policyTypes": ["Egress"], "egress": [rule]}
            policies.append(_policy(name, {**owned, IMAGE: flow.source}, spec))
    return policies


def has_default_deny(existing: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether one of these policies denies every pod all traffic that no other one allows."""
    return any(_is_default_deny(each.get("spec") or {}) for each in existing)


def selects(selector: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    """Return whether a selector is for something with these labels; one that is not understood is."""
    same = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return same and all(_is_met(each, labels) for each in selector.get("matchExpressions") or ())


def _is_met(expression: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    key, values = str(expression.get("key")), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return True


def _is_default_deny(spec: Mapping[str, Any]) -> bool:
    selector = spec.get("podSelector") or {}
    everybody = not selector.get("matchLabels") and not selector.get("matchExpressions")
    both = {"Ingress", "Egress"} <= set(spec.get("policyTypes") or ())
    return everybody and both and not spec.get("ingress") and not spec.get("egress")


def _peers(end: str, images: Sequence[str], owned: Mapping[str, str]) -> list[dict[str, Any]]:
    if end in images:
        return [{"podSelector": {"matchLabels": {**owned, IMAGE: end}}}]
    if end == "outside":
        return list(_ANYWHERE)
    if end.startswith("namespace/"):
        return [
            {
                "namespaceSelector": {
                    "matchLabels": {"kubernetes.io/metadata.name": end.removeprefix("namespace/")}
                }
            }
        ]
    try:
        return [{"ipBlock": {"cidr": str(ipaddress.ip_network(end))}}]
    except ValueError as error:
        raise ConfigError(
            f"the end '{end}' of a flow is invalid",
            why=str(error) if "/" in end else "",
            next=f"use an image ({', '.join(images)}), outside, a CIDR, namespace/NAME, or dns as its target",
        ) from error


def _ports(flow: Flow) -> dict[str, Any]:
    protocol = {"protocol": flow.protocol.upper()}
    return {"ports": [protocol | {"port": port} for port in flow.ports] or [protocol]}


def _name(flow: Flow, direction: str) -> str:
    """Return a name for a flow's policy: readable, and unique however long the ends are."""
    whole = f"{flow.source} {flow.to} {flow.protocol} {flow.ports}"
    words = "-".join(
        "".join(c if c.isalnum() else "-" for c in end.lower()).strip("-")[:16]
        for end in (flow.source, flow.to)
    )
    return f"{direction}-{words}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def _policy(name: str, labels: Mapping[str, str], spec: Mapping[str, Any]) -> Manifest:
    data = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": {"matchLabels": dict(labels)} if labels else {}, **spec},
    }
    return Manifest("NetworkPolicy", "networking.k8s.io/v1", name, data, "[[flow]] in autoclave.toml")
