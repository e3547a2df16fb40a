"""The text that a person reads before signing, and the approval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from autoclave import targets
from autoclave.actions import changes
from autoclave.context import Context
from autoclave.device.schema import Environment, Image
from autoclave.errors import DecisionError, UsageError
from autoclave.evidence import predicates
from autoclave.evidence.records import Record
from autoclave.evidence.statement import APPROVAL, info
from autoclave.gates import soup, traceability, waivers
from autoclave.gates.release import judge_waivers
from autoclave.model.declared import Approval, Meaning, Person
from autoclave.model.digest import Digest, digest_of
from autoclave.model.place import Destination, parse
from autoclave.model.plan import StepPlan
from autoclave.model.verdict import Verdict
from autoclave.policy.schema import Policy
from autoclave.release import Release, read
from autoclave.release.decisions import policy_of_day
from autoclave.signers import Signer

SHOWN = "shown.txt"


class Subject(Struct, frozen=True):
    """An image to approve: its release record, and the verification that the approval is about."""

    release: Release
    summary: Record


def read_subject(image: Image, ctx: Context) -> Subject:
    """Return an image that can be approved. Raises DecisionError when no release gate judged it."""
    found = read(image, ctx.subject(image), ctx)
    if found.summary is None:
        raise DecisionError(
            f"{image.name} {Digest(found.digest).short} cannot be approved",
            why="no release gate has judged it",
            next="run 'autoclave sign' first",
        )
    return Subject(found, found.summary)


def describe(subjects: Sequence[Subject], destination: Destination, ctx: Context) -> str:
    """Return the text that the signer reads: the same for the same release, policy and destination."""
    device, opened = ctx.device.device, ctx.opened
    lines = [
        f"RELEASE OF {device.name} {device.version} (IEC 62304 class {device.safety_class}) "
        f"TO {destination.environment}",
        str(destination),
        f"release {opened.digest}",
    ]
    runs = {each.release.image.name: each.release.evidence.unit_test for each in subjects}
    for each in subjects:
        lines += ["", *_describe_image(each, ctx)]
    matrix = traceability.matrix(subjects[0].release.evidence.declared, runs)
    states = Counter(str(row.state) for row in matrix.requirements)
    lines += ["", f"requirements: {_join_counts(states) or 'none declared'}"]
    return "\n".join([*lines, *changes.describe(destination, ctx)]) + "\n"


def find_destination(environment: Environment, place: str, ctx: Context) -> Destination:
    """Return where the release is to run: in the place that is named, else in the one reached from here.

    Raises UsageError for what is not a place.
    """
    if not place:
        return targets.find_destination(targets.create(environment, ctx), ctx)
    try:
        return targets.judge_place(environment, parse(place), ctx)
    except ValueError as error:
        raise UsageError(
            str(error), next="write it as 'autoclave plan' prints it where the deployment runs"
        ) from error


def make_approval(
    person: Person,
    role: str,
    meaning: Meaning,
    reason: str,
    *,
    destination: Destination,
    text: str,
    now: datetime,
) -> Approval:
    """Return the approval of a person. Raises DecisionError for a role that the person does not have."""
    role = role or (person.roles[0] if len(person.roles) == 1 else "")
    if role not in person.roles:
        raise DecisionError(
            f"{person.name} has no role '{role}'" if role else f"{person.name} has several roles",
            next=f"sign with --role, one of: {', '.join(person.roles)}",
        )
    return Approval(
        environment=destination.environment,
        place=destination.place,
        user=person.id,
        printed_name=person.name,
        role=role,
        meaning=meaning,
        reason=reason.strip(),
        shown=digest_of(text.encode()),
        signed_at=now,
    )


def attach(approval: Approval, text: str, subjects: Sequence[Subject], signer: Signer, ctx: Context) -> None:
    """Attach the approval to every image, with the text that was shown."""
    kept = ctx.store.write([text.encode()], media_type="text/plain")
    for each in subjects:
        planned = StepPlan(
            step="approve",
            image=each.release.image.name,
            commands=(),
            tools={},
            inputs={
                "environment": approval.environment,
                "place": approval.place,
                "shown": approval.shown,
            },
        )
        now = ctx.now()
        made_by = ctx.info(planned, Verdict("approve"), now, now)
        body = predicates.approval(made_by, approval, each.summary.digest)
        ctx.attach(each.release.descriptor, APPROVAL, body, signer=signer, attachments=[(SHOWN, kept)])


def _describe_image(each: Subject, ctx: Context) -> list[str]:
    evidence = each.release.evidence
    policy = policy_of_day(each.summary, ctx) or ctx.policy
    lines = [
        f"image {each.release.image.name} {each.release.digest}",
        f"verification of {each.summary.finished:%Y-%m-%d %H:%M:%S} UTC ({each.summary.digest}): "
        f"{each.release.result}",
        *(f"  - {reason}" for reason in info(each.summary.statement).reasons),
        f"previous release: {evidence.declared.previous or 'none'}",
    ]
    if evidence.build:
        lines.append(f"commit {evidence.build.commit or 'none'}")
    if evidence.unit_test:
        report = evidence.unit_test.report
        lines.append(
            f"tests: {report.passed} passed, {report.failed + report.errors} failed, {report.skipped} skipped"
        )
    if evidence.scans:
        severities = Counter(str(finding.severity) for finding in evidence.findings)
        lines.append(f"findings: {_join_counts(severities) or 'none'}")
    lines += _describe_waivers(each, policy)
    register = evidence.declared.register
    known = [one for one in soup.match_components(evidence.components, register or ()) if one.entry]
    lines.append(f"components: {len(evidence.components)}, {len(known)} of them in the SOUP register")
    return lines


def _describe_waivers(each: Subject, policy: Policy) -> list[str]:
    # As of the verification: the text must be the same tomorrow.
    found = judge_waivers(each.release.evidence, policy, each.summary.finished)
    return [
        f"waiver {one.signed.waiver.id}: {one.signed.waiver.finding} is {one.state} until "
        f"{one.signed.waiver.expires:%Y-%m-%d}: {one.signed.waiver.rationale}"
        for one in found
        if one.state is not waivers.WaiverState.UNUSED
    ]


def _join_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
