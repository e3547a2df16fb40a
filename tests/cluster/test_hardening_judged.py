"""An independent judge of the hardening checks: Kubernetes' own Pod Security admission."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from autoclave.gates.hardening import objects
from cluster.cluster import Cluster

pytestmark = pytest.mark.xdist_group("cluster")

FOLDER = Path(__file__).parents[1] / "fixtures" / "manifests"
OURS = {
    # Not part of the standard "restricted": demands of our own.
    "AK-ARGUMENTS", "AK-COMMAND", "AK-LIVENESS", "AK-LOADER", "AK-PROGRAM-MOUNT", "AK-READINESS",
    "AK-READ-ONLY-ROOT", "AK-RESOURCES", "AK-SERVICE-TOKEN", "AK-UNKNOWN-WORKLOAD", "AK-WINDOWS",
}  # fmt: skip
OBJECTS = {each.id for each in objects.CHECKS}
RESTRICTED = sorted(path.stem for path in FOLDER.glob("AK-*.yaml") if path.stem not in OURS | OBJECTS)


@pytest.fixture(scope="module")
def restricted(cluster: Cluster) -> Iterator[str]:
    """A namespace that enforces the standard."""
    cluster.kubectl("create", "namespace", "restricted")
    enforced = "pod-security.kubernetes.io/enforce"
    cluster.kubectl("label", "ns", "restricted", f"{enforced}=restricted", f"{enforced}-version=v1.34")
    # A pod is refused before its standard is judged while its service account is not there yet.
    cluster.wait(
        "the service account",
        30,
        lambda: not cluster.try_kubectl("get", "sa", "default", "-nrestricted").returncode,
    )
    yield "restricted"
    cluster.kubectl("delete", "namespace", "restricted", "--wait=false")


def try_pod(cluster: Cluster, namespace: str, name: str) -> tuple[int, str]:
    """Ask the API server for the pod that a manifest's workload would start."""
    workload: Any = YAML(typ="safe").load((FOLDER / f"{name}.yaml").read_text())
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name.lower()},
        "spec": workload["spec"]["template"]["spec"],
    }
    done = cluster.try_kubectl("apply", "--dry-run=server", "-n", namespace, "-f-", stdin=json.dumps(pod))
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", RESTRICTED)
def test_the_standard_refuses_what_a_check_refuses(cluster: Cluster, restricted: str, name: str) -> None:
    code, said = try_pod(cluster, restricted, name)
    assert code != 0, said
    assert 'violates PodSecurity "restricted:v1.34"' in said


@pytest.mark.parametrize("name", ["good", *sorted(OURS - {"AK-UNKNOWN-WORKLOAD", "AK-WINDOWS"})])
def test_the_standard_admits_the_rest(cluster: Cluster, restricted: str, name: str) -> None:
    code, said = try_pod(cluster, restricted, name)
    assert code == 0, said
