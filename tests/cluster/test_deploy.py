"""Successful deployments: rolled out by digest, upgraded, reported, skipped, and with a killed pod."""

from __future__ import annotations

import time

import pytest

from cluster.clinics import GOOD, NAME, NEXT, Clinic
from worker_results import report

pytestmark = pytest.mark.xdist_group("cluster-released")


def test_three_replicas_run_the_digest_and_an_upgrade_replaces_them(clinic: Clinic) -> None:
    first = clinic.deploy(GOOD)
    assert first.code == 0, first.err
    assert clinic.digests_in_pods() == [clinic.digests[GOOD]] * 3
    assert "+ Deployment/app" in first.err
    policies = [each["metadata"]["name"] for each in clinic.get("networkpolicies")]
    assert f"autoclave.{NAME}.demo.default-deny" in policies
    again = clinic.deploy(GOOD)
    assert again.code == 0, again.err
    assert "skipped" in again.err
    began = time.monotonic()
    upgraded = clinic.deploy(NEXT)
    assert upgraded.code == 0, upgraded.err
    assert "~ Deployment/app" in upgraded.err
    assert f"{clinic.digests[GOOD][:19]}… →" in upgraded.err
    assert clinic.digests_in_pods() == [clinic.digests[NEXT]] * 3
    report(
        f"kubernetes: upgraded 3 pods in {time.monotonic() - began:.1f} s; "
        f"read back {clinic.digests[NEXT][:19]}… from {len(clinic.digests_in_pods())} pods"
    )
    status = clinic.autoclave("status", "demo")
    assert f"demo: app {clinic.digests[NEXT]} healthy, verifies (3 pods)" in status.out
