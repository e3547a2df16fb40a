"""The hardening gate: would this be as confined in a cluster as its policy demands?

Plain data in, findings out, as from a scanner.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autoclave.gates.hardening import objects, pods, program
from autoclave.gates.hardening.check import Check, KubernetesObject, ObjectCheck, Pod, containers
from autoclave.gates.waivers import JudgedWaiver, explain_refusal, find_refused, find_waived
from autoclave.gates.waivers import key as key_of
from autoclave.model.facts import Finding, Kind, Severity
from autoclave.model.verdict import Verdict
from autoclave.policy.schema import Policy

__all__ = ["CHECKS", "UNREAD", "KubernetesObject", "Pod", "findings", "judge"]

UNREAD = Check(
    "AK-UNKNOWN-WORKLOAD", Severity.CRITICAL, "every workload can be judged", "our own", lambda *_: ""
)
_PODS: tuple[Check, ...] = (*pods.CHECKS, *program.CHECKS)
_RANK = {severity: rank for rank, severity in enumerate(Severity)}
CHECKS: tuple[Check | ObjectCheck, ...] = tuple(
    sorted((*_PODS, *objects.CHECKS), key=lambda each: -_RANK[each.severity])
)
"""All demands, most severe first."""
_SHOWN = 12


def findings(
    found_pods: Sequence[Pod], unread: Sequence[str] = (), others: Sequence[KubernetesObject] = ()
) -> tuple[Finding, ...]:
    """Check every pod, container and other object.

    `unread` names objects that seem to hold pods but cannot be read.
    """
    found = [
        _make_finding(UNREAD, title, "it holds containers in a way that is not known") for title in unread
    ]
    for pod in found_pods:
        for check in _PODS:
            try:
                found += _apply(check, pod)
            except (AttributeError, KeyError, TypeError):
                # A list where a mapping belongs, and the like: what cannot be read is not confined.
                found.append(_make_finding(check, pod.title, _ODD))
    for each in others:
        found += _apply_to_object(each)
    return tuple(found)


_ODD = "the field that decides it has another shape"


def _apply(check: Check, pod: Pod) -> Iterator[Finding]:
    if not pod.is_part and (why := check.of(pod, None)):
        yield _make_finding(check, pod.title, why)
    for container, passing in containers(pod.spec):
        if (passing or pod.is_part) and check.id in pods.LONG_RUNNING:
            continue
        if why := check.of(pod, container):
            yield _make_finding(check, f"{pod.title} {container.get('name', '?')}", why)


def _apply_to_object(of: KubernetesObject) -> Iterator[Finding]:
    for check in objects.CHECKS:
        if check.kind != of.kind:
            continue
        try:
            why = check.of(of)
        except (AttributeError, KeyError, TypeError):
            why = _ODD
        if why:
            yield _make_finding(check, of.title, why)


def judge(found: Sequence[Finding], policy: Policy, waivers: Sequence[JudgedWaiver] = ()) -> Verdict:
    """Judge findings about pods: those of a blocking severity close the gate, unless they are waived."""
    waived, not_counting = find_waived(waivers), find_refused(waivers)
    blocking = [
        each for each in found if each.severity in policy.hardening.block and key_of(each) not in waived
    ]
    worst = sorted(blocking, key=lambda each: (-_RANK[each.severity], each.id, each.target))
    reasons = [
        f"{each.severity} {each.id} in {each.target}: {each.title}{explain_refusal(each, not_counting)}"
        for each in worst[:_SHOWN]
    ]
    if len(worst) > _SHOWN:
        reasons.append(f"and {len(worst) - _SHOWN} more blocking findings about pods")
    return Verdict("deploy", tuple(reasons))


def _make_finding(check: Check | ObjectCheck, target: str, why: str) -> Finding:
    return Finding(
        id=check.id,
        kind=Kind.MISCONFIGURATION,
        severity=check.severity,
        title=f"{check.title} ({why})",
        target=target,
    )
