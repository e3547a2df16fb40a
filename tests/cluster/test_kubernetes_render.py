"""Kustomizations and charts, rendered by the real kubectl and the real Helm."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave.device.schema import Kubernetes
from autoclave.errors import ConfigError, ToolError
from autoclave.runtime.shell import Shell
from autoclave.targets.kubernetes.render import render_manifests
from builders.devices import program

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway}
spec:
  replicas: 1
  selector: {matchLabels: {app: gateway}}
  template:
    metadata: {labels: {app: gateway}}
    spec: {containers: [{name: gateway, image: example.org/pump/gateway:1}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    program("kubectl", "AUTOCLAVE_KUBECTL")
    program("helm", "AUTOCLAVE_HELM")
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def test_a_kustomization_is_rendered_with_its_patches(folder: Path) -> None:
    write(
        folder,
        {
            "base/kustomization.yaml": "resources: [app.yaml]\n",
            "base/app.yaml": DEPLOYMENT,
            "clinic/kustomization.yaml": (
                "resources: [../base]\n"
                "patches:\n"
                '  - patch: \'[{"op": "replace", "path": "/spec/replicas", "value": 3}]\'\n'
                "    target: {kind: Deployment}\n"
                "configMapGenerator: [{name: limits, literals: [spo2=90]}]\n"
            ),
        },
    )
    found = render_manifests(Kubernetes(namespace="n", kustomization="clinic"), "pump", folder, Shell())
    by_kind = {each.kind: each for each in found}
    assert by_kind["Deployment"].data["spec"]["replicas"] == 3
    assert by_kind["ConfigMap"].data["data"]["spo2"] == "90"


def test_a_kustomization_reads_no_file_outside_its_folder(folder: Path) -> None:
    write(folder, {"deploy/kustomization.yaml": "resources: [../app.yaml]\n", "app.yaml": DEPLOYMENT})
    with pytest.raises(ToolError, match="exit code"):
        render_manifests(Kubernetes(namespace="n", kustomization="deploy"), "pump", folder, Shell())


def test_a_chart_is_rendered_with_its_values_and_without_hooks(folder: Path) -> None:
    write(
        folder,
        {
            "chart/Chart.yaml": "apiVersion: v2\nname: pump\nversion: 1.0.0\n",
            "chart/values.yaml": "replicas: 1\n",
            "chart/templates/app.yaml": DEPLOYMENT.replace("replicas: 1", "replicas: {{ .Values.replicas }}"),
            "chart/templates/hook.yaml": (
                "apiVersion: v1\nkind: Pod\n"
                'metadata: {name: hook, annotations: {"helm.sh/hook": pre-install}}\n'
            ),
            "clinic.yaml": "replicas: 3\n",
        },
    )
    settings = Kubernetes(namespace="n", chart="chart", values=["clinic.yaml"])
    found = render_manifests(settings, "pump", folder, Shell())
    assert [each.title for each in found] == ["Deployment/gateway"]
    assert found[0].data["spec"]["replicas"] == 3


def test_what_a_chart_renders_is_read_as_strictly_as_any_file(folder: Path) -> None:
    write(
        folder,
        {
            "chart/Chart.yaml": "apiVersion: v2\nname: pump\nversion: 1.0.0\n",
            "chart/templates/app.yaml": "kind: ConfigMap\nmetadata: {name: x}\n",
        },
    )
    with pytest.raises(ConfigError, match="apiVersion"):
        render_manifests(Kubernetes(namespace="n", chart="chart"), "pump", folder, Shell())
