"""A target is found by the name of its module; its settings are its own to check."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import Struct

from autoclave import targets
from autoclave.console.json import JsonScreen
from autoclave.context import Context
from autoclave.device.schema import Environment, Kubernetes
from autoclave.errors import ConfigError
from autoclave.runtime.options import Common
from autoclave.targets.base import read_settings

DEVICE = '[device]\nname = "pump"\nversion = "1"\nsafety-class = "A"\n[[image]]\nname = "app"\n'


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    (tmp_path / "autoclave.toml").write_text(DEVICE)
    return Context(Common(folder=str(tmp_path)), JsonScreen())


def test_the_targets_of_the_product() -> None:
    assert targets.names() == ("docker", "kubernetes", "openshift", "registry")


@pytest.mark.parametrize("name", ["kubernets", "base", "../docker", "", "kubernetes.lock"])
def test_what_is_not_a_target_is_refused(ctx: Context, name: str) -> None:
    with pytest.raises(ConfigError, match=f"there is no target '{name}'"):
        targets.create(Environment(name="ward", target=name), ctx)


def test_the_nearest_target_is_named(ctx: Context) -> None:
    with pytest.raises(ConfigError) as refused:
        targets.create(Environment(name="ward", target="kubernets"), ctx)
    assert refused.value.next == "did you mean 'kubernetes'?"


@pytest.mark.parametrize("name", ["docker", "registry"])
def test_settings_that_nothing_reads_are_refused(ctx: Context, name: str) -> None:
    with pytest.raises(ConfigError, match=f"has 'settings', which the target '{name}' does not read"):
        targets.create(Environment(name="ward", target=name, settings={"board": 3}), ctx)


CLUSTER = Kubernetes(namespace="clinic", manifests=["deploy"])


@pytest.mark.parametrize(
    ("environment", "table"),
    [
        (Environment(name="ward", kubernetes=CLUSTER), "kubernetes"),
        (Environment(name="ward", target="registry", kubernetes=CLUSTER), "kubernetes"),
        (Environment(name="ward", target="registry", publish={"app": 80}), "publish"),
        (Environment(name="ward", target="kubernetes", kubernetes=CLUSTER, publish={"app": 80}), "publish"),
        (Environment(name="ward", target="openshift", kubernetes=CLUSTER, settings={"a": 1}), "settings"),
    ],
)
def test_a_table_for_another_target_is_refused(ctx: Context, environment: Environment, table: str) -> None:
    with pytest.raises(ConfigError) as refused:
        targets.create(environment, ctx)
    assert refused.value.what == (
        f"environment 'ward' has '{table}', which the target '{environment.target}' does not read"
    )


def test_a_target_gets_the_tables_that_it_reads(ctx: Context) -> None:
    for name in ("kubernetes", "openshift"):
        assert targets.create(Environment(name="ward", target=name, kubernetes=CLUSTER), ctx)
    assert targets.create(Environment(name="ward", publish={"app": 80}), ctx)


@pytest.mark.parametrize("name", ["kubernetes", "openshift"])
def test_a_cluster_needs_its_namespace_and_manifests(ctx: Context, name: str) -> None:
    with pytest.raises(ConfigError, match=r"environment 'ward' has no \[environment.kubernetes\]"):
        targets.create(Environment(name="ward", target=name), ctx)


class Settings(Struct, forbid_unknown_fields=True):
    board: int = 1


def test_a_wrong_key_of_the_settings_is_named() -> None:
    assert read_settings(Environment(name="ward", settings={"board": 3}), Settings) == Settings(3)
    with pytest.raises(ConfigError, match="environment 'ward', settings: unknown key 'bord'") as refused:
        read_settings(Environment(name="ward", settings={"bord": 3}), Settings)
    assert refused.value.next == "did you mean 'board'?"
