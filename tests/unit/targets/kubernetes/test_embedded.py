"""Templates of workloads as text in a ConfigMap: found, and ordinary configuration is not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from autoclave.targets.kubernetes.manifests import read
from autoclave.targets.kubernetes.workloads import find_pods

POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: a\n    image: evil:latest\n"
BAD: dict[str, dict[str, Any]] = {
    "yaml": {"data": {"pod.yaml": POD}},
    "json": {"data": {"pod.json": json.dumps({"spec": {"containers": [{"name": "a", "image": "x"}]}})}},
    "go template": {"data": {"pod.tpl": "{{ if .x }}\n" + POD + "{{ end }}\n"}},
    "go template of json": {"data": {"a": '{{ x }}{"spec": {"containers": [{"image": "x"}]}}'}},
    "other kind": {"data": {"a": "apiVersion: tekton.dev/v1\nkind: Task\nspec: {steps: [{image: x}]}\n"}},
    "second document": {"data": {"a": f"a: 1\n---\n{POD}"}},
    "text in text": {"data": {"a": json.dumps({"template": POD})}},
    "binary": {"binaryData": {"a": base64.b64encode(POD.encode()).decode()}},
    "annotation": {"metadata": {"name": "x", "annotations": {"example.org/template": POD}}},
    "escaped": {"data": {"a": '{"spec": {"c\\u006fntainers": [{"name": "a", "im\\u0061ge": "x"}]}}'}},
    "huge": {"data": {"a": POD + "# x\n" * 100_000}},
}
GOOD: dict[str, dict[str, Any]] = {
    "settings": {"data": {"app.toml": 'image = "logo.png"\ncontainers = 3\n'}},
    "prose": {"data": {"README": "Our containers have one image each.\napiVersion matters.\n"}},
    "nginx": {"data": {"nginx.conf": "location /image { root /srv; }\n"}},
    "page": {"data": {"index.html": "<img src='image.png'>"}},
    "kubelet": {
        "data": {"a": "apiVersion: kubelet.config.k8s.io/v1\nkind: KubeletConfiguration\nmaxPods: 5\n"}
    },
    "applied by kubectl": {
        "metadata": {"name": "x", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": POD}}
    },
    "binary": {"binaryData": {"a": "AAECAw==", "b": "no base64"}},
    "odd": {"data": ["a"], "binaryData": "x"},
}


def is_unread(parts: dict[str, Any]) -> bool:
    whole = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}} | parts
    return find_pods(read(json.dumps(whole), "x.yaml"))[1] == ["ConfigMap/x"]


@pytest.mark.parametrize("parts", BAD.values(), ids=BAD)
def test_a_template_in_a_config_map_is_found(parts: dict[str, Any]) -> None:
    assert is_unread(parts)


@pytest.mark.parametrize("parts", GOOD.values(), ids=GOOD)
def test_configuration_is_not_taken_for_a_template(parts: dict[str, Any]) -> None:
    assert not is_unread(parts)


def test_a_template_in_an_annotation_of_a_workload_is_found() -> None:
    whole: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a"}]}}
    whole["metadata"] = {"name": "x", "annotations": {"example.org/template": POD}}
    assert find_pods(read(json.dumps(whole), "x.yaml"))[1] == ["Pod/x"]
