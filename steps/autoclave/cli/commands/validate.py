"""`autoclave validate`: everything that the files alone show to be wrong, at once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import click

from autoclave.actions import validate
from autoclave.actions.validate import Finding, Level
from autoclave.cli import screen
from autoclave.cli.click_options import parameters
from autoclave.console.base import Screen
from autoclave.device import keys
from autoclave.errors import ConfigError, UsageError
from autoclave.runtime.options import Common, build, option
from autoclave.runtime.toml import nearest

_MARK = {Level.ERROR: "✘", Level.GAP: "○", Level.NOTE: "·"}
_MEANING = {Level.ERROR: "must be fixed", Level.GAP: "a release needs it", Level.NOTE: "look at it"}


class Options(Common, frozen=True):
    """Options of `autoclave validate`."""

    explain: Annotated[str, option("print what a key of autoclave.toml is for, such as unit-test.stage")] = ""


def command(name: str, text: str) -> click.Command:
    """Return the command. It makes no context: what that imports takes longer than all that is done here."""

    def run(**given: Any) -> int:
        options = build(Options, given)
        view = screen.choose(as_json=options.json)
        try:
            _explain(options.explain, view) if options.explain else _validate(options, view)
        finally:
            view.close()
        return 0

    return click.Command(name, callback=run, params=parameters(Options), help=text, short_help=text)


def _validate(opts: Options, view: Screen) -> None:
    folder = Path(opts.folder).resolve()
    if opts.policy:
        from autoclave.device.repository import refuse_own  # with git, and all that starts processes

        refuse_own(Path(opts.policy), folder, "policy")
    found = validate.check(folder, opts.policy, datetime.now(UTC).date())
    for each in found:
        view.result("\n".join(_format(each)), {"finding": each})
    counts = {level: sum(each.level is level for each in found) for level in Level}
    if counts[Level.ERROR] + counts[Level.GAP]:
        raise ConfigError(
            f"{counts[Level.ERROR]} to fix, {counts[Level.GAP]} that a release needs",
            why=f"the files of {folder} show it, and nothing was built",
            next="do what is behind each →, then repeat; 'autoclave validate --explain KEY' describes a key",
        )
    notes = f", {counts[Level.NOTE]} to look at" if counts[Level.NOTE] else ""
    view.result(
        f"✔ nothing is wrong that the files alone can show{notes}: next, 'autoclave run'", {"fine": True}
    )


def _format(each: Finding) -> list[str]:
    lines = validate.format_finding(each, _MARK[each.level])
    key = f" [{each.key}]" if each.key else ""
    return [f"{lines[0]}  ({_MEANING[each.level]}){key}", *lines[1:]]


def _explain(name: str, view: Screen) -> None:
    key = keys.find(name)
    if key is None:
        raise UsageError(f"there is no key '{name}'", next=nearest(name, keys.read_words()))
    text = f"{key.path}\n\n{keys.explain(key)}"
    view.result(text, {"key": key, "text": text})
