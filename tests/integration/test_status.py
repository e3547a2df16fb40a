"""`autoclave status` over several environments: one that cannot be reached does not hide the others."""

from __future__ import annotations

from pathlib import Path

from builders.devices import KNOWN_BAD
from builders.flow import device

CLUSTER = """
[[environment]]
name = "cluster"
target = "kubernetes"
[environment.kubernetes]
namespace = "clinic"
manifests = ["k8s"]
"""
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app\n"


def test_an_unreachable_environment_is_reported_beside_the_others(tmp_path: Path) -> None:
    with device(KNOWN_BAD / "control", tmp_path, name="t-reach") as repository:
        text = (repository.folder / "autoclave.toml").read_text("utf-8")
        before, mark, after = text.partition("[[environment]]")
        (repository.folder / "autoclave.toml").write_text(f"{before}{CLUSTER}\n{mark}{after}", "utf-8")
        (repository.folder / "k8s").mkdir()
        (repository.folder / "k8s" / "app.yaml").write_text(CONFIG_MAP, "utf-8")
        repository.commit()
        assert repository.run("run", "--environment", "staging").code == 0
        done = repository.run("status", KUBECONFIG=str(tmp_path / "none"))
        assert done.code == 60, done.err
        assert "cluster: NOT REACHABLE, so what runs there is not known\n  - " in done.out
        assert "staging: app sha256:" in done.out
        assert "healthy, verifies" in done.out
