"""The sample's manifests: confined pods, images of the device alone, no secret, only the declared flows."""

from __future__ import annotations

from autoclave.device.device_file import load
from autoclave.gates import hardening
from autoclave.targets.kubernetes import images, manifests, network
from autoclave.targets.kubernetes.pods import containers, pod_spec
from builders.devices import ROOT

SAMPLE = ROOT / "examples" / "remote-monitoring"
DEVICE = load(SAMPLE)
NAMES = [image.name for image in DEVICE.image]
MANIFESTS = manifests.read_files(SAMPLE, ["deploy"])


def test_every_pod_is_confined() -> None:
    specs = [(each, pod_spec(each)) for each in MANIFESTS]
    pods = [hardening.Pod(each.title, each.kind, spec) for each, spec in specs if spec is not None]
    assert sorted(pod.title for pod in pods) == ["Deployment/backend", "StatefulSet/database"]
    assert hardening.findings(pods) == ()


def test_every_image_is_the_devices() -> None:
    references = {name: f"registry.example/remote-monitoring/{name}@sha256:{'1' * 64}" for name in NAMES}
    pinned, others = images.pin(MANIFESTS, DEVICE.device.name, references)
    assert others == {}
    assert {each.image for each in containers(pinned)} == set(references.values())


def test_the_password_is_not_in_the_repository() -> None:
    assert "Secret" not in {each.kind for each in MANIFESTS}
    variables = [each for container in containers(MANIFESTS) for each in container.data["env"]]
    assert all("value" not in each for each in variables if each["name"] == "DATABASE_PASSWORD")


def test_the_declared_flows_are_all_that_is_open() -> None:
    made = network.make_policies(DEVICE.flow, NAMES, device=DEVICE.device.name, environment="clinic")
    assert network.has_default_deny([each.data for each in made])
    opened = {each.name.rpartition("-")[0].rpartition(".")[2] for each in made} - {"default"}
    assert opened == {
        "in-backend-database",
        "out-backend-database",
        "in-outside-backend",
        "out-backend-dns",
    }
