"""Kustomizations and charts, rendered by the real kubectl and the real Helm."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from autoclave.device.schema import Kubernetes
from autoclave.errors import ConfigError, SourceError, ToolError
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


class Listener(ThreadingHTTPServer):
    """A server on loopback that counts: what asks it has reached something outside of the repository."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), BaseHTTPRequestHandler)
        self.asked = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def verify_request(self, *_: object) -> bool:
        """Count the request and refuse it."""
        self.asked += 1
        return False


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
        assert server.asked == 0


CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: pump\nversion: 1.0.0\n",
    "chart/templates/c.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
        'data: {v: {{ .Values | toJson | quote }}, f: {{ .Files.Get "files/x.yaml" | quote }}}\n'
    ),
}


@pytest.mark.parametrize("schema", ["values.schema.json", "charts/sub/values.schema.json"])
def test_helm_fetches_no_schema_and_reads_none_of_this_machine(
    folder: Path, listener: Listener, schema: str
) -> None:
    write(folder, {**CHART, "chart/charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n"})
    (folder / "host.json").write_text("{}")
    for target in (listener.url, (folder / "host.json").as_uri()):
        write(folder, {f"chart/{schema}": json.dumps({"$ref": target})})
        with pytest.raises(ConfigError, match="is outside the schema"):
            render_manifests(Kubernetes(namespace="n", chart="chart"), "pump", folder, Shell())


def test_helm_still_judges_values_by_a_schema_of_the_chart(folder: Path) -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": {"replicas": {"$ref": "#/$defs/count"}},
        "$defs": {"count": {"type": "integer"}},
    }
    write(folder, {**CHART, "chart/values.schema.json": json.dumps(schema), "v.yaml": "replicas: many\n"})
    with pytest.raises(ToolError) as caught:
        render_manifests(Kubernetes(namespace="n", chart="chart", values=["v.yaml"]), "pump", folder, Shell())
    assert "replicas" in caught.value.why


def test_a_comma_in_the_name_of_values_names_no_second_file(folder: Path, listener: Listener) -> None:
    secret = folder / "secret.yaml"
    secret.write_text("users: KUBECONFIG-TOKEN\n")
    device = folder / "device"
    write(device, {**CHART, "v.yaml": "a: 1\n"})
    for second in (str(secret), f"{listener.url}/v.yaml"):
        name = f"v.yaml,{second}"
        settings = Kubernetes(namespace="n", chart="chart", values=[name])
        with pytest.raises(SourceError, match="does not exist"):
            render_manifests(settings, "pump", device, Shell())
        write(device, {name: "own: yes\n"})
        found = render_manifests(settings, "pump", device, Shell())
        assert "own" in found[0].data["data"]["v"]
        assert "TOKEN" not in found[0].data["data"]["v"]


def test_a_chart_does_not_see_the_environment_or_a_cluster(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(folder / "kubeconfig"))
    monkeypatch.setenv("HELM_PLUGINS", str(folder / "plugins"))
    monkeypatch.setenv("HELM_DEBUG", "true")
    monkeypatch.setenv("SECRET", "4711")
    files = {
        **CHART,
        "chart/templates/d.yaml": (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n"
            'data: {l: {{ lookup "v1" "Secret" "kube-system" "" | toJson | quote }}, '
            'h: {{ getHostByName "localhost" | quote }}, g: {{ .Files.Glob "/etc/*" | len | quote }}}\n'
        ),
        "side/limits.yaml": "spo2: 90\n",
    }
    write(folder, files)
    (folder / "chart" / "files").symlink_to("../side")
    (folder / "side" / "x.yaml").symlink_to("limits.yaml")
    found = render_manifests(Kubernetes(namespace="n", chart="chart"), "pump", folder, Shell())
    data = {each.data["metadata"]["name"]: each.data["data"] for each in found}
    assert data["other"] == {"l": "{}", "h": "", "g": "0"}
    assert data["x"]["f"] == "spo2: 90\n"


def test_kustomize_fetches_nothing_whatever_the_spelling(folder: Path, listener: Listener) -> None:
    write(folder, {"github.com/a/b/kustomization.yaml": "resources: []\n"})
    for line in (
        f"resources: ['{listener.url}/r.yaml']",
        f"Resources: ['{listener.url}/r.yaml']",
        f"patchesStrategicMerge: ['{listener.url}/a: b']",
        f'patchesStrategicMerge: ["{listener.url}/a: b\\n"]',
        f"configurations: ['{listener.url}/c.yaml']",
        f"OpenAPI: {{path: '{listener.url}/c.yaml'}}",
        f"ConfigMapGenerator: [{{name: x, files: ['{listener.url}/c.yaml']}}]",
        "resources: ['../github.com/a/b', 'github.com/a/b']",
    ):
        write(folder, {"k/kustomization.yaml": line + "\n"})
        with pytest.raises((ConfigError, ToolError)):
            render_manifests(Kubernetes(namespace="n", kustomization="k"), "pump", folder, Shell())


def test_a_kustomization_reads_no_file_outside_its_folder(folder: Path) -> None:
    write(folder, {"deploy/kustomization.yaml": "resources: [../app.yaml]\n", "app.yaml": DEPLOYMENT})
    with pytest.raises(ToolError, match="exit code"):
        render_manifests(Kubernetes(namespace="n", kustomization="deploy"), "pump", folder, Shell())


HOOK = "apiVersion: v1\nkind: Pod\nmetadata: {name: NAME, annotations: {helm.sh/hook: 'EVENTS'}}\n"


def make_hook(name: str, events: str) -> str:
    return HOOK.replace("NAME", name).replace("EVENTS", events)


def test_a_chart_s_hooks_are_refused_by_name_unless_no_deployment_runs_them(folder: Path) -> None:
    files = {
        "chart/Chart.yaml": "apiVersion: v2\nname: pump\nversion: 1.0.0\n",
        "chart/templates/app.yaml": DEPLOYMENT,
        "chart/templates/test.yaml": make_hook("try", "test"),
        "chart/templates/end.yaml": make_hook("end", "pre-delete, post-delete"),
    }
    write(folder, files)
    settings = Kubernetes(namespace="n", chart="chart")
    assert [each.title for each in render_manifests(settings, "pump", folder, Shell())] == [
        "Deployment/gateway"
    ]
    write(folder, {"chart/templates/migrate.yaml": make_hook("migrate", "pre-install,pre-upgrade")})
    with pytest.raises(ConfigError, match=r"hooks: Pod/migrate \(pre-install, pre-upgrade\)$"):
        render_manifests(settings, "pump", folder, Shell())


def test_what_a_chart_defines_for_the_cluster_is_not_left_out(folder: Path) -> None:
    write(
        folder,
        {
            "chart/Chart.yaml": "apiVersion: v2\nname: pump\nversion: 1.0.0\n",
            "chart/crds/x.yaml": (
                "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\n"
            ),
        },
    )
    found = render_manifests(Kubernetes(namespace="n", chart="chart"), "pump", folder, Shell())
    assert [each.title for each in found] == ["CustomResourceDefinition/x"]


def test_a_chart_is_rendered_with_its_values(folder: Path) -> None:
    write(
        folder,
        {
            "chart/Chart.yaml": "apiVersion: v2\nname: pump\nversion: 1.0.0\n",
            "chart/values.yaml": "replicas: 1\n",
            "chart/templates/app.yaml": DEPLOYMENT.replace("replicas: 1", "replicas: {{ .Values.replicas }}"),
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
