"""What each key of the device file is for, what it can be, and its default: `keys.toml` beside the types."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

import msgspec
from msgspec import Struct

from autoclave.device import schema
from autoclave.device.schema import Device
from autoclave.model.text import for_schema
from autoclave.runtime.values import describe

TABLES: dict[str, type[Struct]] = {
    "": Device,
    "device": schema.Identity,
    "image": schema.Image,
    "image.secrets": schema.BuildSecret,
    "image.service": schema.Service,
    "unit-test": schema.UnitTest,
    "unit-test.service": schema.TestService,
    "environment": schema.Environment,
    "environment.kubernetes": schema.Kubernetes,
    "flow": schema.Flow,
    "report": schema.Report,
    "traceability": schema.Traceability,
}
"""The tables of the file, by their path; the tests of one image are those of `unit-test`."""

_PATHS = {kind: path for path, kind in TABLES.items()}
_NUMBER = re.compile(r"\[[0-9]+\]")


class Words(Struct, frozen=True, forbid_unknown_fields=True, rename={"classes": "class"}):
    """The words about one key, as `keys.toml` has them."""

    text: str
    example: str
    why: str = ""
    trap: str = ""
    classes: str = ""


class Key(Struct, frozen=True, kw_only=True):
    """One key: its path, the words about it, what it can be, and its default as TOML writes it.

    `default` is empty without one; `is_table` is whether the words are about a table of the file.
    """

    path: str
    words: Words
    values: str
    default: str
    required: bool
    is_table: bool

    @property
    def example(self) -> str:
        """The example, as TOML."""
        return self.words.example.strip()


@cache
def read_words() -> dict[str, Words]:
    """Return the words about each key, by its path."""
    raw = resources.files("autoclave.device").joinpath("keys.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(raw), type=dict[str, Words])


def list_keys() -> list[Key]:
    """Return every key in the order of the page: each table, then its keys."""
    return [_make(path) for path in read_words()]


def find(path: str) -> Key | None:
    """Return the key that a path such as `image[0].service.port` is about; None when there is none.

    A path into a value, such as `image[0].args.BASE`, is about the key that has it.
    """
    plain = _NUMBER.sub("", path).replace("image.unit-test.", "unit-test.")
    if plain in read_words():
        return _make(plain)
    while plain := plain.rpartition(".")[0]:
        if plain in read_words():  # of a table of the file, the words would be about something else
            return None if plain in TABLES else _make(plain)
    return None


def explain(key: Key) -> str:
    """Return the paragraph about a key, as the page has it and a terminal can show it."""
    words = key.words
    default = key.default or ("none: it is required" if key.required else "none")
    parts = [("values", key.values), ("default", default)] if not key.is_table else []
    parts += [("why", words.why), ("trap", words.trap), ("class", words.classes)]
    lines = [f"- {name}: {text}" for name, text in parts if text]
    language = f"```toml\n{key.example}\n```"
    return "\n\n".join(filter(None, (words.text, "\n".join(lines), language)))


def find_fields() -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    """Yield every key of the types, by its path, once."""
    for table, kind in TABLES.items():
        for field in msgspec.structs.fields(kind):
            yield f"{table}.{field.encode_name}" if table else field.encode_name, field


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the device file, with the words about each key."""
    made: dict[str, Any] = for_schema(msgspec.json.schema(Device))
    for kind, table in _PATHS.items():
        found = made["$defs"][kind.__name__]
        if words := read_words().get(table):
            found["description"] = words.text
        for name, described in found["properties"].items():
            described.update(_describe(f"{table}.{name}" if table else name))
    return made


def _describe(path: str) -> dict[str, Any]:
    key = _make(path)
    parts = [key.words.text, f"Values: {key.values}." if not key.is_table else ""]
    parts += [f"Why: {key.words.why}" if key.words.why else ""]
    parts += [f"Trap: {key.words.trap}" if key.words.trap else ""]
    parts += [f"Class: {key.words.classes}" if key.words.classes else ""]
    example = example_value(key)
    return {"description": " ".join(filter(None, parts)), "examples": [example]}


def example_value(key: Key) -> Any:
    """Return the value of a key's example."""
    value: Any = tomllib.loads(key.example)
    for name in key.path.split(".") if key.is_table else []:
        if name in value:
            value = value[name]
    if key.is_table:
        return value
    table, _, name = key.path.rpartition(".")
    if table == "image.secrets":
        value = value["secrets"][0]
    return value[name]


def _make(path: str) -> Key:
    field = _fields()[path]
    is_table = path in TABLES or path == "image.unit-test"
    default = field.default
    if default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    return Key(
        path=path,
        words=read_words()[path],
        values=describe(field.type),
        default=_write(default) if not is_table else "",
        required=field.required,
        is_table=is_table,
    )


@cache
def _fields() -> dict[str, msgspec.structs.FieldInfo]:
    return dict(find_fields())


def _write(default: Any) -> str:
    """Return a default as TOML; empty for none, and for an empty text, list or table."""
    if default in (None, msgspec.NODEFAULT) or (not isinstance(default, bool | int | float) and not default):
        return ""
    return msgspec.json.encode(default).decode()
