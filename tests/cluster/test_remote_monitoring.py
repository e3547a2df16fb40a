"""The sample with a database, in the cluster: it comes up, and what was stored outlives upgrades and pods."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builders.devices import ROOT, CommandResult, Repository, own_name
from builders.flow import device, wait_until
from cluster.cluster import Cluster

pytestmark = pytest.mark.xdist_group("cluster")

SAMPLE = ROOT / "examples" / "remote-monitoring"
NAME = own_name("t-monitoring")
PATH = "http://127.0.0.1:8080/fhir/Observation"
READING = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "59408-5"}]},
    "subject": {"reference": "Patient/p-42"},
    "effectiveDateTime": "2026-03-01T12:00:00Z",
    "valueQuantity": {"value": 97, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
    "device": {"identifier": {"value": "OX-000123"}},
}
SHOWN = ("RM-009", "RM-010", "RM-012")
ASK = """\
import sys, urllib.request
body = sys.argv[2].encode() if sys.argv[2:] else None
print(urllib.request.urlopen(sys.argv[1], body, timeout=10).read().decode())
"""


@pytest.fixture
def clinic(cluster: Cluster, namespace: str, registry: str, tmp_path: Path) -> Iterator[Repository]:
    """The sample, for this namespace: what the cluster's administrator makes beforehand is there."""
    with device(SAMPLE, tmp_path, name="t-monitoring") as repository:
        repository.more |= {**cluster.environment, "AUTOCLAVE_STORE": f"oci://{registry}/{NAME}"}
        repository.edit("autoclave.toml", 'name = "clinic"', 'name = "staging"')
        repository.edit(
            "autoclave.toml", 'namespace = "remote-monitoring"', f'namespace = "{namespace}"\ntimeout = 150'
        )
        # What the pipeline says of the sample is another test's business, and takes most of the time: here
        # stay the tests of one file, and the requirements that it shows.
        repository.edit("autoclave.toml", '"/autoclave/tests",', '"/autoclave/tests/test_operation.py",')
        repository.edit("autoclave.toml", "unit-test = { arbitrary-user = true }", "")
        table = repository.folder / "requirements.csv"
        header, *rows = table.read_text("utf-8").splitlines(keepends=True)
        shown = [row for row in rows if row.startswith(SHOWN)]
        table.write_text(header + "".join(shown), "utf-8")
        for image in ("backend", "database"):
            repository.edit(f"deploy/{image}.yaml", f"remote-monitoring/{image}", f"{NAME}/{image}")
        repository.commit()
        cluster.kubectl(
            "-n", namespace, "create", "secret", "generic", "database", "--from-literal=password=of-the-test"
        )
        cluster.volume(f"{namespace}-data", "1Gi", owner=10002)
        yield repository


def release_images(repository: Repository) -> dict[str, str]:
    """Run everything up to the release signatures; return the digest of each image."""
    done = good(repository.run("run", "--to", "sign"))
    return dict(line.split() for line in done.out.splitlines())


def good(done: CommandResult) -> CommandResult:
    assert done.code == 0, done.err
    return done


def request_inside(cluster: Cluster, namespace: str, *words: str) -> Any:
    """What the back end answers to a client in one of its pods."""
    argv = ["exec", "-n", namespace, "deployment/backend", "--", "python", "-c", ASK, *words]
    return json.loads(cluster.kubectl(*argv))


def is_known(cluster: Cluster, namespace: str) -> bool:
    """Tell whether the reading can be searched for."""
    found = request_inside(cluster, namespace, f"{PATH}?patient=p-42")
    return bool(found["total"] == 1 and found["entry"][0]["resource"]["valueQuantity"]["value"] == 97)


def digests_running(cluster: Cluster, namespace: str) -> set[str]:
    """The digests that the pods report, not those that were asked for."""
    shown = cluster.kubectl("-n", namespace, "get", "pods", "-o", "json")
    staying = [each for each in json.loads(shown)["items"] if "deletionTimestamp" not in each["metadata"]]
    statuses = [each["status"]["containerStatuses"] for each in staying]
    return {status["imageID"].rpartition("@")[2] for pod in statuses for status in pod}


def is_ready(cluster: Cluster, namespace: str, pod: str) -> bool:
    """Tell whether a pod is there and ready."""
    path = '-o=jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    return cluster.try_kubectl("-n", namespace, "get", "pod", pod, path).stdout == "True"


def test_a_reading_outlives_an_upgrade_and_its_databases_pod(
    cluster: Cluster, namespace: str, clinic: Repository
) -> None:
    first = release_images(clinic)
    good(clinic.run("deploy", "staging"))
    assert digests_running(cluster, namespace) == set(first.values())
    assert request_inside(cluster, namespace, PATH, json.dumps(READING))["id"]
    assert is_known(cluster, namespace)
    claim = cluster.kubectl("-n", namespace, "get", "pvc", "data-database-0", "-o=jsonpath={.metadata.uid}")

    clinic.edit("autoclave.toml", 'version = "1.0.0"', 'version = "1.0.1"')
    clinic.commit()
    second = release_images(clinic)
    assert set(second.values()).isdisjoint(first.values())
    good(clinic.run("deploy", "staging"))
    assert digests_running(cluster, namespace) == set(second.values())
    assert is_known(cluster, namespace)

    cluster.kubectl("-n", namespace, "delete", "pod", "database-0", "--timeout=60s")
    wait_until("the database is back", lambda: is_ready(cluster, namespace, "database-0"))
    assert is_known(cluster, namespace)
    kept = cluster.kubectl("-n", namespace, "get", "pvc", "data-database-0", "-o=jsonpath={.metadata.uid}")
    assert kept == claim
