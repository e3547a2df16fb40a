"""Whether a NetworkPolicy opens the network: rules of several policies add up, so one is enough."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autoclave.gates.hardening.check import KubernetesObject

_NARROW = {4: 8, 6: 16}
"""A network with a shorter prefix is half of the world: two of those are all of it."""


def explain_open(of: KubernetesObject) -> str:
    """Return what a policy opens; empty when it allows little, and nothing beside the declared flows."""
    spec = of.data.get("spec") or {}
    found, has_rules = list[str](), False
    for direction, key in (("ingress", "from"), ("egress", "to")):
        rules = [rule.get(key) for rule in spec.get(direction) or ()]
        has_rules = has_rules or bool(rules)
        found += [f"{direction} {why}" for why in _explain_rules(rules)]
    if found:
        return "; ".join(dict.fromkeys(found))
    return "it allows traffic beside the flows of autoclave.toml" if has_rules and of.has_flows else ""


def _explain_rules(rules: Sequence[Any]) -> Iterator[str]:
    if not all(rules):
        yield "is open to everybody"
    peers = [peer for rule in rules for peer in rule or ()]
    networks = []
    for peer in peers:
        if block := peer.get("ipBlock"):
            try:
                networks.append(ipaddress.ip_network(str(block.get("cidr")), strict=False))
            except ValueError:
                yield f"has {block.get('cidr')}, which is not a network"
        elif "namespaceSelector" in peer and not _is_narrow(peer["namespaceSelector"] or {}):
            yield "is open to namespaces that are not named"
        elif not peer.keys() & {"namespaceSelector", "podSelector"}:
            yield "has a peer that selects nothing"
    # Small networks beside each other are one large one.
    old = ipaddress.collapse_addresses(each for each in networks if isinstance(each, ipaddress.IPv4Network))
    new = ipaddress.collapse_addresses(each for each in networks if isinstance(each, ipaddress.IPv6Network))
    joined: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = [*old, *new]
    yield from (f"is open to {each}" for each in joined if each.prefixlen < _NARROW[each.version])


def _is_narrow(selector: Mapping[str, Any]) -> bool:
    """Return whether a selector needs a label with one of some values."""
    return bool(selector.get("matchLabels")) or any(
        each.get("operator") == "In" for each in selector.get("matchExpressions") or ()
    )
