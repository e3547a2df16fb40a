"""Policies of others in the namespace that open the network of this device's pods."""

from __future__ import annotations

from typing import Any

import pytest

from autoclave.gates import hardening
from autoclave.targets.kubernetes.checks import find_opening

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "app"},
    "spec": {"template": {"metadata": {"labels": {"app": "pump", "tier": "ward"}}, "spec": {}}},
}


def policy(selector: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "open", "labels": {"dev.autoclave.device": "pump"}},
        "spec": {"podSelector": selector, "ingress": [{}], **spec},
    }


def expression(operator: str, key: str = "app", *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "is_for_us"),
    [
        ({}, True),
        ({"matchLabels": {"app": "pump"}}, True),
        ({"matchLabels": {"app": "pump", "tier": "other"}}, False),
        ({"matchLabels": {"app": "glucose"}}, False),
        (expression("In", "app", "pump", "x"), True),
        (expression("In", "app", "x"), False),
        (expression("NotIn", "app", "x"), True),
        (expression("NotIn", "app", "pump"), False),
        (expression("Exists"), True),
        (expression("DoesNotExist"), False),
        (expression("DoesNotExist", "other"), True),
        (expression("Resembles"), True),
    ],
)
def test_a_policy_that_opens_our_pods_is_found(selector: dict[str, Any], is_for_us: bool) -> None:
    found = hardening.findings((), (), find_opening([policy(selector)], [DEPLOYMENT], []))
    assert [each.id for each in found] == (["AK-OPEN-NETWORK"] if is_for_us else [])


def test_what_is_applied_or_deleted_now_is_not_somebody_else_s() -> None:
    assert find_opening([policy({})], [DEPLOYMENT, policy({})], []) == []
    assert find_opening([policy({})], [DEPLOYMENT], [policy({})]) == []


def test_a_narrow_policy_of_others_is_fine() -> None:
    narrow = policy({}, ingress=[{"from": [{"podSelector": {"matchLabels": {"a": "b"}}}]}])
    assert hardening.findings((), (), find_opening([narrow], [DEPLOYMENT], [])) == ()
