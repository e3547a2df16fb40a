"""The pulse oximeter in a cluster, as its README says: three replicas, an upgrade, and back again."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.devices import SAMPLE, CommandResult, Repository, own_name
from builders.flow import device
from cluster.cluster import Cluster
from worker_results import report

pytestmark = pytest.mark.xdist_group("cluster")

NAME = own_name("t-sample")
SHOWN = ("SRS-011", "SRS-014")
README = (SAMPLE / "README.md").read_text("utf-8")
READING = {
    "device": "OX-000123",
    "patient": "p-42",
    "spo2": 97,
    "pulse": 72,
    "taken": "2026-03-01T12:00:00+01:00",
}
POST = """\
import sys, urllib.request
url, json = "http://127.0.0.1:8080/readings", {"Content-Type": "application/json"}
urllib.request.urlopen(urllib.request.Request(url, sys.argv[1].encode(), json), timeout=10)
"""
SEARCH = """\
import urllib.request
url = "http://127.0.0.1:8080/fhir/Observation?patient=p-42&code=59408-5"
print(urllib.request.urlopen(url, timeout=10).read().decode())
"""


@pytest.fixture
def sample(cluster: Cluster, namespace: str, registry: str, tmp_path: Path) -> Iterator[Repository]:
    """The sample with what its README says of a cluster, for this namespace."""
    found = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert found
    place = found[1].replace('"pulse-oximeter"', f'"{namespace}"').replace('"clinic"', '"staging"')
    with device(SAMPLE, tmp_path, name="t-sample") as repository:
        repository.more |= {**cluster.environment, "AUTOCLAVE_STORE": f"oci://{registry}/{NAME}"}
        repository.edit(
            "autoclave.toml",
            '[[environment]]\nname = "staging"\npublish',
            '[[environment]]\nname = "test"\npublish',
        )
        with (repository.folder / "autoclave.toml").open("a", encoding="utf-8") as file:
            file.write(f"\n{place}")
        # What the pipeline says of the sample is another test's business, and takes most of the time: here
        # stay the tests of one file, and the requirements that it shows.
        repository.edit("autoclave.toml", '"/autoclave/tests",', '"/autoclave/tests/test_operation.py",')
        table = repository.folder / "requirements.csv"
        header, *rows = table.read_text("utf-8").splitlines(keepends=True)
        table.write_text(header + "".join(row for row in rows if row.startswith(SHOWN)), "utf-8")
        repository.edit("k8s/deployment.yaml", "pulse-oximeter/gateway", f"{NAME}/gateway")
        repository.commit()
        cluster.volume(f"{namespace}-readings", "5Gi")
        yield repository


def good(done: CommandResult) -> CommandResult:
    assert done.code == 0, done.err
    return done


def release_image(repository: Repository) -> str:
    """Bring the commit up to its release signature; return the digest."""
    return good(repository.run("run", "--to", "sign")).out.split()[-1]


def digests_in_pods(cluster: Cluster, namespace: str) -> list[str]:
    """The digests that the pods report, not those that were asked for."""
    pods = json.loads(cluster.kubectl("-n", namespace, "get", "pods", "-o", "json"))["items"]
    staying = [each for each in pods if "deletionTimestamp" not in each["metadata"]]
    return [each["status"]["containerStatuses"][0]["imageID"].rpartition("@")[2] for each in staying]


def inside(cluster: Cluster, namespace: str, script: str, *words: str) -> str:
    """What a script in one of the pods prints."""
    return cluster.kubectl(
        "exec", "-n", namespace, "deployment/pulse-oximeter", "--", "python", "-c", script, *words
    )


def test_three_replicas_are_rolled_out_upgraded_and_rolled_back(
    cluster: Cluster, namespace: str, sample: Repository
) -> None:
    first = release_image(sample)
    good(sample.run("deploy", "staging"))
    assert digests_in_pods(cluster, namespace) == [first] * 3
    inside(cluster, namespace, POST, json.dumps(READING))
    sample.edit("autoclave.toml", 'version = "1.4.0"', 'version = "1.4.1"')
    sample.commit()
    second = release_image(sample)
    began = time.monotonic()
    good(sample.run("deploy", "staging"))
    took = time.monotonic() - began
    assert digests_in_pods(cluster, namespace) == [second] * 3
    status = good(sample.run("status", "staging"))
    assert f"{second} healthy, verifies" in status.out
    began = time.monotonic()
    good(sample.run("rollback", "staging", "--reason", "alarms come late since 1.4.1"))
    assert digests_in_pods(cluster, namespace) == [first] * 3
    assert json.loads(inside(cluster, namespace, SEARCH))["total"] == 1
    report(
        f"kubernetes: sample, 3 replicas: upgraded to {second[:19]}… in {took:.1f} s, back at {first[:19]}… "
        f"in {time.monotonic() - began:.1f} s, its reading still there"
    )
