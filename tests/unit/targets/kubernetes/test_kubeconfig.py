"""Which cluster kubectl talks to, out of all kubeconfig files together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autoclave.errors import ConfigError
from autoclave.targets.kubernetes.kubeconfig import Cluster, find_cluster

POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


def view(current: str = "lab", **cluster: str) -> dict[str, Any]:
    return {
        "current-context": current,
        "contexts": [
            {"name": "lab", "context": {"cluster": "a", "user": "u"}},
            {"name": "clinic", "context": {"cluster": "b", "user": "u"}},
            {"name": "torn", "context": {"cluster": "none"}},
        ],
        "clusters": [
            {"name": "a", "cluster": {"server": "https://127.0.0.1:6443"} | cluster},
            {"name": "b", "cluster": {"server": "https://Clinic.example:6443/"}},
        ],
        "users": None,
    }


def test_the_context_that_is_used_decides_whatever_it_is_called(tmp_path: Path) -> None:
    assert find_cluster(view(), "", {}) == Cluster("lab", "https://127.0.0.1:6443")
    assert find_cluster(view(), "clinic", {}) == Cluster("clinic", "https://clinic.example:6443")
    assert find_cluster(view("clinic"), "", POD, tmp_path).address == "https://clinic.example:6443"


def test_a_proxy_is_part_of_the_address() -> None:
    found = find_cluster(view(**{"proxy-url": "http://me:secret@proxy:3128"}), "", {})
    assert found.address == "https://127.0.0.1:6443?proxy=http://proxy:3128"


@pytest.mark.parametrize(
    ("config", "context", "says"),
    [
        (view(""), "", "has no current context"),
        (view(), "ward", "has no context 'ward'"),
        (view("ward"), "", "has no context 'ward'"),
        (view(), "torn", "names no API server for the context 'torn'"),
        ({}, "", "there is no kubeconfig"),
        ({}, "lab", "has no context 'lab'"),
    ],
)
def test_what_is_not_known_is_refused(
    config: dict[str, Any], context: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="not known which cluster") as caught:
        find_cluster(config, context, {}, tmp_path)
    assert says in caught.value.why


def test_a_pod_s_own_cluster_is_named_by_its_authority(tmp_path: Path) -> None:
    """The address of the service is the same in most clusters: it tells none from another."""
    with pytest.raises(ConfigError):
        find_cluster({}, "", POD, tmp_path)
    (tmp_path / "token").write_text("t")
    with pytest.raises(ConfigError, match="not known") as caught:
        find_cluster({}, "", POD, tmp_path)
    assert "ca.crt cannot be read" in caught.value.why
    (tmp_path / "ca.crt").write_text("one")
    one = find_cluster({}, "", POD, tmp_path)
    (tmp_path / "ca.crt").write_text("two")
    two = find_cluster({}, "", POD, tmp_path)
    assert one.context == two.context == ""
    assert one.address.startswith("in-cluster:")
    assert one.address != two.address
    with pytest.raises(ConfigError):
        find_cluster({}, "", {}, tmp_path)
