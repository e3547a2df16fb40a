"""`autoclave trust check`: what the trust file leaves without a signer, and which records it excludes."""

from __future__ import annotations

import click

from autoclave.actions import trust_check
from autoclave.cli.click_options import make_command
from autoclave.context import Context
from autoclave.device.schema import FILE
from autoclave.errors import DoctorFailed
from autoclave.runtime.options import Signing

_TEXT = "compare the trust file with the policy, with the records here, and with a key (--key)"


class Options(Signing, frozen=True):
    """Options of `autoclave trust check`."""


def command() -> click.Command:
    """Return the command."""
    return make_command("check", _TEXT, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    trust, has_device = ctx.trust, (ctx.folder / FILE).exists()
    persons = {key.person.id for key in trust.keys if key.person}
    ctx.screen.result(
        f"✔ {trust.source} can be used; keys: {len(trust.keys)}, persons: {len(persons)}",
        {"source": trust.source, "keys": len(trust.keys), "persons": sorted(persons)},
    )
    problems = _check_key(opts, ctx) if opts.key else 0
    gaps = trust_check.find_gaps(trust, ctx.policy if has_device else None)
    for each in gaps:
        ctx.screen.result(f"✘ {each}", {"gap": each})
    problems += len(gaps)
    if has_device:
        problems += _check_records(ctx)
    else:
        ctx.screen.note("trust", f"no {FILE} here: roles of persons and records were not compared")
    if problems:
        raise DoctorFailed(
            f"{problems} thing{'s' if problems > 1 else ''} to fix in {trust.source}, or to sign again",
            why="what is listed above cannot be signed, or does not count",
            next="autoclave trust add PUBLIC --trust FILE, or edit it; 'autoclave trust list' prints it",
        )


def _check_key(opts: Options, ctx: Context) -> int:
    """Report on the key that the options name: it is opened, so that its passphrase or PIN is tried too."""
    signer = ctx.open_signer(opts.key, opts.public_key, "")
    known = trust_check.find_key(signer, ctx.trust) is not None
    lines = [f"{'✔' if known else '✘'} the key {signer.public_key.keyid[:12]} opens"]
    lines += [f"  {each}" for each in trust_check.describe_signer(signer, ctx.trust)]
    ctx.screen.result("\n".join(lines), {"key": signer.public_key.keyid, "listed": known})
    return not known


def _check_records(ctx: Context) -> int:
    """Report on the records of what was built last; return how many do not count."""
    count, out = trust_check.find_records(ctx)
    ctx.screen.result(f"✔ {count} records of the newest images count", {"records": count})
    for each in out:
        ctx.screen.result(
            f"✘ {each.image}: the {each.record} record {each.digest} does not count: {each.why}",
            {"out": each},
        )
    return len(out)
