"""`autoclave soup`: which components the SOUP register does not know, and the TOML to begin with."""

from __future__ import annotations

import click

from autoclave import soup
from autoclave.commands.imaged import Imaged, check_digest
from autoclave.commands.parameters import around
from autoclave.context import Context
from autoclave.errors import ConfigError
from autoclave.gates import soup as gate
from autoclave.governed import Component
from autoclave.options import OnImages
from autoclave.verifying import evidence_of


class Options(Imaged, frozen=True, kw_only=True):
    """Options of `autoclave soup`."""


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return around(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    check_digest(opts, ctx)
    named = OnImages(image=opts.image, digest=opts.digest)
    components: dict[tuple[str, str], Component] = {}
    for image in ctx.images(opts.image):
        verified = evidence_of(ctx.subject(image, named.digest_of(image.name)), image, ctx)
        components |= {(gate.identity(each), each.version): each for each in verified.evidence.components}
    if not components:
        raise ConfigError("no SBOM tells of any component", next="run 'autoclave scan' first")
    name = ctx.device.device.soup
    register = soup.read(ctx.folder, name) if name else ()
    found = gate.matched(list(components.values()), register)
    lacking = [each for each in found if each.entry is None]
    ctx.screen.note(
        "soup", f"{len(found)} components, {len(lacking)} without an entry in {name or 'a register'}"
    )
    for entry in {id(each.entry): each.entry for each in found if each.entry}.values():
        if why := gate.defect(entry, ctx.policy.soup, ctx.now().date()):
            ctx.screen.warn("soup", f"{entry.title}: {why}")
    if lacking:
        text = soup.beginning(lacking)
        ctx.screen.result(
            text, {"lacking": [gate.identity(each.component) for each in lacking], "toml": text}
        )
