"""Volumes made of an image are images too: the device's own are pinned, others reported."""

from __future__ import annotations

from autoclave.targets.kubernetes.images import find_unpinned, pin
from autoclave.targets.kubernetes.manifests import Manifest, read

DIGEST = "sha256:" + "a" * 64
OURS = f"registry.example/pump/app@{DIGEST}"


def workload(reference: str) -> list[Manifest]:
    return read(
        f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: gateway}}
spec:
  template:
    spec:
      containers: [{{name: app, image: "old.example/pump/app:1"}}]
      volumes:
        - {{name: scratch, emptyDir: {{}}}}
        - {{name: model, image: {{reference: "{reference}"}}}}
""",
        "gateway.yaml",
    )


def test_a_volume_of_the_device_s_image_is_pinned() -> None:
    pinned, others = pin(workload("pump/app:latest"), "pump", {"app": OURS})
    volumes = pinned[0].data["spec"]["template"]["spec"]["volumes"]
    assert volumes[1]["image"]["reference"] == OURS
    assert not others


def test_a_volume_of_another_s_image_needs_a_digest_as_a_container_does() -> None:
    _, others = pin(workload("elsewhere.example/model:latest"), "pump", {"app": OURS})
    assert others == {"elsewhere.example/model:latest": "Deployment/gateway: volume model"}
    assert find_unpinned(others) == [
        "Deployment/gateway: volume model runs 'elsewhere.example/model:latest', which no digest pins"
    ]


def test_a_volume_of_an_image_without_a_reference_names_no_image() -> None:
    _, others = pin(workload(""), "pump", {"app": OURS})
    assert find_unpinned(others) == ["Deployment/gateway: volume model names no image"]


def test_a_reference_with_a_line_end_behind_its_digest_is_not_pinned() -> None:
    assert find_unpinned({f"elsewhere.example/model@{DIGEST}\n": "here"})
