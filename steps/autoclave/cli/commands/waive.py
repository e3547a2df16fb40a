"""`autoclave waive [FINDING]`: decide about a finding, approve such a decision, or list all of them."""

from __future__ import annotations

from typing import Annotated, Any

import click
from msgspec import structs

from autoclave.actions import waive
from autoclave.actions.waive import WaiverRequest
from autoclave.cli.click_options import make_command
from autoclave.cli.image_options import read_release
from autoclave.context import Context
from autoclave.device.schema import WAIVER
from autoclave.errors import UsageError
from autoclave.evidence import waivers
from autoclave.gates.waiver_defects import needs_two_persons
from autoclave.gates.waivers import JudgedWaiver, judge
from autoclave.model.declared import Person, SignedWaiver, VexStatus
from autoclave.model.facts import Finding
from autoclave.release import decisions, strays
from autoclave.release.products import find_product
from autoclave.runtime.options import StepOptions, option
from autoclave.signers import Signer


class Options(StepOptions, frozen=True, kw_only=True):
    """Options of `autoclave waive`."""

    finding: Annotated[
        str, option("the finding's id (with --approve: the waiver's); none: list them", argument=True)
    ] = ""
    approve: Annotated[bool, option("add your signature to the waiver that somebody else made")] = False
    rationale: Annotated[str, option("why the finding is acceptable, in words")] = ""
    expires: Annotated[str, option("last day of the waiver, YYYY-MM-DD")] = ""
    risk_reference: Annotated[str, option("where the risk file treats it")] = ""
    status: Annotated[str, option("what is said of it, in terms of VEX")] = VexStatus.NOT_AFFECTED
    justification: Annotated[str, option("why it is not affected, in terms of VEX")] = ""
    package: Annotated[
        str, option("package URL without version, or a secret's path; none: where it was found")
    ] = ""
    versions: Annotated[str, option("versions or a range, as '>=1.0,<2.10.1'; none: the one found")] = ""
    exact: Annotated[bool, option("only for exactly this image digest")] = False
    id: Annotated[str, option("the waiver's id; none: made of date and finding")] = ""


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    if not opts.finding:
        _list(opts, ctx)
        return
    if not opts.key:
        raise UsageError(
            "a waiver is signed with a person's key",
            why="the pipeline's keys and development keys decide nothing",
            next="name yours with --key (file:, hsm:, awskms: …) and the trust file with --trust",
        )
    signer = ctx.open_signer(opts.key, opts.public_key, "")
    if opts.approve:
        _approve(opts, signer, ctx)
    else:
        _make(opts, signer, ctx)


def _make(opts: Options, signer: Signer, ctx: Context) -> None:
    if not opts.rationale.strip() or not opts.expires:
        raise UsageError("a waiver needs --rationale and --expires", next="say why, and until when")
    author = waive.person_of(signer, "waive", ctx)
    found, unread = _findings(opts, ctx)
    request = WaiverRequest(
        **{
            name: value
            for name, value in structs.asdict(opts).items()
            if name in WaiverRequest.__struct_fields__ and name != "digest"
        },
        digest=_digest(opts, ctx) if opts.exact else "",
    )
    named = [each for finds in found.values() for each in finds]
    waiver = waive.make_waiver(request, named, author, ctx, unread=unread)
    name = f"{waiver.id}{WAIVER}"
    if opts.dry_run:
        _print_plan(name, author, {"waiver": waiver}, ctx)
        return
    path = waive.write(name, waivers.sign(waiver, signer), ctx, new=True)
    ctx.screen.result(
        f"{path.relative_to(ctx.folder)} is signed by {author.name}", {"waiver": waiver, "file": str(path)}
    )
    if needs_two_persons(waiver, ctx.policy.waivers):
        text = f"it counts once a second person signed it: autoclave waive {waiver.id} --approve --key …"
        ctx.screen.note("waive", text)


def _approve(opts: Options, signer: Signer, ctx: Context) -> None:
    approver = waive.person_of(signer, "waive", ctx)
    if opts.dry_run:
        name, _ = waive.find_unapproved(opts.finding, approver, ctx)
        _print_plan(name, approver, {}, ctx)
        return
    signed, path = waive.approve(opts.finding, signer, approver, ctx)
    ctx.screen.result(
        f"{_describe(signed)}\n{path.relative_to(ctx.folder)} is now signed by "
        f"{' and '.join(each.name for each in signed.persons)}",
        {"waiver": signed.waiver, "file": str(path)},
    )


def _print_plan(name: str, person: Person, more: dict[str, Any], ctx: Context) -> None:
    """Print what a dry run would sign."""
    path = f"{ctx.device.device.decisions}/{name}"
    ctx.screen.result(f"{path} would be signed by {person.name}", {**more, "file": path, "signed": False})


def _list(opts: Options, ctx: Context) -> None:
    digests = ctx.digests(opts)
    found = decisions.read_decisions(ctx)
    if not found:
        ctx.screen.result(f"no waiver in {ctx.device.device.decisions}/", {"waivers": []})
    for image, findings in _findings(opts, ctx)[0].items():
        digest = digests.of(image) or ctx.subject(ctx.device.find_image(image)).digest
        for each in judge(
            found,
            findings,
            device=ctx.device.device.name,
            product=find_product(image, digest, ctx),
            policy=ctx.policy.waivers,
            now=ctx.now(),
        ):
            ctx.screen.result(
                f"{image}: {_describe_state(each)}\n{_describe(each.signed)}",
                {"image": image, "state": each.state, "why": each.why, "waiver": each.signed},
            )


def _findings(opts: Options, ctx: Context) -> tuple[dict[str, tuple[Finding, ...]], list[str]]:
    """Return what the newest verified scan of each image found, and why a scan of one does not count."""
    found: dict[str, tuple[Finding, ...]] = {}
    unread: list[str] = []
    digests = ctx.digests(opts)
    for image in ctx.images(opts.image):
        if not digests.of(image.name) and ctx.store.find(image.name) is None:
            continue
        evidence = read_release("waive", image, digests.of(image.name), ctx).evidence
        found[image.name] = evidence.findings
        if why := strays.explain_missing("vulns", evidence):
            unread.append(f"{image.name}: {why}")
    return found, unread


def _digest(opts: Options, ctx: Context) -> str:
    images = ctx.images(opts.image)
    if len(images) != 1:
        raise UsageError("--exact is for one image", next="name it with --image")
    return ctx.subject(images[0], ctx.digests(opts).of(images[0].name)).digest


def _describe_state(judged: JudgedWaiver) -> str:
    waiver = judged.signed.waiver
    soon = ", EXPIRES SOON" if judged.expiring else ""
    return f"{waiver.id} is {judged.state.upper()}{soon}{': ' + judged.why if judged.why else ''}"


def _describe(signed: SignedWaiver) -> str:
    waiver, scope = signed.waiver, signed.waiver.scope
    where = scope.digest or f"{scope.package} {scope.versions or scope.fingerprint}".strip()
    by = signed.supplier or ", ".join(each.name for each in signed.persons) or "nobody who is trusted"
    lines = [
        f"  {waiver.finding} in {where}: {waiver.status}"
        + (f", {waiver.justification}" if waiver.justification else ""),
        f"  until {waiver.expires:%Y-%m-%d}, signed by {by}, risk file: {waiver.risk_reference or '-'}",
        f"  {waiver.rationale}",
    ]
    return "\n".join(lines)
