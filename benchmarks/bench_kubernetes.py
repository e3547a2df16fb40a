"""Upgrade three replicas in a real cluster: `autoclave deploy` against kubectl, paired.

    eval "$(setup/exports.sh)"; python benchmarks/bench_kubernetes.py [-n 5]

Ours verifies signature, records and policy, judges the pods, takes the lock, tries and shows the difference,
applies, watches, reads the digests back from the pods and records it. The peer is `kubectl apply` and
`kubectl rollout status` on the same objects, pinned to the same digests. Both go back and forth between two
versions, each in a namespace of its own, one after the other, first one first in every other round; the first
round, which pulls the images, does not count. Prints medians and the ratio (ours / theirs).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from builders.registries import serve_with_referrers  # noqa: E402
from cluster import clinics  # noqa: E402
from cluster.clinics import DEPLOYMENT, GOOD, NEXT, SERVICE, Clinic  # noqa: E402
from cluster.cluster import Cluster, start  # noqa: E402


def ours(clinic: Clinic, version: str) -> float:
    """Deploy a version; return the seconds."""
    began = time.perf_counter()
    done = clinic.deploy(version)
    assert done.code == 0, done.err
    return time.perf_counter() - began


def theirs(cluster: Cluster, clinic: Clinic, version: str) -> float:
    """Apply the same objects with kubectl and wait; return the seconds."""
    repository = clinic.released.store.partition("://")[2]
    image = f"{repository}@{clinic.digests[version]}"
    objects = DEPLOYMENT.replace("registry.example/t-clinic/app:1.0.0", image) + "---\n" + SERVICE
    kubectl = [cluster.kubectl_path, f"--kubeconfig={cluster.kubeconfig}", "--namespace=theirs"]
    began = time.perf_counter()
    subprocess.run([*kubectl, "apply", "-f-"], input=objects.encode(), check=True, capture_output=True)
    subprocess.run([*kubectl, "rollout", "status", "deployment/app"], check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("-n", type=int, default=5, help="rounds that count")
    rounds = words.parse_args().n
    with tempfile.TemporaryDirectory() as folder, start() as cluster:
        place = Path(folder)
        (place / "registry").mkdir()
        with serve_with_referrers(place / "registry") as registry:
            cluster.reach(int(registry.rpartition(":")[2]))
            for name in ("ours", "theirs"):
                cluster.kubectl("create", "namespace", name)
            made = clinics.release_versions(registry, place / "made", (GOOD, NEXT))
            (place / "copy").mkdir()
            clinic = clinics.make_clinic(made, cluster, "ours", place / "copy", timeout=120)
            measure(cluster, clinic, rounds)


def measure(cluster: Cluster, clinic: Clinic, rounds: int) -> None:
    """Upgrade back and forth, and print what it took."""
    times: dict[str, list[float]] = {"autoclave deploy": [], "kubectl": []}
    for number in range(-2, rounds):
        version = (GOOD, NEXT)[number % 2]
        pair = [
            ("autoclave deploy", lambda version=version: ours(clinic, version)),
            ("kubectl", lambda version=version: theirs(cluster, clinic, version)),
        ]
        for name, call in pair if number % 2 else pair[::-1]:
            took = call()
            if number >= 0:
                times[name].append(took)
    for name, each in times.items():
        print(f"{name}: median {statistics.median(each):.2f} s of {[round(one, 2) for one in each]}")
    ratios = [one / other for one, other in zip(*times.values(), strict=True)]
    print(f"ratio, median of {rounds} pairs: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
