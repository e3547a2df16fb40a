"""Rollback: to what ran before, judged today, with a reason and a record; and what the API server lets in."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.clinics import GOOD, NAME, NEXT, UNHEALTHY, Clinic
from cluster.cluster import Cluster
from worker_results import report

pytestmark = pytest.mark.xdist_group("cluster-released")

WHY = "alarms come late since 1.1.0"


def test_a_rollback_restores_the_previous_digest_and_records_why(clinic: Clinic) -> None:
    assert clinic.deploy(GOOD).code == 0
    nothing = clinic.autoclave("rollback", "demo", "--reason", WHY)
    assert nothing.code == 52, nothing.err
    assert clinic.deploy(NEXT).code == 0
    assert clinic.autoclave("rollback", "demo").code == 2
    began = time.monotonic()
    back = clinic.autoclave("rollback", "demo", "--reason", WHY)
    assert back.code == 0, back.err
    took = time.monotonic() - began
    assert clinic.digests_in_pods() == [clinic.digests[GOOD]] * 3
    assert f"app {clinic.digests[GOOD]}" in back.out
    shown = clinic.autoclave("show", clinic.digests[GOOD], "deployment")
    assert WHY in shown.out
    assert clinic.digests[NEXT] in shown.out
    report(f"kubernetes: rolled back in {took:.1f} s; 3 pods run {clinic.digests[GOOD][:19]}…")
    named = clinic.autoclave("rollback", "demo", "--to", clinic.digests[NEXT], "--reason", "it was not that")
    assert named.code == 0, named.err
    assert clinic.digests_in_pods() == [clinic.digests[NEXT]] * 3
    never = clinic.autoclave("rollback", "demo", "--to", clinic.digests[UNHEALTHY], "--reason", WHY)
    assert never.code == 52, never.err
    assert "never ran in demo" in never.message


def test_a_rollback_is_judged_by_the_policy_of_today(clinic: Clinic, tmp_path: Path) -> None:
    assert clinic.deploy(GOOD).code == 0
    assert clinic.deploy(NEXT).code == 0
    stricter = tmp_path / "organisation.toml"
    stricter.write_text("[unit-test]\nmin-passed = 1000\n", "utf-8")
    refused = clinic.autoclave("rollback", "demo", "--reason", WHY, "--policy", str(stricter))
    assert refused.code == 25, refused.err
    assert clinic.digests_in_pods() == [clinic.digests[NEXT]] * 3


@pytest.fixture
def guarded(clinic: Clinic, cluster: Cluster) -> Iterator[str]:
    """The clinic's namespace with the exported policy in force."""
    assert clinic.deploy(GOOD).code == 0
    exported = clinic.autoclave("policy", "export", "--kubernetes", "demo")
    assert exported.code == 0, exported.err
    cluster.kubectl("apply", "--server-side", "-f-", stdin=exported.out)
    yield exported.out
    cluster.kubectl("delete", "-f-", stdin=exported.out)


def test_the_exported_policy_lets_releases_in_and_nothing_else(
    clinic: Clinic, cluster: Cluster, guarded: str
) -> None:
    assert clinic.digests[GOOD] in guarded
    pod = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "stranger"},
            "spec": {"containers": [{"name": "stranger", "image": f"nginx@sha256:{'0' * 64}"}]},
        }
    )
    words = ("apply", "--dry-run=server", "-n", clinic.namespace, "-f-")
    cluster.wait("the policy", 30, lambda: cluster.try_kubectl(*words, stdin=pod).returncode != 0)
    said = cluster.try_kubectl(*words, stdin=pod).stderr
    assert f"is not a verified release of {NAME}" in said
    again = clinic.deploy(GOOD, "--again")
    assert again.code == 0, again.err
    report(f"kubernetes: admission: {said.strip().splitlines()[-1][:160]}…")
