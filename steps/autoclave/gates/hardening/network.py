"""Whether a NetworkPolicy opens the network: rules of several policies add up, so one is enough."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from autoclave.gates.hardening.check import KubernetesObject

_NARROW = {4: 8, 6: 16}
"""A network with a shorter prefix is half of the world: two of those are all of it."""


def explain_open(of: KubernetesObject) -> str:
    """Return what a policy opens; empty when it allows little, and nothing beside the declared flows."""
    spec = of.data.get("spec") or {}
    rules = [
        (direction, rule, rule.get(key))
        for direction, key in (("ingress", "from"), ("egress", "to"))
        for rule in spec.get(direction) or ()
    ]
    found = [f"{direction} {why}" for direction, _, peers in rules for why in _explain_peers(peers)]
    if found:
        return "; ".join(dict.fromkeys(found))
    return "it allows traffic beside the flows of autoclave.toml" if rules and of.has_flows else ""


def _explain_peers(peers: Any) -> Iterator[str]:
    if not peers:
        yield "is open to everybody"
    for peer in peers or ():
        if block := peer.get("ipBlock"):
            try:
                network = ipaddress.ip_network(str(block.get("cidr")), strict=False)
            except ValueError:
                yield f"has {block.get('cidr')}, which is not a network"
                continue
            if network.prefixlen < _NARROW[network.version]:
                yield f"is open to {network}"
        elif "namespaceSelector" in peer and not _is_narrow(peer["namespaceSelector"] or {}):
            yield "is open to namespaces that are not named"
        elif not peer.keys() & {"namespaceSelector", "podSelector"}:
            yield "has a peer that selects nothing"


def _is_narrow(selector: Mapping[str, Any]) -> bool:
    """Return whether a selector needs a label with one of some values."""
    return bool(selector.get("matchLabels")) or any(
        each.get("operator") == "In" for each in selector.get("matchExpressions") or ()
    )
