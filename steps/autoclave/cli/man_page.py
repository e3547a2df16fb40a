"""The man page of autoclave, out of its commands, options and errors.

Source: man-pages(7) for the sections, groff_man(7) for the macros.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import click

from autoclave import __version__
from autoclave.cli.click_options import Argument
from autoclave.errors import tree
from autoclave.runtime.options import Common, fields

_COMMON = frozenset(each.name for each in fields(Common))


def write(program: click.Command, groups: Mapping[str, Mapping[str, tuple[str, str]]]) -> str:
    """Return the page: every command by group, its own options, the common ones, exit codes, files."""
    context = click.Context(program, info_name="autoclave")
    lines = [
        f'.TH AUTOCLAVE 1 "" "autoclave {_escape(__version__)}" "User Commands"',
        ".SH NAME",
        f"autoclave \\- {_escape(_lower(program.help or ''))}",
        ".SH SYNOPSIS",
        ".B autoclave",
        ".I COMMAND",
        "[\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]",
        ".SH COMMON OPTIONS",
        "Every command that works on a device takes these.",
        *_common(),
    ]
    for title, commands in groups.items():
        lines.append(f".SH {_escape(title.upper())}")
        for name in commands:
            found = program.get_command(context, name) if isinstance(program, click.Group) else None
            lines += _command(f"autoclave {name}", found) if found else []
    lines += [".SH EXIT STATUS", ".TP", "0", "everything that was asked for was done"]
    for each in tree():
        lines += [".TP", str(each.code), _escape(each.meaning)]
    lines += [
        ".SH ENVIRONMENT",
        "Each option is also a variable, AUTOCLAVE_ and the option's name in capitals.",
        ".SH FILES",
        ".TP",
        "autoclave.toml",
        "the device file: autoclave schema describes it",
        ".TP",
        "~/.config/autoclave/keys",
        "keys that Autoclave made for this user",
    ]
    return "\n".join(lines) + "\n"


def _command(words: str, command: click.Command) -> Iterator[str]:
    """Yield the lines of a command, or of those below it."""
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from _command(f"{words} {name}", each)
        return
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    shown = "".join(f" {each.make_metavar(click.Context(command))}" for each in arguments)
    yield from (f".SS {_escape(words + shown)}", _escape(command.help or ""))
    for parameter in command.params:
        if isinstance(parameter, Argument):
            name = (parameter.name or "").upper()
            yield from (".TP", f"\\fI{_escape(name)}\\fR", _escape(parameter.meaning))
        elif isinstance(parameter, click.Option) and parameter.name not in _COMMON:
            yield from _option(parameter)


def _common() -> Iterator[str]:
    for each in fields(Common):
        names = ", ".join(filter(None, (each.short, each.flag)))
        yield from (".TP", f"\\fB{_escape(names)}\\fR", _escape(each.description))


def _option(each: click.Option) -> Iterator[str]:
    names = ", ".join(sorted((name for name in each.opts if name.startswith("-")), key=len))
    value = "" if each.is_flag else f" \\fI{_escape((each.name or '').upper())}\\fR"
    if isinstance(each.type, click.Choice):
        value = f" \\fI{_escape('|'.join(map(str, each.type.choices)))}\\fR"
    yield from (".TP", f"\\fB{_escape(names)}\\fR{value}", _escape(each.help or ""))


def _escape(text: str) -> str:
    """Return text in one line that roff prints as it is: no macro at its beginning, a hyphen as a minus."""
    line = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"\A(?=[.'])", r"\\&", line)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")
