"""Write docs/reference.md from the code: commands, options, variables, policy, exit codes.

python docs/make_reference.py          # a contract test fails while the page and the code differ
"""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import click
import msgspec
from msgspec import Meta, Struct

from autoclave.cli import main as cli
from autoclave.cli.click_options import Argument, parameters
from autoclave.device.schema import SafetyClass
from autoclave.errors import tree
from autoclave.gates.hardening import CHECKS, UNREAD
from autoclave.model import steps
from autoclave.pipeline import load_module
from autoclave.policy.load import read_profile
from autoclave.policy.schema import Policy
from autoclave.runtime.options import Common, fields

PAGE = Path(__file__).with_name("reference.md")

STEPS: dict[str, type[Struct]] = {each.name: load_module(each).Options for each in steps.STEPS}


def page() -> str:
    """Return the whole page."""
    parts = ["# Reference\n\nGenerated from the code by `docs/make_reference.py`; a test compares the two.\n"]
    parts += ["## Commands\n", *_commands()]
    parts += ["## Exit codes\n", _table(["code", "meaning", "error"], _codes())]
    parts += ["## Common options\n", _COMMON, _table(_OPTION, _common())]
    parts += [*_options()]
    parts += ["## The same option on every host\n", _HOSTS, _hosts()]
    parts += ["## Policy\n", _POLICY, _table(["key", "stricter is", "A", "B", "C", "meaning"], _policy())]
    parts += ["## What hardening requires of pods\n", _HARDENING, _table(_CHECK, _hardening())]
    return "\n".join(parts)


_HARDENING = """\
Checked in the manifests before anything is applied; `hardening.block` says which severities close the gate. Jobs and init
containers need no probes. The standard is Kubernetes' [Pod Security](https://kubernetes.io/docs/concepts/security/pod-security-standards/)
of version 1.34, where "restricted" includes all of "baseline".
"""
_CHECK = ["check", "severity", "requirement", "source"]


def _hardening() -> list[list[str]]:
    return [[f"`{each.id}`", str(each.severity), each.title, each.source] for each in (UNREAD, *CHECKS)]


_HOSTS = """\
An option of a step, and its names as a variable, an input of GitLab and of GitHub, and a key of Jenkins. An option without an input is set by the
flow itself, or is for a terminal.
"""


def _hosts() -> str:
    pipelines = PAGE.parents[1] / "pipelines"
    gitlab_made = runpy.run_path(str(pipelines / "make_gitlab.py"))
    jenkins_made = runpy.run_path(str(pipelines / "make_jenkins.py"))
    inputs = {
        step.name: {each.name for each in gitlab_made["inputs_of"](step)} for step in gitlab_made["TEMPLATES"]
    }
    keys = {var.step: {each.name for each in jenkins_made["keys_of"](var)} for var in jenkins_made["VARS"]}
    rows = []
    for step, kind in STEPS.items():
        for field in fields(kind):
            name = field.name.replace("_", "-")
            words = name.split("-")
            key = words[0] + "".join(word.title() for word in words[1:])
            rows.append(
                [
                    step,
                    f"`{field.name.upper() if field.argument else field.flag}`",
                    f"`{field.variable}`",
                    f"`{name}`" if name in inputs[step] else "",
                    f"`{key}`" if key in keys[step] else "",
                ]
            )
    return _table(["step", "option", "variable", "GitLab and GitHub input", "Jenkins key"], rows)


_POLICY = """\
The safety class selects the profile; the organisation's file, then `[policy]` in `autoclave.toml`, may only tighten it.
"""


def _commands() -> Iterator[str]:
    for title, group in cli.groups().items():
        yield f"### {title}\n"
        rows = [[f"`autoclave {name}`", text] for name, (_, text) in group.items()]
        yield _table(["command", "what it does"], rows)


def _codes() -> list[list[str]]:
    return [["0", "done; every gate is open", ""]] + [
        [str(error.code), error.meaning, f"`{error.__name__}`"] for error in tree()
    ]


_COMMON = """\
Every command takes these, unless its section says otherwise.
"""
_OPTION = ["option", "variable", "default", "meaning"]


def _common() -> list[list[str]]:
    return [_option(each) for each in parameters(Common)]


def _options() -> Iterator[str]:
    """Yield a section for every command of the table, and for each command below a group like `gitlab`."""
    with click.Context(cli.program) as context:
        for title, group in cli.groups().items():
            yield f"## Options: {title}\n"
            for name in group:
                for words, leaf in _leaves(name, cli.program.get_command(context, name)):
                    yield f"### Options of {words}\n\n{_own(leaf)}"


def _leaves(words: str, command: click.Command | None) -> Iterator[tuple[str, click.Command]]:
    match command:
        case None:
            raise LookupError(f"there is no command '{words}'")
        case click.Group():
            for name, each in command.commands.items():
                yield from _leaves(f"{words} {name}", each)
        case _:
            yield words, command


def _own(command: click.Command) -> str:
    """Return the options of a command, without the common ones if it has all of them."""
    common, rows = _common(), [_option(each) for each in command.params]
    if all(row in rows for row in common):
        own = [row for row in rows if row not in common]
        return _table(_OPTION, own) if own else "Only the common options.\n"
    return f"Without the common options.\n\n{_table(_OPTION, rows)}" if rows else "No options.\n"


def _option(each: click.Parameter) -> list[str]:
    if isinstance(each, Argument):
        return [f"`{(each.name or '').upper()}`", "", _default(each), each.meaning]
    if not isinstance(each, click.Option):
        raise TypeError(f"{each.name} has no description: use click_options.Argument")
    variable = str(each.envvar or "")
    meaning = (each.help or "").removesuffix(f"  [{variable}]")
    if isinstance(each.type, click.Choice):
        meaning += f": {', '.join(each.type.choices)}"
    flags = sorted(each.opts, key=len, reverse=True)
    return [
        " ".join(f"`{flag}`" for flag in flags),
        f"`{variable}`" if variable else "",
        _default(each),
        meaning,
    ]


def _default(each: click.Parameter) -> str:
    shown = isinstance(each.default, str | int) and not each.required and each.default not in ("", False)
    return f"`{each.default}`" if shown else ""


def _policy() -> list[list[str]]:
    profiles = [read_profile(each) for each in SafetyClass]
    rows = []
    for section in msgspec.structs.fields(Policy):
        kind = section.type
        hints = get_type_hints(kind, include_extras=True)
        for field in msgspec.structs.fields(kind):
            meta = next(each for each in get_args(hints[field.name]) if isinstance(each, Meta) and each.extra)
            values = [_value(getattr(getattr(each, section.name), field.name)) for each in profiles]
            direction = str((meta.extra or {})["stricter"])
            rows.append(
                [f"`{section.encode_name}.{field.encode_name}`", direction, *values, meta.description or ""]
            )
    return rows


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} = {count}" for key, count in sorted(value.items())) or "none"
    if isinstance(value, frozenset):
        return ", ".join(sorted(map(str, value))) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        + "\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
