"""A bundle is deployed to a cluster from a folder with nothing in it, in a network with no way out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builders.devices import CommandResult
from builders.flow import wait_until
from cluster import loopback
from cluster.clinics import GOOD, Clinic

pytestmark = pytest.mark.xdist_group("cluster-released")


@contextmanager
def island(clinic: Clinic, folder: Path) -> Iterator[list[str]]:
    """A network of its own without a route, in which 127.0.0.1:6443 is the API server; yield the way in."""
    words = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec sleep 300"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        try:
            with loopback.forward(process.pid, 6443, clinic.cluster.inside.address):
                text = clinic.cluster.kubeconfig.read_text("utf-8")
                (folder / "kubeconfig").write_text(
                    text.replace(clinic.cluster.server, "https://127.0.0.1:6443"), "utf-8"
                )
                yield ["nsenter", "--net", "--target", str(process.pid)]
        finally:
            process.kill()


def test_a_bundle_is_deployed_to_a_cluster_where_there_is_no_network(clinic: Clinic, tmp_path: Path) -> None:
    registry = clinic.released.store.removeprefix("oci://")
    clinic.repository.edit("autoclave.toml", "timeout = 60", f'timeout = 60\nrepository = "{registry}"')
    release, bundle = clinic.sign(GOOD), tmp_path / "b.tar"
    exported = clinic.autoclave("export", "-o", str(bundle), "--release", release)
    assert exported.code == 0, exported.err
    site = tmp_path / "site"
    site.mkdir()
    with island(clinic, tmp_path) as inside:

        def run(*words: str) -> CommandResult:
            argv = [*inside, sys.executable, "-m", "autoclave", *words, *clinic.released.keys[:2]]
            environment = {**clinic.repository.environment, "KUBECONFIG": str(tmp_path / "kubeconfig")}
            done = subprocess.run(
                argv, cwd=site, env=environment, capture_output=True, text=True, check=False, timeout=200
            )
            return CommandResult(done.returncode, done.stdout, done.stderr)

        reach = f"import socket; socket.create_connection(('{clinic.cluster.inside.address}', 6443), 2)"
        outside = subprocess.run(
            [*inside, sys.executable, "-c", reach], capture_output=True, text=True, check=False
        )
        assert "Network is unreachable" in outside.stderr
        imported = run("import", str(bundle))
        assert imported.code == 0, imported.err
        assert f"release {release}" in imported.out
        done = run("deploy", "demo", "--release", release, *clinic.released.keys[2:4])
        assert done.code == 0, done.err
    assert [each.name for each in site.iterdir()] == [".autoclave"]
    wait_until("three pods", lambda: clinic.digests_in_pods() == [clinic.digests[GOOD]] * 3, seconds=30)
