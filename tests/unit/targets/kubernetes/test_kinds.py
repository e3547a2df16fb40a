"""The kinds that a device may apply: known ones, and those that the organisation names with their places."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave.gates import hardening
from autoclave.policy.schema import ObjectPaths
from autoclave.targets.kubernetes.images import find_unpinned, pin
from autoclave.targets.kubernetes.kinds import PLAIN, admit
from autoclave.targets.kubernetes.manifests import POD_SPECS, read
from autoclave.targets.kubernetes.pods import containers, pod_metadata
from autoclave.targets.kubernetes.workloads import find_pods

FOLDER = Path(__file__).parents[3] / "fixtures" / "kubernetes" / "unknown"
PINNED = "r.example/other@sha256:" + "a" * 64
OURS = "r.example/pump@sha256:" + "b" * 64
UNKNOWN = {
    "workflow": "Workflow.argoproj.io/calibrate",
    "template-as-text": "Runner.example.org/r",
    "prometheus": "Prometheus.monitoring.coreos.com/m",
    "tekton": "TaskRun.tekton.dev/t",
}
PATHS = {
    "Workflow.argoproj.io": ObjectPaths(containers=("spec.templates[*].container",)),
    "TaskRun.tekton.dev": ObjectPaths(containers=("spec.taskSpec.steps",)),
    "Prometheus.monitoring.coreos.com": ObjectPaths(images=("spec.image",)),
    "Rollout.argoproj.io": ObjectPaths(pods=("spec.template.spec",)),
    "Runner.example.org": ObjectPaths(),
}
ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: app}
spec:
  template: {spec: {containers: [{name: app, image: x/pump/app:1, securityContext: {privileged: true}}]}}
"""


def test_every_input_is_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(UNKNOWN)


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_kind_that_is_not_known_is_refused_by_name(name: str) -> None:
    _, (reason,) = admit(read((FOLDER / f"{name}.yaml").read_text(), "deploy/x.yaml"), {})
    assert reason.startswith(f"deploy/x.yaml: {UNKNOWN[name]} is of a kind that is not known here")
    assert f'[kubernetes.kinds."{UNKNOWN[name].partition("/")[0]}"]' in reason


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("deployment", "apps/v1"),
        ("Deployment", "evil.example/v1"),
        ("Deployment", "v1"),
        ("Job", "batch.volcano.sh/v1alpha1"),
        ("Service", "serving.knative.dev/v1"),
        ("PodTemplate", "v1"),
        ("ReplicationController", "v1"),
        ("Endpoints", "v1"),
        ("EndpointSlice", "discovery.k8s.io/v1"),
        ("BuildConfig", "build.openshift.io/v1"),
        ("DeploymentConfig", "apps.openshift.io/v1"),
        ("VirtualMachine", "kubevirt.io/v1"),
        ("HelmRelease", "helm.toolkit.fluxcd.io/v2"),
        ("CustomResourceDefinition", "apiextensions.k8s.io/v1"),
        ("PodPreset", "settings.k8s.io/v1alpha1"),
        ("HTTPRoute", "gateway.networking.k8s.io/v1"),
    ],
)
def test_a_kind_is_known_by_its_group_as_well(kind: str, version: str) -> None:
    text = f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\n"
    _, (reason,) = admit(read(text, "x.yaml"), {})
    assert f"{kind}" in reason


def test_workloads_and_plain_kinds_are_known() -> None:
    groups = {"Pod": "v1", "Job": "batch/v1", "CronJob": "batch/v1"}
    known = [(kind, groups.get(kind, "apps/v1")) for kind in POD_SPECS]
    known += [(kind, f"{group}/v1" if group else "v1") for group, kinds in PLAIN.items() for kind in kinds]
    for kind, version in known:
        found, reasons = admit(
            read(f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\n", "x.yaml"), {}
        )
        assert not reasons
        assert len(found) == 1


@pytest.mark.parametrize("name", ["workflow", "tekton"])
def test_containers_of_a_named_kind_are_pinned_and_judged(name: str) -> None:
    found, reasons = admit(read((FOLDER / f"{name}.yaml").read_text(), "x.yaml"), PATHS)
    assert reasons == []
    pinned, others = pin(found, "pump", {})
    assert [each.partition(" runs ")[2] for each in find_unpinned(others)] == [
        "'docker.io/library/unknown:latest', which no digest pins"
    ]
    ids = {each.id for each in hardening.findings(*find_pods(pinned))}
    assert {"AK-CAPABILITIES", "AK-READ-ONLY-ROOT"} <= ids
    assert ("AK-PRIVILEGED" in ids) == (name == "workflow")
    assert not ids & {"AK-UNKNOWN-WORKLOAD", "AK-SERVICE-TOKEN", "AK-READINESS"}


def test_an_image_of_a_named_kind_is_pinned() -> None:
    found, _ = admit(read((FOLDER / "prometheus.yaml").read_text(), "x.yaml"), PATHS)
    _, others = pin(found, "pump", {})
    assert find_unpinned(others) == [
        "Prometheus/m: spec.image runs 'quay.io/example/prometheus:latest', which no digest pins"
    ]


def test_pods_of_a_named_kind_are_pinned_labelled_and_judged_like_pods() -> None:
    found, _ = admit(read(ROLLOUT, "x.yaml"), PATHS)
    pinned, others = pin(found, "pump", {"app": OURS})
    assert [each.image for each in containers(pinned)] == [OURS]
    assert others == {}
    assert pod_metadata(pinned[0]) == [{}]
    ids = {each.id for each in hardening.findings(*find_pods(pinned))}
    assert {"AK-PRIVILEGED", "AK-SERVICE-TOKEN", "AK-READINESS"} <= ids


@pytest.mark.parametrize(
    "more",
    [
        "extra: {sidecar: {image: 'x:1', args: [a]}}",
        "extra: [{containers: [{name: a}]}]",
        'extra: \'{"spec":{"containers":[{"name":"a","image":"x:latest"}]}}\'',
        'extra: {a: {b: "apiVersion: v1\\nkind: Pod\\nspec: {containers: [{image: x}]}\\n"}}',
    ],
)
def test_containers_beside_the_named_places_cannot_be_judged(more: str) -> None:
    text = ROLLOUT.replace("  template:", f"  {more}\n  template:")
    found, _ = admit(read(text, "x.yaml"), PATHS)
    assert find_pods(found)[1] == ["Rollout/app"]


@pytest.mark.parametrize(
    "spec",
    [
        "{image: PINNED, thanos: {image: 'evil:latest'}}",
        "{image: PINNED, baseImage: 'evil:latest'}",
        "{Image: 'evil:latest'}",
        "{image: PINNED, steps: [{image: 'evil:latest'}]}",
    ],
)
def test_an_image_beside_the_named_places_cannot_be_judged(spec: str) -> None:
    head = "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: m}\n"
    found, _ = admit(read(f"{head}spec: {spec.replace('PINNED', PINNED)}\n", "x.yaml"), PATHS)
    assert find_pods(found)[1] == ["Prometheus/m"]


def test_an_object_of_a_named_kind_without_another_image_is_fine() -> None:
    head = "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: m}\n"
    found, _ = admit(read(f"{head}spec: {{image: {PINNED}, replicas: 1}}\n", "x.yaml"), PATHS)
    assert find_pods(found) == ([], [])


def test_a_named_place_that_holds_something_else_cannot_be_judged() -> None:
    for value in ("[a]", "text", "{containers: []}", "{containers: [a]}"):
        head = "apiVersion: argoproj.io/v1\nkind: Rollout\nmetadata: {name: a}\n"
        text = f"{head}spec: {{template: {{spec: {value}}}}}\n"
        found, _ = admit(read(text, "x.yaml"), PATHS)
        assert find_pods(found)[1] == ["Rollout/a"], value


def test_text_in_an_object_of_a_named_kind_is_read_too() -> None:
    found, reasons = admit(read((FOLDER / "template-as-text.yaml").read_text(), "x.yaml"), PATHS)
    assert reasons == []
    assert find_pods(found) == ([], ["Runner/r"])
