"""TOML files → typed structs, with errors that name file, key path, expectation and nearest key."""

from __future__ import annotations

import difflib
import re
import tomllib
import typing
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from autoclave.errors import ConfigError

T = TypeVar("T")

_LARGEST = 16 << 20  # bytes of a file
_AT = re.compile(r" - at `(?P<path>[^`]*)`\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LONG_PATTERN = re.compile(r"`str` matching regex '.{100,}'", re.DOTALL)
_ONE_LINE = "one line, without blanks at its ends and without signs that are not printed"
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`", re.DOTALL)


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file. Raises ConfigError when it is missing, unreadable, too large or not TOML."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise ConfigError(f"{path} is larger than {_LARGEST >> 20} MiB", next="check what it is")
        text = raw.decode("utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist", next="check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read", why=str(error)) from error
    return parse_toml(text, str(path))


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Parse a TOML text; `source` names it in messages. Raises ConfigError when it is not TOML.

    No text in it has a control character but tab and line end: none of what reads the texts later could
    use one, and a NUL ends a command's argument.
    """
    try:
        data = tomllib.loads(text)
        odd = _find_control(data)
    except (ValueError, RecursionError) as error:  # also a number with thousands of digits
        raise ConfigError(
            f"{source} is not valid TOML", why=str(error), next="fix the line that it names"
        ) from error
    if odd:
        raise ConfigError(f"{source}: {odd[:100]!r} has a control character", next="remove it")
    return data


def _find_control(data: object) -> str:
    """Return the first key or text with a control character, or an empty string."""
    if isinstance(data, str):
        return data if _CONTROL.search(data) else ""
    if isinstance(data, dict):
        data = [*data.keys(), *data.values()]
    return next(filter(None, map(_find_control, data)), "") if isinstance(data, list) else ""


def convert(data: object, kind: type[T], *, source: str) -> T:
    """Convert decoded TOML into `kind`. Raises ConfigError for unknown keys and wrong types."""
    try:
        return msgspec.convert(data, type=kind)
    except msgspec.ValidationError as error:
        raise _explain(str(error), kind, source) from error


def nearest(word: str, valid: typing.Iterable[str]) -> str:
    """Return a hint with the nearest valid word, or the list of all of them."""
    choices = sorted(valid)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"valid here: {', '.join(choices)}"


def _explain(message: str, kind: type, source: str) -> ConfigError:
    at = _AT.search(message)
    path = (at["path"] if at else "$").removeprefix("$").lstrip(".")
    body = _LONG_PATTERN.sub(_ONE_LINE, message[: at.start()] if at else message)
    unknown = _UNKNOWN.fullmatch(body)
    if unknown:
        full = f"{path}.{unknown['key']}".lstrip(".")
        hint = nearest(unknown["key"], _keys(kind, path))
        return ConfigError(f"{source}: unknown key '{full}'", why="it would be silently ignored", next=hint)
    return ConfigError(f"{source}: {path or 'the file'}: {body[:1].lower()}{body[1:]}", next="fix this key")


def _keys(kind: type, path: str) -> list[str]:
    """Return the keys that are valid in the table at `path` of a struct type."""
    here: Any = kind
    for step in re.findall(r"\[[^\]]*\]|[^.\[\]]+", path):
        here = _inside(here, step)
    if isinstance(here, type) and issubclass(here, Struct):
        return [field.encode_name for field in msgspec.structs.fields(here)]
    return []


def _inside(kind: Any, step: str) -> Any:
    if step.startswith("["):  # an element of an array, or a value of a table with free keys
        arguments = [arg for arg in typing.get_args(kind) if arg is not Ellipsis]
        return _struct_of(arguments[-1]) if arguments else None
    if isinstance(kind, type) and issubclass(kind, Struct):
        for field in msgspec.structs.fields(kind):
            if field.encode_name == step:
                return _struct_of(field.type)
    return None


def _struct_of(kind: Any) -> Any:
    """Drop Annotated, `| None` and `| UnsetType` around a type."""
    if typing.get_origin(kind) is typing.Annotated:
        return _struct_of(typing.get_args(kind)[0])
    arguments = typing.get_args(kind)
    rest = [arg for arg in arguments if arg not in (type(None), msgspec.UnsetType)]
    return _struct_of(rest[0]) if len(rest) < len(arguments) else kind
