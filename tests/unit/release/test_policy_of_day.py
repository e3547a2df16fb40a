"""The policy of the day is read in one place: what cannot be read closes, and is never today's instead."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from autoclave import release, sign
from autoclave.actions import approve
from autoclave.actions.verify import audit
from autoclave.device.schema import FILE
from autoclave.errors import RecordError
from autoclave.evidence import predicates
from autoclave.evidence.statement import VERIFICATION
from autoclave.model.declared import Declared
from autoclave.model.place import Destination
from autoclave.model.release import TITLE
from autoclave.model.verdict import Verdict
from autoclave.policy.schema import Policy
from autoclave.release import decisions, document
from autoclave.report.assemble import assemble
from autoclave.report.collect import read_inputs
from autoclave.signers import development
from builders.tested_device import FixedContext, TestedDevice

STAGING = Destination(environment="staging", place="", production=True, why="nobody says")
UNREADABLE = {
    "nothing": b"",
    "not-utf-8": b'{"build": "\xff"}',
    "another-form": b'{"build": {"non-root": false}}',
    "an-unknown-key": b'{"build": {"non-root": false}, "later": {}}',
    "nested-too-deep": b"[" * 100_000,
}


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestedDevice:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "keys"))
    folder = tmp_path / "pump"
    folder.mkdir()
    return TestedDevice(folder)


def conclude(device: TestedDevice, policy: bytes | None) -> FixedContext:
    """Attach a verification record that took this file along as its policy."""
    ctx = device.context()
    info = ctx.info(sign.plan(ctx.device.find_image("app"), ctx), Verdict("sign"), ctx.now(), ctx.now())
    body = predicates.verification(
        info, resource="urn:x", policy_digest=ctx.policy_digest, inputs=[], declared=Declared()
    )
    files = [(FILE, ctx.store.write([(device.folder / FILE).read_bytes()], media_type="application/toml"))]
    if policy is not None:
        files.append((decisions.POLICY, ctx.store.write([policy], media_type="application/json")))
    releases = [release.read(each, device.images[each.name], ctx) for each in ctx.device.image]
    kept = document.keep(document.make(releases, files, ctx), files, ctx.store)
    ctx.attach(
        device.images["app"],
        VERIFICATION,
        body,
        signer=ctx.open_signer("", "", development.RELEASE),
        attachments=[*files, (TITLE, kept)],
    )
    assert document.open_release(ctx)
    return ctx


@pytest.mark.parametrize("policy", UNREADABLE.values(), ids=UNREADABLE)
def test_approve_closes_when_the_policy_of_the_day_cannot_be_read(
    device: TestedDevice, policy: bytes
) -> None:
    ctx = conclude(device, policy)
    subject = approve.read_subject(ctx.device.find_image("app"), ctx)
    with pytest.raises(RecordError, match="the policy of the day cannot be read"):
        approve.describe([subject], STAGING, ctx)


@pytest.mark.parametrize("policy", UNREADABLE.values(), ids=UNREADABLE)
def test_verify_closes_when_the_policy_of_the_day_cannot_be_read(device: TestedDevice, policy: bytes) -> None:
    ctx = conclude(device, policy)
    images = [(ctx.device.find_image("app"), device.images["app"])]
    with pytest.raises(RecordError, match="the policy of the day cannot be read"):
        list(audit(images, ctx, warn_days=90))


@pytest.mark.parametrize("policy", UNREADABLE.values(), ids=UNREADABLE)
def test_the_report_says_that_the_policy_of_the_day_cannot_be_read(
    device: TestedDevice, policy: bytes
) -> None:
    ctx = conclude(device, policy)
    inputs = read_inputs(device.images["app"], ctx.device.find_image("app"), ctx)
    assert inputs.policy_then is None
    assert any("the policy of the day cannot be read" in each for each in assemble(inputs).verdict.remarks)


def test_a_release_without_a_policy_is_judged_by_todays(device: TestedDevice) -> None:
    ctx = conclude(device, None)
    subject = approve.read_subject(ctx.device.find_image("app"), ctx)
    assert decisions.policy_of_day(subject.summary, ctx) is None
    assert "RELEASE OF pump" in approve.describe([subject], STAGING, ctx)


def test_the_policy_of_the_day_is_the_one_that_the_release_took_along(device: TestedDevice) -> None:
    today = device.context().policy
    of_day = replace(today, waivers=replace(today.waivers, max_days=9))
    ctx = conclude(device, msgspec.json.encode(of_day))
    subject = approve.read_subject(ctx.device.find_image("app"), ctx)
    assert decisions.policy_of_day(subject.summary, ctx) == of_day != ctx.policy
    inputs = read_inputs(device.images["app"], ctx.device.find_image("app"), ctx)
    assert inputs.policy_then is not None
    assert inputs.policy_then["waivers"]["max-days"] == 9
    assert msgspec.convert(inputs.policy_then, Policy) == of_day
    assert not inputs.policy_note
