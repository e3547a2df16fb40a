"""Make a waiver, and let a second person approve it: files in the device repository, signed by persons."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from autoclave.context import Context
from autoclave.device.schema import WAIVER
from autoclave.errors import DecisionError, SignerError, UsageError
from autoclave.evidence import waivers
from autoclave.evidence.trust_reasons import explain_signer
from autoclave.gates.vex import fold
from autoclave.gates.waiver_defects import defect
from autoclave.gates.waivers import places_of
from autoclave.model.declared import Justification, Person, Scope, SignedWaiver, VexStatus, Waiver
from autoclave.model.facts import Finding, Kind
from autoclave.release import decisions
from autoclave.runtime.folder import Folder
from autoclave.signers import Signer

E = TypeVar("E", VexStatus, Justification)


class WaiverRequest(Struct, frozen=True, kw_only=True):
    """What a person enters; empty fields are taken from the finding. `expires` is a date, `YYYY-MM-DD`."""

    finding: str
    rationale: str
    expires: str
    id: str = ""
    package: str = ""
    versions: str = ""
    digest: str = ""
    status: str = VexStatus.NOT_AFFECTED
    justification: str = ""
    risk_reference: str = ""


def person_of(signer: Signer, role: str, ctx: Context) -> Person:
    """Return whose key this is. Raises SignerError when trust names no person who may decide with it."""
    for key in ctx.trust.for_role(role):
        if key.key == signer.public_key and key.person:
            return key.person
    why, next_ = explain_signer(signer.public_key, (role,), ctx.trust, personal=True)
    raise SignerError(f"the key {signer.public_key.keyid[:12]} may not {role}", why=why, next=next_)


def make_waiver(
    request: WaiverRequest,
    found: Sequence[Finding],
    author: Person,
    ctx: Context,
    *,
    unread: Sequence[str] = (),
) -> Waiver:
    """Return the waiver that is requested. Raises UsageError, DecisionError when it could never count.

    `unread` says why the scan of an image does not count: then it is not known what was found there.
    """
    wanted = fold(request.finding)
    named = [each for each in found if wanted in {fold(name) for name in (each.id, *each.aliases)}]
    now = ctx.now().replace(microsecond=0)
    waiver = Waiver(
        id=request.id or f"{now:%Y%m%d}-{request.finding}",
        device=ctx.device.device.name,
        finding=request.finding,
        scope=_scope(request, named, unread),
        status=_one_of(VexStatus, request.status, "status"),
        justification=_one_of(Justification, request.justification, "justification")
        if request.justification
        else None,
        rationale=request.rationale.strip(),
        risk_reference=request.risk_reference.strip(),
        author=author.id,
        created=now,
        expires=_end_of(request.expires),
    )
    _refuse_useless(waiver, author, ctx)
    return waiver


def write(name: str, raw: bytes, ctx: Context, *, new: bool) -> Path:
    """Write a decision file whole or not at all; a new one replaces nothing. Raises DecisionError."""
    folder = Folder(ctx.folder).at(ctx.device.device.decisions)
    try:
        return folder.create(name, [raw]) if new else folder.write(name, [raw], durable=True)
    except FileExistsError as error:
        raise DecisionError(
            f"{ctx.device.device.decisions}/{name} exists already",
            why="a signed decision is never overwritten",
            next="name the new one with --id, or remove the old one in a commit of its own",
        ) from error


def approve(name: str, signer: Signer, approver: Person, ctx: Context) -> tuple[SignedWaiver, Path]:
    """Add a second person's signature to a waiver of the checkout. Raises DecisionError."""
    file, raw = find_unapproved(name, approver, ctx)
    signed = waivers.countersign(raw, signer)
    return waivers.verify(signed, ctx.trust), write(file, signed, ctx, new=False)


def find_unapproved(name: str, approver: Person, ctx: Context) -> tuple[str, bytes]:
    """Return the file of a waiver that a person may approve. Raises DecisionError, UsageError."""
    for file, raw in decisions.read_files(ctx):
        if not file.endswith(WAIVER) or waivers.read(raw).id != name:
            continue
        before = waivers.verify(raw, ctx.trust)
        if before.defect:
            raise DecisionError(f"waiver {name} does not verify", why=before.defect)
        if approver.id in {each.id for each in before.persons}:
            raise DecisionError(
                f"{approver.name} signed waiver {name} already",
                why="author and approver must be two persons",
                next="let somebody else approve it",
            )
        return file, raw
    raise UsageError(f"there is no waiver '{name}' here", next="'autoclave waive' lists them")


def _scope(request: WaiverRequest, named: Sequence[Finding], unread: Sequence[str]) -> Scope:
    """Return the scope: as requested, else the package and version in which it was found."""
    if any(each.kind is Kind.SECRET for each in named):
        return _scope_of_secret(request, named)
    if request.digest:
        return Scope(digest=request.digest, package=request.package, versions=request.versions)
    if request.package and (request.versions or not request.package.startswith("pkg:")):
        return Scope(package=request.package, versions=request.versions)
    places = sorted({(next(iter(places_of(each))) or each.target, each.version) for each in named})
    places = [each for each in places if request.package in {"", each[0]}]
    if not places:
        if unread:
            raise UsageError(
                f"it is not known whether the image has the finding {request.finding}",
                why="\n".join(unread),
                next="'autoclave trust check' says what the trust file lacks; or scan again with its key",
            )
        raise UsageError(
            f"the image has no finding {request.finding}",
            next="scan first, or name what it is about: --package pkg:TYPE/NAME --versions '<2.10.1'",
        )
    if len({package for package, _ in places}) > 1:
        packages = ", ".join(package for package, _ in places)
        raise UsageError(
            f"{request.finding} is in several packages", why=packages, next="name one with --package"
        )
    versions = request.versions or ", ".join(filter(None, (version for _, version in places)))
    return Scope(package=places[0][0], versions=versions)


def _scope_of_secret(request: WaiverRequest, named: Sequence[Finding]) -> Scope:
    """Return the one file in which a secret was found, with its content."""
    files = {
        (each.target, each.fingerprint)
        for each in named
        if each.kind is Kind.SECRET and request.package in {"", each.target}
    }
    if len(files) != 1:
        raise UsageError(
            f"{request.finding} is in {len(files)} files" + (" of that name" if request.package else ""),
            why=", ".join(sorted({each.target for each in named})),
            next="a waiver of a secret is about one file: name its path with --package",
        )
    ((path, fingerprint),) = files
    if not fingerprint:
        raise DecisionError(
            f"{request.finding} in {path} cannot be waived",
            why="a secret is waived by the path and the digest of its file, and this one is in no file",
            next="remove it from the image, and replace it everywhere: whoever has the image has it",
        )
    return Scope(digest=request.digest, package=path, fingerprint=fingerprint)


def _refuse_useless(waiver: Waiver, author: Person, ctx: Context) -> None:
    """Refuse a waiver that could not count under the policy in force, before anybody signs it."""
    signed = SignedWaiver(waiver=waiver, digest="", persons=(author,))
    why = defect(signed, waiver.device, ctx.policy.waivers, ctx.now(), is_draft=True)
    if not why and waiver.expires <= ctx.now():
        why = f"it expired on {waiver.expires:%Y-%m-%d}"
    if why:
        raise DecisionError("this waiver would not count", why=why, next="fix it, then sign")


def _end_of(day: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(day), time(23, 59, 59), UTC)
    except ValueError as error:
        raise UsageError(
            f"--expires {day!r} is not a date", why="every waiver has an end", next="give it as YYYY-MM-DD"
        ) from error


def _one_of(kind: type[E], text: str, what: str) -> E:
    try:
        return kind(text)
    except ValueError as error:
        raise UsageError(f"there is no {what} '{text}'", next=f"one of: {', '.join(kind)}") from error
