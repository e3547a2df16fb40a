"""A name that a repository chooses opens nothing: where a deployment goes decides."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from autoclave import deploy, targets
from autoclave.actions import approve, rollback
from autoclave.device.schema import Environment
from autoclave.errors import DeployGateClosed, NothingToRollBack, UsageError
from autoclave.evidence import predicates
from autoclave.evidence.statement import DEPLOYMENT
from autoclave.model.facts import Deployment
from autoclave.model.place import Destination, Place
from autoclave.release import document, read
from builders.memory_target import MemoryTarget
from builders.tested_device import FixedContext, TestedDevice

CLINIC, HERE = Place("engine", "tcp://clinic:2376"), Place("engine", "unix:///var/run/docker.sock")


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestedDevice:
    """A device that is signed with development keys."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "keys"))
    folder = tmp_path / "pump"
    folder.mkdir()
    return TestedDevice(folder)


def run_deploy(
    device: TestedDevice, monkeypatch: pytest.MonkeyPatch, place: Place | None, *, more: str = "", **opts: str
) -> FixedContext:
    file = device.folder / "autoclave.toml"
    name = "demo"
    file.write_text(file.read_text().replace('"staging"\n', f'"{name}"\n{more}'))
    monkeypatch.setattr(targets, "create", lambda each, _: MemoryTarget(environment=each, address=place))
    device.sign()
    options = deploy.Options(folder=str(device.folder), environment=name, **opts)  # type: ignore[arg-type]
    ctx = device.context(options)
    deploy.run(options, ctx)
    return ctx


@pytest.mark.parametrize("place", [CLINIC, None, Place("cluster", "https://lab:6443", "demo")])
def test_an_environment_called_demo_is_production_where_it_is(
    device: TestedDevice, monkeypatch: pytest.MonkeyPatch, place: Place | None
) -> None:
    with pytest.raises(DeployGateClosed) as caught:
        run_deploy(device, monkeypatch, place)
    assert "signed by a development key" in caught.value.why


def test_a_device_file_can_declare_production_on_this_machine(
    device: TestedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DeployGateClosed, match="gate closed: deploy"):
        run_deploy(device, monkeypatch, HERE, more="production = true\n")


def test_an_organisation_s_policy_exempts_the_places_that_it_lists(
    device: TestedDevice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[production]\nexempt = ["engine tcp://clin*:2376"]\n')
    with pytest.raises(DeployGateClosed):  # this machine is not listed there
        run_deploy(device, monkeypatch, HERE, policy=str(policy))
    run_deploy(device, monkeypatch, CLINIC, policy=str(policy))


def test_the_record_of_a_deployment_names_its_place(
    device: TestedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = run_deploy(device, monkeypatch, HERE)
    found = read(ctx.device.image[0], device.images["app"], ctx)
    (made,) = [each for each in found.records if each.statement.predicate_type == DEPLOYMENT]
    assert predicates.facts_of(made.statement, Deployment).place == str(HERE)


def test_an_approval_is_for_the_place_that_is_named_or_reached(
    device: TestedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "create", lambda each, _: MemoryTarget(environment=each, address=HERE))
    device.sign()
    ctx, clinic = device.context(), Environment(name="clinic")
    assert document.open_latest(ctx, named="", digest="")
    assert approve.find_destination(clinic, "", ctx).place == str(HERE)
    named = approve.find_destination(clinic, str(CLINIC), ctx)
    assert (named.place, named.production) == (str(CLINIC), True)
    with pytest.raises(UsageError, match="'clinic' is not a place"):
        approve.find_destination(clinic, "clinic", ctx)
    image = ctx.device.find_image("app")
    subject = approve.read_subject(image, ctx)
    shown = approve.describe([subject], named, ctx)
    assert "TO clinic\nclinic: production, because engine tcp://clinic:2376 is not exempt" in shown


def test_a_release_whose_environment_led_elsewhere_is_not_rolled_back_to() -> None:
    here = Destination(environment="demo", place=str(HERE), production=False, why="it is this machine")
    rollback._refuse_elsewhere(here, here)
    with pytest.raises(NothingToRollBack, match="ran in another place") as caught:
        rollback._refuse_elsewhere(here, structs.replace(here, place=str(CLINIC)))
    assert str(CLINIC) in caught.value.why
