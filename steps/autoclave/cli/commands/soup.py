"""`autoclave soup`: which components are missing in the SOUP register, and a TOML draft for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import click

from autoclave import release
from autoclave.cli.click_options import make_command
from autoclave.cli.image_options import ImageOptions
from autoclave.context import Context
from autoclave.device import soup_register
from autoclave.errors import ConfigError
from autoclave.gates import soup
from autoclave.gates.soup import Match
from autoclave.model.declared import Component
from autoclave.model.text import is_line


class Options(ImageOptions, frozen=True, kw_only=True):
    """Options of `autoclave soup`."""


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    digests = ctx.digests(opts)
    components: dict[tuple[str, str], Component] = {}
    for image in ctx.images(opts.image):
        found = release.read(image, ctx.subject(image, digests.of(image.name)), ctx)
        components |= {(soup.identity(each), each.version): each for each in found.evidence.components}
    if not components:
        raise ConfigError("no SBOM lists a component", next="run 'autoclave scan' first")
    name = ctx.device.device.soup
    register = soup_register.read(ctx.source.folder, name) if name else ()
    matches = soup.match_components(list(components.values()), register)
    lacking = [each for each in matches if each.entry is None]
    ctx.screen.note(
        "soup", f"{len(matches)} components, {len(lacking)} without an entry in {name or 'a register'}"
    )
    for entry in {id(each.entry): each.entry for each in matches if each.entry}.values():
        if why := soup.defect(entry, ctx.policy.soup, ctx.now().date()):
            ctx.screen.warn("soup", f"{entry.title}: {why}")
    if lacking:
        text = draft(lacking)
        ctx.screen.result(
            text, {"lacking": [soup.identity(each.component) for each in lacking], "toml": text}
        )


def draft(lacking: Sequence[Match]) -> str:
    """Return TOML for the components that lack an entry, for people to complete.

    The packages of a distribution become one entry. `why` and the review stay empty: only a person
    can say, and the gate stays closed until they are filled in.
    """
    entries: dict[tuple[str, str], str] = {}
    for each in lacking:
        component = each.component
        name = soup.identity(component)
        kind = "/".join(name.split("/")[:2])
        if component.distro and name.startswith("pkg:"):
            key, title = (f"{kind}/*", f"{component.distro}*"), component.distro
        else:
            key, title = (name, component.version or "*"), component.name
        if key not in entries:
            entries[key] = _table(title, *key, "" if component.distro else component.supplier)
    return "\n".join(entries.values())


def _table(title: str, component: str, version: str, manufacturer: str) -> str:
    fields = {
        "title": title,
        "component": component,
        "version": version,
        "manufacturer": manufacturer,
        "why": "",
        "anomalies": "",
        "reviewed-by": "",
    }
    lines = [f"{key} = {_quote(value)}" for key, value in fields.items()]
    return "\n".join(["[[soup]]", *lines, "# reviewed-on = 2026-01-31", "# support-end = 2028-06-30", ""])


def _quote(text: str) -> str:
    """Return text as a TOML string; names out of an image may hold anything.

    What does not print as it is becomes `?`, which matches it in a register's pattern.
    """
    shown = "".join(each if each == " " or is_line(each) else "?" for each in text)
    shown = re.sub(r"\A | \Z|(?<= ) ", "?", shown)
    return '"' + re.sub(r'(["\\])', r"\\\1", shown) + '"'
