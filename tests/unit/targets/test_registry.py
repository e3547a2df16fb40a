"""A registry as the place of releases: a version's tag is given once, and never moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave import targets
from autoclave.console.json import JsonScreen
from autoclave.context import Context
from autoclave.device.schema import Environment, Service
from autoclave.errors import ConfigError
from autoclave.runtime.options import Common
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import Descriptor
from autoclave.targets import base
from autoclave.targets.base import Rollout, Target
from builders import sample_image

DEVICE = """
[device]
name = "pump"
version = "1.0.0+7"
safety-class = "A"
[[image]]
name = "app"
[[environment]]
name = "published"
target = "registry"
"""
PUBLISHED = Environment(name="published", target="registry")


def context(folder: Path, store: str = "oci://r.example/pump") -> Context:
    (folder / "autoclave.toml").write_text(DEVICE)
    ctx = Context(Common(folder=str(folder), store=store), JsonScreen())
    ctx.__dict__["store"] = LayoutStore(folder / "store")  # in place of the registry
    return ctx


def rollout(descriptor: Descriptor) -> Rollout:
    service = base.Service(
        image="app", descriptor=descriptor, settings=Service(), publish=None, inputs="sha256:1"
    )
    return Rollout(device="pump", environment=PUBLISHED, services=(service,))


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return targets.create(PUBLISHED, context(tmp_path))


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "store")


def test_a_version_is_published_once_and_read_back(target: Target, store: LayoutStore) -> None:
    release = rollout(sample_image.write_image(store))
    assert target.running() == []
    assert not target.is_running(release)
    target.apply(release)
    (running,) = target.observe(release)
    assert (running.image, running.digest) == ("app", release.services[0].digest)
    assert running.address == "r.example/pump:1.0.0_7"
    assert target.is_running(release)
    assert target.prepare(release).objections == ()


def test_another_digest_under_a_published_version_is_an_objection(target: Target, store: LayoutStore) -> None:
    first, other = (rollout(sample_image.write_image(store, content)) for content in (b"one", b"two"))
    target.apply(first)
    assert not target.is_running(other)
    (objection,) = target.prepare(other).objections
    assert f"r.example/pump:1.0.0_7 is {first.services[0].digest} already" in objection
    assert "raise device.version above 1.0.0+7" in objection


def test_a_tag_that_another_publication_moved_is_unhealthy(target: Target, store: LayoutStore) -> None:
    first, other = (rollout(sample_image.write_image(store, content)) for content in (b"one", b"two"))
    target.apply(first)
    with pytest.raises(base.Unhealthy, match=f"app is {first.services[0].digest} in the registry"):
        target.observe(other)


def test_what_was_published_meanwhile_is_not_replaced(target: Target, store: LayoutStore) -> None:
    first, other = (rollout(sample_image.write_image(store, content)) for content in (b"one", b"two"))
    target.prepare(other)
    target.apply(first)
    with pytest.raises(base.Unhealthy, match=r"r\.example/pump:1\.0\.0_7 was published meanwhile, as"):
        target.apply(other)
    assert target.is_running(first)


def test_a_version_s_tag_is_never_one_that_a_build_moves(tmp_path: Path, store: LayoutStore) -> None:
    """Images `app` and `app-1`, version 1: `app-1` names both."""
    ctx = context(tmp_path)
    device = DEVICE.replace("1.0.0+7", "1").replace(
        "[[environment]]", '[[image]]\nname = "app-1"\n[[environment]]'
    )
    (tmp_path / "autoclave.toml").write_text(device)
    ctx = Context(Common(folder=str(tmp_path), store="oci://r.example/pump"), JsonScreen())
    ctx.__dict__["store"] = store
    target, release = targets.create(PUBLISHED, ctx), rollout(sample_image.write_image(store))
    target.apply(release)
    assert [each.address for each in target.running()] == ["r.example/pump:app_1"]
    (tmp_path / "autoclave.toml").write_text(DEVICE.replace("1.0.0+7", "app"))
    ctx = Context(Common(folder=str(tmp_path), store="oci://r.example/pump"), JsonScreen())
    ctx.__dict__["store"] = store
    (objection,) = targets.create(PUBLISHED, ctx).prepare(release).objections
    assert "r.example/pump:app is a tag that builds and releases of an image move" in objection


def test_a_folder_is_refused_when_it_is_used_and_not_before(tmp_path: Path) -> None:
    ctx = context(tmp_path, store="")
    target = targets.create(PUBLISHED, ctx)
    assert target.covers(ctx.device.image[0])
    assert target.inputs() == {}
    with pytest.raises(ConfigError, match="only a store in a registry"):
        target.running()
