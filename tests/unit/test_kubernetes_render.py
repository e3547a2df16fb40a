"""A kustomization that leans on anything outside the commit is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave.device import Kubernetes
from autoclave.errors import AutoclaveError, ConfigError, SourceError
from autoclave.shell import Shell
from autoclave.targets.kubernetes_render import refuse_foreign, rendered


def written(folder: Path, text: str) -> Path:
    kustomization = folder / "deploy"
    kustomization.mkdir(exist_ok=True)
    (kustomization / "kustomization.yaml").write_text(text, "utf-8")
    (kustomization / "app.yaml").write_text("kind: X\n", "utf-8")
    return kustomization


@pytest.mark.parametrize(
    "text",
    [
        "resources: ['https://example.org/app.yaml']",
        "resources: ['git@example.org:team/app']",
        "resources: [github.com/team/app]",
        "resources: ['example.org/team/app?ref=main']",
        "bases: [../../outside]",
        "components: [/etc]",
        "patches: [{path: 'https://example.org/patch.yaml'}]",
        "configMapGenerator: [{name: a, files: ['key=../../../etc/passwd']}]",
        "helmCharts: [{name: x, repo: https://example.org}]",
        "generators: [run.yaml]",
        "transformers: [run.yaml]",
        "resources: [missing.yaml]",
        "- a list",
        "resources: [",
    ],
)
def test_what_is_not_of_the_commit_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, SourceError)):
        refuse_foreign(written(tmp_path, text), tmp_path)


def test_a_link_out_of_the_repository_is_refused(tmp_path: Path) -> None:
    device = tmp_path / "device"
    device.mkdir()
    kustomization = written(device, "resources: [link.yaml]")
    (tmp_path / "secret.yaml").write_text("kind: X\n", "utf-8")
    (kustomization / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(SourceError):
        refuse_foreign(kustomization, device)


def test_files_and_folders_of_the_repository_are_fine(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "kustomization.yaml").write_text("resources: [app.yaml]", "utf-8")
    (base / "app.yaml").write_text("kind: X\n", "utf-8")
    text = (
        "resources: [app.yaml, ../base]\n"
        "patches: [{patch: '[{op: replace, path: /spec/replicas, value: 2}]', target: {kind: Deployment}}]\n"
        "configMapGenerator: [{name: a, literals: ['url=https://example.org']}]\n"
    )
    refuse_foreign(written(tmp_path, text), tmp_path)


def test_kustomizations_in_a_circle_end(tmp_path: Path) -> None:
    kustomization = written(tmp_path, "resources: [../deploy]")
    with pytest.raises(AutoclaveError):
        refuse_foreign(kustomization, tmp_path)


@pytest.mark.parametrize("more", [{}, {"manifests": ["a"], "chart": "b"}])
def test_exactly_one_source_of_objects_is_named(more: dict[str, object], tmp_path: Path) -> None:
    settings = Kubernetes(namespace="n", **more)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="one of manifests, kustomization and chart"):
        rendered(settings, "pump", tmp_path, Shell())
