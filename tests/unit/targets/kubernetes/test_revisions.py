"""What a change of configuration or of a Job makes of its pods: new ones."""

from __future__ import annotations

from typing import Any

import pytest

from autoclave.device.schema import Environment, Service
from autoclave.store.oci import MANIFEST, Descriptor
from autoclave.targets import base
from autoclave.targets.base import Rollout
from autoclave.targets.kubernetes.labels import CONFIGURATION
from autoclave.targets.kubernetes.manifests import read
from autoclave.targets.kubernetes.objects import DesiredObjects, make_objects, read_digests
from autoclave.targets.kubernetes.pods import find_templates

DIGEST, NEXT = "sha256:" + "a" * 64, "sha256:" + "b" * 64
SETTINGS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {limit: "90"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: unused}
data: {limit: "1"}
---
"""
TEMPLATE = "{spec: {containers: [{name: app, image: pump/app, USE}], volumes: [VOLUME]}}"
MOUNTED = "{name: s, configMap: {name: settings}}"
USES = {
    "volume": TEMPLATE.replace("USE", "").replace("VOLUME", MOUNTED),
    "projected": TEMPLATE.replace("USE", "").replace(
        "VOLUME", "{name: s, projected: {sources: [{configMap: {name: settings}}]}}"
    ),
    "variables": TEMPLATE.replace("USE", "envFrom: [{configMapRef: {name: settings}}]").replace("VOLUME", ""),
    "variable": TEMPLATE.replace(
        "USE", "env: [{name: A, valueFrom: {configMapKeyRef: {name: settings, key: limit}}}]"
    ).replace("VOLUME", ""),
}


def make(
    kind: str, template: str, settings: str = SETTINGS, digest: str = DIGEST, more: str = ""
) -> DesiredObjects:
    group = "batch/v1" if kind == "Job" else "apps/v1"
    head = f"apiVersion: {group}\nkind: {kind}\nmetadata: {{name: app}}\n"
    text = f"{settings}{head}spec: {{{more}template: {template}}}\n"
    service = base.Service(
        image="app",
        descriptor=Descriptor(media_type=MANIFEST, digest=digest, size=1),
        settings=Service(),
        publish=None,
        inputs="",
    )
    rollout = Rollout(device="pump", environment=Environment(name="ward"), services=(service,))
    return make_objects(rollout, "clinic", "r.example/pump", read(text, "x.yaml"))


def noted(found: DesiredObjects) -> Any:
    (template,) = find_templates(found.plain)
    return template["metadata"]["annotations"].get(CONFIGURATION)


def name(found: DesiredObjects) -> str:
    return str(found.plain[-1]["metadata"]["name"])


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Job"])
@pytest.mark.parametrize("use", USES)
def test_a_change_of_the_configuration_changes_the_pods_that_use_it(kind: str, use: str) -> None:
    before = noted(make(kind, USES[use]))
    assert before == noted(make(kind, USES[use], digest=NEXT))
    assert before.startswith("sha256:")
    assert before != noted(make(kind, USES[use], SETTINGS.replace('"90"', '"91"')))
    assert before == noted(make(kind, USES[use], SETTINGS.replace('"1"', '"2"')))


def test_pods_that_use_none_of_it_are_left_alone() -> None:
    plain = TEMPLATE.replace("USE", "").replace("VOLUME", "{name: s, configMap: {name: elsewhere}}")
    assert noted(make("Deployment", plain)) is None


def test_a_job_that_changes_is_a_new_job() -> None:
    plain = USES["volume"]
    first = name(make("Job", plain))
    assert first.startswith("app-")
    assert first == name(make("Job", plain))
    assert first != name(make("Job", plain, digest=NEXT))
    assert first != name(make("Job", plain, SETTINGS.replace('"90"', '"91"')))
    assert first != name(make("Job", plain, more="completions: 2, "))
    assert first == name(make("Job", plain, more="backoffLimit: 2, suspend: true, "))
    assert read_digests(make("Job", plain).plain) == {"app": DIGEST}


def test_findings_and_waivers_name_a_job_as_its_manifest_does() -> None:
    assert make("Job", USES["volume"]).manifests[-1].title == "Job/app"


def test_a_long_name_of_a_job_stays_one() -> None:
    spec = "{template: {spec: {containers: [{name: a, image: x}]}}}"
    text = f"apiVersion: batch/v1\nkind: Job\nmetadata: {{name: NAME}}\nspec: {spec}\n"
    rollout = Rollout(device="pump", environment=Environment(name="ward"), services=())
    made = make_objects(rollout, "n", "r", read(text.replace("NAME", "n" * 53 + "-" + "x" * 9), "x.yaml"))
    assert len(name(made)) <= 63
    assert "--" not in name(made)
