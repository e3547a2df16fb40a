"""The hardening gate: each known-bad manifest trips its own check, and nothing else does."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from autoclave.gates import hardening
from autoclave.gates.hardening import CHECKS, UNREAD, Pod
from autoclave.model.facts import Finding, Severity
from autoclave.targets.kubernetes.manifests import read
from autoclave.targets.kubernetes.workloads import find_objects, find_pods
from builders.sample_facts import POLICY

FOLDER = Path(__file__).parents[2] / "fixtures" / "manifests"
BAD = sorted(path for path in FOLDER.glob("AK-*.yaml"))
ALSO = {"AK-PRIVILEGED": {"AK-PRIVILEGE-ESCALATION"}}  # the API takes no privileged one that denies it


def findings_in(path: Path) -> tuple[Finding, ...]:
    found = read(path.read_text(), path.name)
    return hardening.findings(*find_pods(found), find_objects(found))


def test_nothing_is_found_in_the_good_manifest() -> None:
    assert findings_in(FOLDER / "good.yaml") == ()


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_manifest_trips_exactly_its_check(path: Path) -> None:
    assert {each.id for each in findings_in(path)} == {path.stem} | ALSO.get(path.stem, set())


def test_every_check_has_a_bad_manifest() -> None:
    assert {path.stem for path in BAD} == {check.id for check in (*CHECKS, UNREAD)}


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_the_profile_of_class_c_blocks_every_finding(path: Path) -> None:
    verdict = hardening.judge(findings_in(path), POLICY["C"])
    assert not verdict.passed
    assert any(path.stem in reason for reason in verdict.reasons)


def test_a_severity_that_the_policy_does_not_block_passes() -> None:
    assert hardening.judge(findings_in(FOLDER / "AK-LIVENESS.yaml"), POLICY["B"]).passed
    assert not hardening.judge(findings_in(FOLDER / "AK-PRIVILEGED.yaml"), POLICY["A"]).passed


def test_many_findings_are_counted_and_the_worst_listed_first() -> None:
    found = findings_in(FOLDER / "AK-LIVENESS.yaml") * 20 + findings_in(FOLDER / "AK-PRIVILEGED.yaml")
    reasons = hardening.judge(found, POLICY["C"]).reasons
    assert "critical AK-PRIVILEGED in Deployment/gateway gateway" in reasons[0]
    assert reasons[-1] == "and 10 more blocking findings about pods"


GOOD: dict[str, Any] = dict(find_pods(read((FOLDER / "good.yaml").read_text(), "good"))[0][0].spec)


def ids(spec: Any, kind: str = "Deployment", **more: Any) -> set[str]:
    return {each.id for each in hardening.findings([Pod(f"{kind}/gateway", kind, spec, **more)])}


def pod_with(**security: Any) -> Any:
    spec = copy.deepcopy(GOOD)
    spec["securityContext"].update(security)
    return spec


POD_LEVEL = [
    ({"runAsUser": 0}, "AK-RUN-AS-NON-ROOT"),
    ({"runAsNonRoot": False}, "AK-RUN-AS-NON-ROOT"),
    ({"seccompProfile": {"type": "Unconfined"}}, "AK-SECCOMP"),
    ({"appArmorProfile": {"type": "Unconfined"}}, "AK-APP-ARMOR"),
    ({"seLinuxOptions": {"role": "sysadm_r"}}, "AK-SELINUX"),
    ({"windowsOptions": {"hostProcess": True}}, "AK-WINDOWS"),
]


@pytest.mark.parametrize(("security", "check"), POD_LEVEL)
def test_what_the_pod_allows_is_refused_even_where_each_container_denies_it(
    security: dict[str, Any], check: str
) -> None:
    spec = pod_with(**security)
    for each in (*spec["containers"], *spec["initContainers"]):
        each["securityContext"] |= {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
    assert ids(spec) == {check}


def test_a_container_may_say_itself_what_the_pod_does_not() -> None:
    spec = copy.deepcopy(GOOD)
    del spec["securityContext"]
    assert ids(spec) == {"AK-RUN-AS-NON-ROOT", "AK-SECCOMP"}
    for each in (*spec["containers"], *spec["initContainers"]):
        each["securityContext"] |= {"runAsNonRoot": True, "seccompProfile": {"type": "Localhost"}}
    assert ids(spec) == set()


@pytest.mark.parametrize("key", ["hostNetwork", "hostPID", "hostIPC"])
def test_each_namespace_of_the_host_is_refused(key: str) -> None:
    assert ids(copy.deepcopy(GOOD) | {key: True}) == {"AK-HOST-NAMESPACES"}


def test_an_app_armor_annotation_that_switches_it_off_is_found() -> None:
    note = {"container.apparmor.security.beta.kubernetes.io/gateway": "unconfined"}
    assert ids(GOOD, annotations=note) == {"AK-APP-ARMOR"}


def test_a_job_needs_no_probes_but_a_sidecar_does() -> None:
    spec = copy.deepcopy(GOOD)
    del spec["containers"][0]["readinessProbe"], spec["containers"][0]["livenessProbe"]
    assert ids(spec, "Job") == set()
    sidecar = copy.deepcopy(GOOD)
    sidecar["initContainers"][0]["restartPolicy"] = "Always"
    assert ids(sidecar) == {"AK-READINESS", "AK-LIVENESS"}


def test_a_limit_counts_as_the_request_as_in_kubernetes() -> None:
    spec = copy.deepcopy(GOOD)
    spec["containers"][0]["resources"] = {"limits": {"cpu": "1", "memory": "32Mi"}}
    assert ids(spec) == set()


HOSTILE: list[Any] = [
    {"volumes": ["host"]},
    {"securityContext": []},
    {"securityContext": ["privileged"]},
    {"os": "windows"},
    {"containers": [{"name": "a", "securityContext": "none"}]},
    {"containers": [{"name": "a", "ports": [1]}]},
]


@pytest.mark.parametrize("change", HOSTILE, ids=str)
def test_odd_shapes_are_findings_not_crashes(change: dict[str, Any]) -> None:
    assert ids(copy.deepcopy(GOOD) | change)


UNREADABLE = [
    "{apiVersion: v1, kind: PodTemplate, metadata: {name: x}, template: {spec: {containers: [{name: a}]}}}",
    "{apiVersion: x/v1, kind: Odd, metadata: {name: x}, spec: {deep: [{initContainers: [{name: a}]}]}}",
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}}",
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {template: {spec: {containers: a}}}}",
    "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [a]}}",
    "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: []}}",
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_containers_that_cannot_be_read_close_the_gate_in_every_class(text: str) -> None:
    found = hardening.findings(*find_pods(read(text, "here")))
    assert [each.id for each in found] == [UNREAD.id]
    assert not hardening.judge(found, POLICY["A"]).passed


def test_a_policy_without_severities_blocks_nothing_so_no_profile_is_empty() -> None:
    assert all(policy.hardening.block >= {Severity.CRITICAL, Severity.HIGH} for policy in POLICY.values())
    loose = replace(POLICY["A"], hardening=replace(POLICY["A"].hardening, block=frozenset()))
    assert hardening.judge(findings_in(FOLDER / "AK-PRIVILEGED.yaml"), loose).passed
