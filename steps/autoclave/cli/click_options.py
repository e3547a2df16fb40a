"""Option structs as click parameters, and the command that calls a function with options and context."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec
from msgspec import Struct

from autoclave.cli import screen
from autoclave.console.timed import TimedScreen
from autoclave.errors import AutoclaveError
from autoclave.runtime.options import Common, Field, build, fields

if TYPE_CHECKING:
    from autoclave.context import Context

O = TypeVar("O", bound=Common)  # noqa: E741 -- the usual letter for options


class Argument(click.Argument):
    """An argument with a description, which click before 8.5 has for options only."""

    def __init__(self, field: Field) -> None:
        # click takes a default of None for a value: a required argument must have no default.
        default = {} if field.required else {"default": field.default}
        super().__init__(
            [field.name],
            type=field.kind,
            required=field.required,
            envvar=field.variable,
            metavar=field.name.upper() if field.required else f"[{field.name.upper()}]",
            **default,
        )
        self.meaning = field.description


def parameters(kind: type[Struct]) -> list[click.Parameter]:
    """Return the click parameters of an option struct."""
    return [Argument(field) if field.argument else _option(field) for field in fields(kind)]


def make_command(
    name: str, text: str, kind: type[O], call: Callable[[O, Context], int | None]
) -> click.Command:
    """Return a command that calls a function with options and context; interrupted, it stops everything."""

    def run(**given: Any) -> int:
        from autoclave.context import Context  # what it imports takes longer than a command without it

        options = build(kind, given)
        view = screen.choose(as_json=options.json)
        context: Context | None = None
        try:
            context = Context(options, view)
            context.screen = TimedScreen(view, context.read_durations, context.write_durations)
            return call(options, context) or 0
        except AutoclaveError as error:
            if context:
                context.name_checkout(error)
            raise
        except KeyboardInterrupt:
            if context:
                context.cancel()
            raise
        finally:
            view.close()
            if context:
                context.close()

    return click.Command(name, callback=run, params=parameters(kind), help=text, short_help=text)


def add_json(command: click.Command) -> click.Command:
    """Return a command, and those below it, with `--json`: what one only prints becomes a result."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            add_json(each)
        return command
    call = command.callback
    if call is None or any(each.name == "json" for each in command.params):
        return command

    def run(*, json: bool, **given: Any) -> Any:
        if not json:
            return call(**given)
        with redirect_stdout(io.StringIO()) as printed:
            done = call(**given)
        text = printed.getvalue().strip()
        try:
            data = msgspec.json.decode(text.encode())
        except msgspec.DecodeError:
            data = text
        screen.choose(as_json=True).result(text, {"output": data})
        return done

    field = next(each for each in fields(Common) if each.name == "json")
    command.params.append(_option(field))
    command.callback = run
    return command


def _type(field: Field) -> Any:
    if field.choices:
        return click.Choice(field.choices)
    if field.kind is int:  # seconds and days: what is longer is no time that anybody waits or plans for
        return click.IntRange(0, 1_000_000)
    return None if field.kind is bool else field.kind


def _option(field: Field) -> click.Option:
    default = None if field.default is msgspec.NODEFAULT else field.default
    names = [field.flag, field.name] + ([field.short] if field.short else [])
    return click.Option(
        names,
        type=_type(field),
        is_flag=field.kind is bool,
        multiple=field.multiple,
        default=default,
        envvar=field.variable,
        help=f"{field.description}  [{field.variable}]",
    )
