"""A ValidatingAdmissionPolicy: the API server itself admits no other image to this device's namespace."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from autoclave.targets.kubernetes.labels import name_of
from autoclave.targets.kubernetes.manifests import Manifest

_API = "admissionregistration.k8s.io/v1"
_VERIFIED = "c.image.contains('@') && c.image.substring(c.image.indexOf('@') + 1) in variables.verified"
_LISTS = ("containers", "initContainers", "ephemeralContainers")


def make_policy(device: str, namespace: str, digests: Iterable[str]) -> list[Manifest]:
    """Return policy and binding that admit pods of a namespace only if every image is one of the digests.

    For the cluster's administrator to apply. CEL (Kubernetes 1.30 and newer); where it cannot be evaluated,
    the pod is refused.
    """
    name = name_of(device, namespace)
    listed = json.dumps(sorted(digests))
    validations = [
        {
            "expression": f"!has(object.spec.{key}) || object.spec.{key}.all(c, {_VERIFIED})",
            "messageExpression": (
                f"'Autoclave: ' + object.spec.{key}.filter(c, !({_VERIFIED})).map(c, c.image).join(', ')"
                f" + ' is not a verified release of {device}: release it with autoclave sign, then apply"
                " what autoclave policy export writes'"
            ),
            "reason": "Forbidden",
        }
        for key in _LISTS
    ]
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": ["pods", "pods/ephemeralcontainers"],
                }
            ]
        },
        "variables": [{"name": "verified", "expression": listed}],
        "validations": validations,
    }
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        },
    }
    return [
        _manifest("ValidatingAdmissionPolicy", name, spec),
        _manifest("ValidatingAdmissionPolicyBinding", name, binding),
    ]


def _manifest(kind: str, name: str, spec: dict[str, Any]) -> Manifest:
    data = {"apiVersion": _API, "kind": kind, "metadata": {"name": name}, "spec": spec}
    return Manifest(kind, _API, name, data, "autoclave policy export")
