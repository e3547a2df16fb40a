"""`autoclave show [DIGEST] [RECORD]`: the records of an image, readably."""

from __future__ import annotations

from typing import Annotated, Any

import click
import msgspec

from autoclave.cli.click_options import make_command
from autoclave.context import Context
from autoclave.errors import UsageError
from autoclave.evidence import records
from autoclave.evidence.cosign import third_party
from autoclave.evidence.records import Record
from autoclave.evidence.statement import NAME_OF, SBOM, info
from autoclave.model.digest import Digest
from autoclave.release.document import open_latest
from autoclave.runtime.options import Common, ReleaseName, option
from autoclave.store.oci import Descriptor


class Options(Common, frozen=True):
    """Options of `autoclave show`."""

    digest: Annotated[
        str,
        option(
            "the image digest; none: those of the release judged last, or what was built since", argument=True
        ),
    ] = ""
    release: ReleaseName = ""
    record: Annotated[str, option(f"one record, whole: {', '.join(NAME_OF.values())}", argument=True)] = ""


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    if opts.record and opts.record not in NAME_OF.values():
        raise UsageError(
            f"there is no record '{opts.record}'", next=f"records: {', '.join(NAME_OF.values())}"
        )
    if not opts.digest:
        open_latest(ctx, named=opts.release)
    chosen = (
        [ctx.store.find_image(opts.digest)]
        if opts.digest
        else [ctx.subject(each) for each in ctx.device.image]
    )
    for image in chosen:
        good, bad = records.read_all(ctx.store, image.digest, ctx.trust)
        if opts.record:
            out = [each.why for each in bad if each.name == opts.record]
            _print_statement([each for each in good if each.name == opts.record], opts.record, out, ctx)
            continue
        ctx.screen.result(f"image {image.digest}", {"image": image.digest})
        for record in good:
            _print_record(record, ctx)
        for rejected in bad:
            state = "DOES NOT COUNT" if rejected.stray else "DOES NOT VERIFY"
            text = f"  ✘ {rejected.name:<13} {rejected.digest}\n      {state}: {rejected.why}"
            ctx.screen.result(text, {"record": rejected.name, "digest": rejected.digest, "why": rejected.why})
        _print_attestations(image, [each.envelope.digest for each in good], ctx)


def _print_record(record: Record, ctx: Context) -> None:
    lines = [
        f"  ✔ {record.name:<13} {record.finished:%Y-%m-%d %H:%M:%S} UTC  {record.digest}",
        f"      signed by {', '.join(key.label for key in record.keys)}{_development(record)}",
    ]
    if record.statement.predicate_type != SBOM:
        made = info(record.statement)
        lines.append(
            f"      {'passed' if made.passed else 'CLOSED'}, class {made.safety_class}, {made.device} "
            f"{made.device_version}, policy {Digest(made.policy).short}"
        )
        lines += [f"      - {reason}" for reason in made.reasons]
    lines += [f"      with {_title(each)} {each.digest}" for each in record.attachments]
    ctx.screen.result("\n".join(lines), {"record": record.name, "digest": record.digest})


def _print_attestations(image: Descriptor, ours: list[str], ctx: Context) -> None:
    """Print what others attested with cosign."""
    found, others = third_party.read_attestations(ctx.store, image.digest, ctx.trust, ours=ours)
    for each in found:
        text = f"  ✔ attestation in cosign's format: {each.statement.predicate_type}"
        text += f"\n      signed by {', '.join(key.label for key in each.keys)}; no gate judges it"
        ctx.screen.result(text, {"attestation": each.statement.predicate_type, "digest": each.digest})
    if others:
        text = f"  - {others} more in cosign's format do not verify: no trusted key, or another image"
        ctx.screen.result(text, {"unverified": others})


def _print_statement(found: list[Record], name: str, out: list[str], ctx: Context) -> None:
    """Print the newest record of a type as indented JSON; `out` says why others do not count."""
    if not found:
        raise UsageError(
            f"the image has no valid record '{name}'",
            why="\n".join(f"one does not count: {why}" for why in out),
            next="'autoclave trust check' says what the trust file lacks"
            if out
            else "'autoclave show' lists what it has",
        )
    statement: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found[-1].statement))
    text = msgspec.json.format(msgspec.json.encode(statement), indent=2).decode()
    ctx.screen.result(text, {"statement": statement})


def _title(descriptor: Descriptor) -> str:
    return descriptor.annotations.get(records.TITLE, "file")


def _development(record: Record) -> str:
    return ", a development key" if all(key.development for key in record.keys) else ""
