"""`autoclave soup`: which components are missing in the SOUP register; drafts entries, or adds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import click

from autoclave.actions import soup_draft
from autoclave.cli.click_options import make_command
from autoclave.cli.image_options import ImageOptions, read_release
from autoclave.context import Context
from autoclave.device import soup_register
from autoclave.device.schema import FILE
from autoclave.errors import ConfigError
from autoclave.gates import soup
from autoclave.gates.soup import Match
from autoclave.model.declared import Component, SoupEntry
from autoclave.release import strays
from autoclave.runtime.options import option

_USUAL = "soup.toml"


class Options(ImageOptions, frozen=True, kw_only=True):
    """Options of `autoclave soup`."""

    write: Annotated[bool, option("add entries for what is missing to the register, or begin one")] = False


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    components = _read_components(opts, ctx)
    named = ctx.device.device.soup
    name = named or _USUAL
    folder = ctx.folder if opts.write else ctx.source.folder
    register = soup_register.read(folder, name) if named else _read_begun(name, opts, ctx)
    matches = soup.match_components(components, register)
    lacking = [each for each in matches if each.entry is None]
    ctx.screen.note(
        "soup", f"{len(matches):,} components, {len(lacking):,} without an entry in {named or 'a register'}"
    )
    for entry in {id(each.entry): each.entry for each in matches if each.entry}.values():
        if why := soup.defect(entry, ctx.policy.soup, ctx.now().date()):
            ctx.screen.warn("soup", f"{entry.title}: {why}")
    if lacking:
        _report(lacking, soup_draft.draft(lacking, named=ctx.policy.soup.versions), name, opts, ctx)
    if opts.write and not named:
        text = f'write soup = "{name}" below [device] in {FILE}: the gates read the register from then on'
        ctx.screen.note("soup", text)


def _read_components(opts: Options, ctx: Context) -> list[Component]:
    """Return the components of all images, each once. Raises ConfigError when no SBOM lists one."""
    digests = ctx.digests(opts)
    components: dict[tuple[str, str], Component] = {}
    unread = []
    for image in ctx.images(opts.image):
        evidence = read_release("soup", image, digests.of(image.name), ctx).evidence
        components |= {(soup.identity(each), each.version): each for each in evidence.components}
        if why := strays.explain_missing("sbom", evidence):
            unread.append(f"{image.name}: {why}")
    if not components:
        raise ConfigError(
            "no SBOM lists a component", why="\n".join(unread), next="run 'autoclave scan' first"
        )
    return list(components.values())


def _read_begun(name: str, opts: Options, ctx: Context) -> tuple[SoupEntry, ...]:
    """Return the entries of a register that is there, and that the device file does not name yet."""
    return soup_register.read(ctx.folder, name) if opts.write and (ctx.folder / name).is_file() else ()


def _report(lacking: Sequence[Match], entries: Sequence[str], name: str, opts: Options, ctx: Context) -> None:
    data = {
        "lacking": [soup.identity(each.component) for each in lacking],
        "entries": len(entries),
        "toml": "\n".join(entries),
    }
    count = f"{len(entries)} entr{'ies' if len(entries) > 1 else 'y'} for {len(lacking):,} components"
    if not opts.write:
        ctx.screen.note("soup", f"{count}; --write adds them to {name}")
        ctx.screen.result("\n".join(entries), data)
        return
    path = soup_register.append(ctx.folder, name, lambda text: soup_draft.append(text, entries))
    ctx.screen.result(
        f"{path.relative_to(ctx.folder)}: {count} added\n"
        "  a person fills in why, anomalies, reviewed-by and reviewed-on: the gate is closed until then",
        {**data, "file": str(path)},
    )
