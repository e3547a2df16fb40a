"""YAML as kubectl reads it: the same text gives the same numbers, words and truth values.

kubectl reads with sigs.k8s.io/yaml 1.6, which is go.yaml.in/yaml/v2: YAML 1.1 without its numbers in base 60.
Source: resolve.go of go.yaml.in/yaml v2.4.4; decode.go for merge keys and dates (which stay text).
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.tag import Tag

from autoclave.errors import ConfigError

Value = str | int | float | bool | None

DEEPEST = 64
_MOST = 200_000  # values of one document, aliases written out
_LONGEST = 400  # characters of a number
_PLAIN_BELOW = 1e21  # Go writes larger numbers with an exponent
_TAG = "tag:yaml.org,2002:"
_WORDS: Mapping[str, Value] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_FRACTION = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+(_[0-9]+)*)?")  # here Go's own parser decides
_INTEGERS = (
    (re.compile(r"([-+]?)0[xX]([0-9a-fA-F]+)"), 16),
    (re.compile(r"([-+]?)0[bB]([01]+)"), 2),
    (re.compile(r"([-+]?)0[oO]?([0-7]+)"), 8),
    (re.compile(r"([-+]?)(0|[1-9][0-9]*)"), 10),
    (re.compile(r"0b([-+])([01]+)"), 2),  # what is left of `0b` is read as a number with a sign of its own
)
_KINDS: Mapping[type, str] = {bool: "bool", int: "int", float: "float", type(None): "null", str: "str"}


def resolve(text: str) -> Value:
    """Return the value of a plain scalar; a whole number has no point, as in JSON that Go writes.

    Raises ValueError for a number that is absurdly long.
    """
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    plain = text.replace("_", "")
    if first == ".":
        found = _parse_float(plain) if _FRACTION.fullmatch(text) else None
        return text if found is None else found
    if first not in "+-0123456789":
        return text
    if len(plain) > _LONGEST and _FLOAT.fullmatch(plain):
        raise ValueError(f"a number of {len(plain)} characters")
    whole = _parse_integer(plain)
    number = _parse_float(plain) if whole is None else whole
    return text if number is None else number


def _parse_integer(plain: str) -> int | None:
    for pattern, base in _INTEGERS:
        if found := pattern.fullmatch(plain):
            value = int(found[2], base)
            # 64 bits, with or without a sign; one that is written makes it a signed number.
            least, most = (-(2**63), 2**63 - 1) if found[1] else (0, 2**64 - 1)
            value = -value if found[1] == "-" else value
            return value if least <= value <= most else None
    return None


def _parse_float(plain: str) -> float | None:
    value = float(plain) if _FLOAT.fullmatch(plain) else math.inf
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < _PLAIN_BELOW else value


class _Resolver(VersionedResolver):
    """Gives a plain scalar the type that it has for kubectl, whatever version the file names."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is not ScalarNode or not isinstance(implicit, tuple):
            return super().resolve(kind, value, implicit)
        name = "str" if not implicit[0] else "merge" if value == "<<" else _KINDS[type(resolve(str(value)))]
        return Tag(suffix=f"{_TAG}{name}")


class _Constructor(RoundTripConstructor):
    """Makes plain values, and keeps comments."""

    def construct_plain(self, node: Any) -> Value:
        """Return the value of a scalar. Raises ValueError for a number that JSON does not have."""
        found = resolve(node.value)
        if isinstance(found, float) and not math.isfinite(found):
            raise ValueError(f"{node.value[:80]!r} is a number that JSON does not have")
        return found


for _kind in ("int", "float", "bool", "null"):
    _Constructor.add_constructor(f"{_TAG}{_kind}", _Constructor.construct_plain)
_Constructor.add_constructor(f"{_TAG}merge", _Constructor.construct_scalar)  # `<<` that is no key


def load(text: str, source: str) -> list[Any]:
    """Return the documents of a text as plain data, which may share parts, with comments.

    Raises ConfigError naming `source` for what is not YAML, nests too deeply, or is not plain data.
    """
    try:
        _refuse_events(text, source)
        documents = list(_make().load_all(text))
    except (YAMLError, ConstructorError, DuplicateKeyError, RecursionError, ValueError) as error:
        why = " ".join(str(error).split())[:300]
        raise ConfigError(
            f"{source}: this is not YAML that can be used", why=why, next="fix the file"
        ) from error
    for document in documents:
        _check(document, source, 0, iter(range(_MOST)))
    return documents


def dump(documents: list[Any]) -> str:
    """Write documents as one text that `load` reads as the same data. Raises ConfigError otherwise."""
    yaml = _make()
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    buffer = io.StringIO()
    yaml.dump_all(documents, buffer)
    written = buffer.getvalue()
    if load(written, "the manifests as they are written") != documents:
        raise ConfigError(
            "the manifests cannot be written as they were read",
            next="write the values with comments or anchors between them plainly",
        )
    return written


def _make() -> YAML:
    yaml = YAML(typ="rt", pure=True)
    yaml.allow_duplicate_keys = False
    yaml.Resolver = _Resolver
    yaml.Constructor = _Constructor
    return yaml


def _refuse_events(text: str, source: str) -> None:
    """Refuse tags, and deep nesting while it is still events: the time to load it grows with its square."""
    depth = 0
    for event in _make().parse(text):
        if tag := getattr(event, "tag", None):
            raise ConfigError(f"{source}: the YAML tag {tag!s:.80} is refused", next="write plain values")
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            raise ConfigError(f"{source}: the YAML is nested too deeply", next="write it out plainly")


def _check(value: Any, source: str, depth: int, count: Iterator[int]) -> None:
    """Refuse what is not plain data: endless depth, aliases that multiply, keys that are not text."""
    if depth > DEEPEST or next(count, None) is None:
        raise ConfigError(
            f"{source}: the YAML is nested too deeply, or its aliases multiply", next="write it out plainly"
        )
    if isinstance(value, Mapping):
        for key, each in value.items():
            if not isinstance(key, str):
                raise ConfigError(f"{source}: the key {key!r} is not text", next="put it into quotes")
            _check(each, source, depth + 1, count)
    elif isinstance(value, list):
        for each in value:
            _check(each, source, depth + 1, count)
