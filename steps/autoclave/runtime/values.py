"""What a value of a file can be, in words: for people, who read no patterns and no names of types.

`find_problems` names everything that is wrong in decoded TOML at once, where a converter stops at the first.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from datetime import date, datetime, time
from difflib import get_close_matches
from enum import Enum
from typing import Any

import msgspec
from msgspec import Meta, Struct

UNIT = "unit"
"""What a number's constraint names in `extra`: what it counts."""

UNKNOWN, MISSING = "is unknown", "is missing"
"""What is wrong with a key, besides its value."""

MOST = 50
"""Problems of one file that are named."""

_LISTS = (list, tuple, set, frozenset)
_ONE = {"entries": "entry", "characters": "character"}
_LONGEST = 60  # characters of a value that are shown
_PLAIN: dict[Any, str] = {str: "a text in quotes", bool: "true or false", date: "a date, such as 2026-11-30"}
_NOTHING = (types.NoneType, msgspec.UnsetType)


class Problem(Struct, frozen=True, kw_only=True):
    """One thing that is wrong: at which path, what, why, and an example of what is right.

    `valid` are the keys of the table in which a key is unknown.
    """

    path: str
    what: str
    why: str
    example: str = ""
    valid: tuple[str, ...] = ()


class _Type(Struct, frozen=True):
    """A type without what is around it: the plain type, its arguments and its constraints."""

    base: Any
    arguments: tuple[Any, ...]
    limits: tuple[Meta, ...]


def find_problems(data: object, kind: Any) -> list[Problem]:
    """Return what is wrong with decoded TOML, the first `MOST` of it; empty when it can be converted."""
    found: list[Problem] = []
    for each in _walk(data, kind, ""):
        found.append(each)
        if len(found) >= MOST:
            break
    return found


def describe(kind: Any) -> str:
    """Return what a value of a type can be, as `a whole number of seconds from 1 to 86400`."""
    seen = _unwrap(kind)
    if choices := _choices(seen):
        return f"one of {', '.join(map(_show, choices))}" if len(choices) > 1 else _show(choices[0])
    if _is_struct(seen.base):
        return "a table with " + ", ".join(_keys(seen.base))
    if seen.base in (int, float):
        return _describe_number(seen)
    return _describe_many(seen) if seen.base in (*_LISTS, dict) else _describe_text(seen)


def _describe_many(seen: _Type) -> str:
    inner = [describe(each) if each is not Any else "" for each in seen.arguments]
    if seen.base is dict:
        given = len(inner) > 1 and inner[1]
        return f"a table: each name {inner[0]}; each value {inner[1]}" if given else "a table"
    rule = _describe_length(_limit(seen, "min_length"), _limit(seen, "max_length"), "entries")
    return f"a list{rule}, each {inner[0]}" if inner and inner[0] else f"a list{rule}"


def _describe_text(seen: _Type) -> str:
    least, most = _limit(seen, "min_length"), _limit(seen, "max_length")
    said = next((each.description for each in seen.limits if each.pattern), "")
    if said:
        return said + (f", at most {most} characters" if most else "")
    return _PLAIN.get(seen.base, "a value") + _describe_length(least, most, "characters")


def example_of(kind: Any) -> str:
    """Return an example of a value as it is written in TOML; empty without one."""
    seen = _unwrap(kind)
    if choices := _choices(seen):
        return _show(choices[0])
    if seen.base in _LISTS and seen.arguments:
        inner = example_of(seen.arguments[0])
        return f"[{inner}]" if inner else ""
    examples = [each for limit in seen.limits for each in limit.examples or ()]
    if examples:
        return _show(examples[0])
    return {bool: "true", date: "2026-11-30"}.get(seen.base, "")


def _walk(data: object, kind: Any, path: str) -> Iterator[Problem]:
    seen = _unwrap(kind)
    if _is_struct(seen.base) and isinstance(data, dict):
        yield from _walk_struct(data, seen.base, path)
    elif seen.base is dict and isinstance(data, dict) and seen.arguments:
        for key, value in data.items():
            if _is_wrong(key, seen.arguments[0]):
                why = f"a name here must be {describe(seen.arguments[0])}"
                yield Problem(path=path, what=f"has the name {_show(key)}", why=why)
            yield from _walk(value, seen.arguments[1], f"{path}.{key}" if path else str(key))
    elif seen.base in _LISTS and isinstance(data, list) and seen.arguments and _fits(data, seen):
        for number, value in enumerate(data):
            yield from _walk(value, seen.arguments[0], f"{path}[{number}]")
    elif _is_wrong(data, kind):
        yield Problem(
            path=path,
            what=f"is {_name(data, seen)}",
            why=f"it must be {describe(kind)}",
            example=example_of(kind),
        )


def _walk_struct(data: dict[str, Any], kind: type[Struct], path: str) -> Iterator[Problem]:
    known = {each.encode_name: each for each in msgspec.structs.fields(kind)}
    for key, value in data.items():
        full = f"{path}.{key}" if path else key
        if key in known:
            yield from _walk(value, known[key].type, full)
        elif kind.__struct_config__.forbid_unknown_fields:
            yield Problem(path=full, what=UNKNOWN, why="it would be silently ignored", valid=tuple(known))
    misspelt = {
        name for key in data.keys() - known for name in get_close_matches(key, known, n=1, cutoff=0.5)
    }
    for name, field in known.items():
        if field.required and name not in data and name not in misspelt:
            full = f"{path}.{name}" if path else name
            yield Problem(
                path=full,
                what=MISSING,
                why=f"it is required: {describe(field.type)}",
                example=example_of(field.type),
            )


def _fits(data: list[Any], seen: _Type) -> bool:
    least, most = _limit(seen, "min_length"), _limit(seen, "max_length")
    return (least is None or len(data) >= least) and (most is None or len(data) <= most)


def _is_wrong(data: object, kind: Any) -> bool:
    try:
        msgspec.convert(data, type=kind)
    except msgspec.ValidationError:
        return True
    return False


def _unwrap(kind: Any) -> _Type:
    """Drop `Annotated`, `| None` and `| UnsetType` around a type, and keep the constraints."""
    limits: list[Meta] = []
    while True:
        origin = typing.get_origin(kind)
        if origin is typing.Annotated:
            kind, *more = typing.get_args(kind)
            limits += [each for each in more if isinstance(each, Meta)]
            continue
        if origin in (typing.Union, types.UnionType):
            rest = [each for each in typing.get_args(kind) if each not in _NOTHING]
            if len(rest) == 1:
                kind = rest[0]
                continue
        arguments = tuple(each for each in typing.get_args(kind) if each is not Ellipsis)
        return _Type(origin or kind, arguments, tuple(limits))


def _choices(seen: _Type) -> list[Any]:
    if seen.base is typing.Literal:
        return list(seen.arguments)
    is_enum = isinstance(seen.base, type) and issubclass(seen.base, Enum)
    return [each.value for each in seen.base] if is_enum else []


def _is_struct(base: Any) -> bool:
    return isinstance(base, type) and issubclass(base, Struct)


def _keys(kind: type[Struct]) -> list[str]:
    return [each.encode_name for each in msgspec.structs.fields(kind)]


def _limit(seen: _Type, name: str) -> Any:
    return next((found for each in seen.limits if (found := getattr(each, name)) is not None), None)


def _describe_number(seen: _Type) -> str:
    units = [str(each.extra[UNIT]) for each in seen.limits if each.extra and UNIT in each.extra]
    said = "a whole number" if seen.base is int else "a number"
    said += f" of {units[0]}" if units else ""
    least, most = _limit(seen, "ge"), _limit(seen, "le")
    said += f" from {least}" if least is not None else ""
    return said + (f" to {most}" if most is not None else "")


def _describe_length(least: int | None, most: int | None, what: str) -> str:
    if least and most:
        return f" with {least} to {most} {what}"
    if least:
        return f" with at least one {_ONE[what]}" if least == 1 else f" with at least {least} {what}"
    return f" with at most {most} {what}" if most else ""


def _show(value: object) -> str:
    """Return a value as TOML writes it, cut."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value[:_LONGEST]}…"' if len(value) > _LONGEST else f'"{value}"'
    return f"{str(value)[:_LONGEST]}…" if len(str(value)) > _LONGEST else str(value)


def _name(value: object, seen: _Type) -> str:
    """Return a value with its kind where the kind is what is wrong."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        counted = f"a list of {len(value)}" if seen.base in _LISTS else "a list"
        return counted if value else "an empty list"
    is_text = isinstance(value, str)
    if is_text and seen.base is not str and not _choices(seen):
        return f"the text {_show(value)}"
    if not is_text and isinstance(value, date | datetime | time) and seen.base is not date:
        return f"the date {_show(value)}"
    return _show(value)
