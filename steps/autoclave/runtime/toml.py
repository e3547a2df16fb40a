"""TOML files → typed structs, with errors that name file, key, what it can be, and the nearest key."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from autoclave.errors import ConfigError, combine
from autoclave.runtime.values import UNKNOWN, Problem, find_problems

T = TypeVar("T")

_LARGEST = 16 << 20  # bytes of a file
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


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


def nearest(word: str, valid: Iterable[str]) -> str:
    """Return a hint with the nearest valid word, or the list of all of them."""
    choices = sorted(valid)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"valid here: {', '.join(choices)}"


def convert(data: object, kind: type[T], *, source: str) -> T:
    """Convert decoded TOML into `kind`. Raises ConfigError that names every wrong, unknown or missing key."""
    try:
        return msgspec.convert(data, type=kind)
    except msgspec.ValidationError as error:
        found = find_errors(data, kind, source=source)
        raise combine(found, source) or ConfigError(f"{source} cannot be read", why=str(error)) from error


def find_errors(data: object, kind: type, *, source: str) -> list[ConfigError]:
    """Return an error for every wrong, unknown or missing key; empty when the data can be converted."""
    return [to_error(each, source) for each in find_problems(data, kind)]


def to_error(problem: Problem, source: str) -> ConfigError:
    """Return a problem as an error that names file and key."""
    if problem.what == UNKNOWN:
        what = f"{source}: unknown key '{problem.path}'"
        return ConfigError(
            what, why=problem.why, next=nearest(problem.path.rpartition(".")[2], problem.valid)
        )
    example = f"for example {problem.example}" if problem.example else "fix this key"
    return ConfigError(
        f"{source}: {problem.path or 'the file'} {problem.what}", why=problem.why, next=example
    )
