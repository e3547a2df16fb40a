"""What a chart or kustomization of a hostile repository may not reach: nothing outside of the repository."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import msgspec
import pytest

from autoclave.device.schema import Kubernetes
from autoclave.errors import ConfigError, SourceError
from autoclave.runtime.shell import Shell
from autoclave.targets.kubernetes.render import refuse_foreign, render_manifests


class NoPrograms:
    """Starts nothing: what is hostile must be refused before any program sees it."""

    def run(self, *_: object, **__: object) -> object:
        raise AssertionError("a program was started")


SHELL = cast(Shell, NoPrograms())


def test_a_link_in_a_chart_that_leads_out_of_the_repository_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "key.pem"
    outside.write_text("secret", "utf-8")
    chart = tmp_path / "repository" / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("name: x\n", "utf-8")
    (chart / "stolen.txt").symlink_to(outside)
    settings = Kubernetes(namespace="n", chart="chart")
    with pytest.raises(SourceError, match=r"stolen.txt' leaves the device folder"):
        render_manifests(settings, "device", tmp_path / "repository", SHELL)


@pytest.mark.parametrize(
    "line",
    [
        "resources: ['https://example.org/all.yaml']",
        "resources: ['git@example.org:x/y.git']",
        "resources: [../../outside.yaml]",
        "helmCharts: [{name: x, repo: https://example.org}]",
        "transformers: [run.yaml]",
        "patches: [{path: ../../outside.yaml}]",
        "configMapGenerator: [{name: x, files: [key=../../outside.yaml]}]",
    ],
)
def test_a_kustomization_fetches_nothing_and_runs_nothing(tmp_path: Path, line: str) -> None:
    (tmp_path / "outside.yaml").write_text("kind: x\n", "utf-8")
    folder = tmp_path / "repository"
    (folder / "deploy").mkdir(parents=True)
    (folder / "deploy" / "kustomization.yaml").write_text(line + "\n", "utf-8")
    with pytest.raises((ConfigError, SourceError)):
        refuse_foreign(folder / "deploy", folder)


@pytest.mark.parametrize("names", [{}, {"manifests": ["a"], "chart": "b"}])
def test_exactly_one_way_is_named(tmp_path: Path, names: dict[str, object]) -> None:
    settings = msgspec.convert({"namespace": "n", **names}, Kubernetes)
    with pytest.raises(ConfigError, match="one of manifests, kustomization and chart"):
        render_manifests(settings, "device", tmp_path, SHELL)
