"""What the device repository declares and what people decided: read from the source, or from a release.

A release takes both along, in its verification record: the facts hold requirements and register, and the
files (policy, device file, register, signed decisions) are attached to it byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from autoclave.bundles import write
from autoclave.context import Context
from autoclave.device import requirements, soup_register
from autoclave.device.schema import FILE, VEX, WAIVER, Image
from autoclave.errors import RecordError, SourceError
from autoclave.evidence import predicates, records, vex, waivers
from autoclave.evidence.records import TITLE, Record
from autoclave.model.declared import Declared, SignedWaiver
from autoclave.policy.schema import Policy
from autoclave.runtime.folder import Folder
from autoclave.store.oci import Descriptor

POLICY, REGISTER, VERIFIER, DECISIONS = "policy.json", "soup.toml", "verify.py", "decisions/"

_LARGEST = 1 << 20  # bytes of one decision
_MOST = 2000
_MEDIA_TYPES = {".toml": "application/toml", ".yaml": "application/yaml", ".py": "text/x-python"}


def read_declared(image: Image, together: dict[str, str], ctx: Context) -> Declared:
    """Return what the device repository declares, and which release of the image was the last one.

    `together` are the digests of all images of the device that are judged now.
    """
    names = ctx.device.device
    former = ctx.store.find(release_name(image))
    ignored = ctx.device.traceability.not_requirements
    return Declared(
        requirements=requirements.read(ctx.source.folder, names.requirements, ignored=ignored)
        if names.requirements
        else None,
        register=soup_register.read(ctx.source.folder, names.soup) if names.soup else None,
        previous=former.digest if former and former.digest != together[image.name] else "",
        together=together,
    )


def release_name(image: Image) -> str:
    """Return the name that the store gives to the image released last."""
    return f"{image.name}.released"


def read_decisions(ctx: Context) -> tuple[SignedWaiver, ...]:
    """Return the waivers in the device repository and what its suppliers say, their signatures verified."""
    return tuple(each for name, raw in read_files(ctx) for each in _verify_decision(name, raw, ctx))


def read_files(ctx: Context) -> list[tuple[str, bytes]]:
    """Return the device's decision files by name. Raises SourceError for what cannot be one."""
    folder = Folder(ctx.source.folder).at(ctx.device.device.decisions)
    found = [each for each in folder.names() if each.endswith((WAIVER, VEX))]
    if len(found) > _MOST:
        raise SourceError(
            f"{folder.path} has more than {_MOST} decisions", next="remove the ones that no longer apply"
        )
    return [(each, folder.read(each, limit=_LARGEST)) for each in found]


def write_attachments(sources: Mapping[str, bytes], ctx: Context) -> list[tuple[str, Descriptor]]:
    """Keep what a release depends on in the store; return titles and descriptors.

    `sources` are what the environments' targets need of the source.
    """
    kept = [
        (POLICY, msgspec.json.format(msgspec.json.encode(ctx.policy, order="sorted"), indent=2)),
        (FILE, ctx.source.read(FILE)),
    ]
    kept.append((VERIFIER, write.verifier()))
    if register := ctx.device.device.soup:
        kept.append((REGISTER, ctx.source.read(register)))
    kept += [(DECISIONS + name, raw) for name, raw in read_files(ctx)]
    kept += sorted(sources.items())
    return [(title, ctx.store.write([raw], media_type=_media_type(title))) for title, raw in kept]


def declared_of(summary: Record) -> Declared:
    """Return what a release says was declared; nothing when its record cannot say."""
    try:
        return predicates.facts_of(summary.statement, Declared)
    except RecordError:
        return Declared()


def policy_of_day(summary: Record | None, ctx: Context) -> Policy | None:
    """Return the policy that a release was judged by and took along; None when it took none.

    Raises RecordError when what it took along is not a policy, and StoreError when it cannot be read: nobody
    may go on as if it had said what today's says.
    """
    attached = records.find_file(summary, POLICY) if summary else None
    if attached is None:
        return None
    raw = ctx.store.read(attached.digest, limit=_LARGEST)
    try:
        return msgspec.json.decode(raw, type=Policy)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(
            "the policy of the day cannot be read",
            why=f"{POLICY} of the verification record {attached.digest} is not a policy: {error}",
            next="judge the release with the version of Autoclave that made it, or run 'autoclave sign' anew",
        ) from error


def decisions_of(summary: Record, ctx: Context) -> tuple[SignedWaiver, ...]:
    """Return the decisions that a release took along, their signatures verified anew."""
    return tuple(
        each
        for descriptor in summary.attachments
        if (title := descriptor.annotations.get(TITLE, "")).startswith(DECISIONS)
        for each in _verify_decision(title, ctx.store.read(descriptor.digest, limit=_LARGEST), ctx)
    )


def _verify_decision(name: str, raw: bytes, ctx: Context) -> Iterator[SignedWaiver]:
    try:
        if name.endswith(VEX):
            yield from vex.verify(raw, ctx.trust, name=Path(name).name, device=ctx.device.device.name)
        else:
            yield waivers.verify(raw, ctx.trust)
    except RecordError as error:
        raise RecordError(f"{name}: {error.what}", why=error.why, next="fix or remove the file") from error


def _media_type(title: str) -> str:
    return _MEDIA_TYPES.get(PurePosixPath(title).suffix, "application/json")
