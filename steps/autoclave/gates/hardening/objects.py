"""What objects beside pods must be: no rights over the cluster, no door to the outside, no open network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from autoclave.gates.hardening.check import KubernetesObject, ObjectCheck
from autoclave.gates.hardening.network import explain_open
from autoclave.model.facts import Severity

_READ = frozenset({"get", "list", "watch"})
_CHANGE = frozenset({"create", "update", "patch"})
_DELETE = frozenset({"delete", "deletecollection"})
_ESCALATING = frozenset({"escalate", "bind", "impersonate"})
_INTO_PODS = frozenset(
    {
        "pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "pods/ephemeralcontainers",
        "services/proxy", "serviceaccounts/token",
    }
)  # fmt: skip
_RUNNING = frozenset(
    {
        "pods", "podtemplates", "replicationcontrollers", "deployments", "replicasets", "statefulsets",
        "daemonsets", "jobs", "cronjobs",
    }
)  # fmt: skip
_GUARDING = frozenset({"secrets", "roles", "rolebindings", "networkpolicies", "serviceaccounts"})
_GROUPS = frozenset(
    {
        "", "apps", "autoscaling", "batch", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io",
        "metrics.k8s.io", "networking.k8s.io", "policy", "rbac.authorization.k8s.io",
    }
)  # fmt: skip


def _role(of: KubernetesObject) -> str:
    return "; ".join(dict.fromkeys(why for rule in of.data.get("rules") or () for why in _explain_rule(rule)))


def _explain_rule(rule: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a rule of a role allows that would undo what was judged."""
    verbs, resources, groups = (_words(rule.get(key)) for key in ("verbs", "resources", "apiGroups"))
    if any("*" in word for word in (*verbs, *resources, *groups)):
        yield "a rule has a wildcard"
    if found := verbs & _ESCALATING:
        yield f"it may {', '.join(sorted(found))}"
    if "secrets" in resources and verbs & _READ:
        yield "it reads secrets"
    if found := resources & _INTO_PODS:
        yield f"it has {', '.join(sorted(found))}"
    if (found := resources & _RUNNING) and verbs & _CHANGE:
        yield f"it changes {', '.join(sorted(found))}"
    if (found := resources & _GUARDING) and verbs & (_CHANGE | _DELETE):
        yield f"it changes {', '.join(sorted(found))}"
    if "configmaps" in resources and verbs & _CHANGE and not rule.get("resourceNames"):
        yield "it changes every ConfigMap, also what is kept for restoring"
    if (found := groups - _GROUPS - {"*"}) and verbs - _READ:
        yield f"it changes objects of {', '.join(sorted(found))}, which may start anything"


def _words(value: Any) -> set[str]:
    if not isinstance(value, list | None):
        raise TypeError("not a list")
    return set(map(str, value or ()))


_HARMLESS = frozenset({"view"})
_EVERYBODY = ("system:anonymous", "system:unauthenticated", "system:authenticated", "system:serviceaccounts")


def _binding(of: KubernetesObject) -> str:
    role = of.data.get("roleRef") or {}
    kind, name = str(role.get("kind")), str(role.get("name"))
    if kind == "Role" and name not in of.roles:
        return f"the rules of Role {name} are not in the manifests"
    if kind != "Role" and name not in _HARMLESS:
        return f"it gives {kind} {name}"
    subjects = [str(each.get("name")) for each in of.data.get("subjects") or ()]
    everybody = [name for name in subjects if name.startswith(_EVERYBODY)]
    return f"it is for {', '.join(everybody)}" if everybody else ""


def _service(of: KubernetesObject) -> str:
    spec = of.data.get("spec") or {}
    found = [f"type is {spec['type']}"] if spec.get("type") not in {None, "ClusterIP"} else []
    if addresses := spec.get("externalIPs"):
        found.append(f"externalIPs has {', '.join(map(str, addresses))}")
    return "; ".join(found)


def _secret(of: KubernetesObject) -> str:
    return (
        "the cluster fills it with one"
        if of.data.get("type") == "kubernetes.io/service-account-token"
        else ""
    )


def _ingress(of: KubernetesObject) -> str:
    noted = ((of.data.get("metadata") or {}).get("annotations") or {}).keys()
    found = sorted(key for key in noted if "snippet" in key.lower())
    return f"it has {', '.join(found)}" if found else ""


def _check(
    name: str, title: str, source: str, kind: str, of: Callable[[KubernetesObject], str]
) -> ObjectCheck:
    return ObjectCheck(name, Severity.HIGH, title, source, kind, of)


_OURS, _RIGHTS, _NETWORK = "our own", "NIST SP 800-190 4.3.1", "NIST SP 800-190 4.3.3"

CHECKS: tuple[ObjectCheck, ...] = (
    _check("AK-ROLE", "no role undoes what was judged", _RIGHTS, "Role", _role),
    _check("AK-ROLE-BINDING", "only roles that are judged are given", _RIGHTS, "RoleBinding", _binding),
    _check("AK-TOKEN-SECRET", "no secret is a token of the cluster's API", _RIGHTS, "Secret", _secret),
    _check("AK-EXPOSED-SERVICE", "services are reached in the cluster alone", _NETWORK, "Service", _service),
    _check("AK-INGRESS-SNIPPET", "no code goes into the ingress controller", _OURS, "Ingress", _ingress),
    _check(
        "AK-OPEN-NETWORK", "no policy opens what the default denies", _NETWORK, "NetworkPolicy", explain_open
    ),
)
"""All of high severity."""
