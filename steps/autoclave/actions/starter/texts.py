"""Texts of somebody else's files as data, within bounds: JSON, TOML, XML, YAML, and plain lines."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import msgspec
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from autoclave.errors import ConfigError
from autoclave.model.text import is_line
from autoclave.runtime.toml import parse_toml
from autoclave.targets.kubernetes import go_yaml

LARGEST_YAML = 32 << 10
"""Bytes of a YAML file; its parser takes seconds for more."""

_DEEPEST = 100  # elements inside of each other
_MOST_ELEMENTS = 20_000
_DEEPEST_YAML = 40  # brackets, or dashes of one line: the parser's time grows with the square of both
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,63}")
_NOT_NAME = re.compile(r"[^a-z0-9]+")


def decode(raw: bytes, name: str) -> str:
    """Return the text of a file: UTF-8, or what its byte order mark says. Raises ConfigError."""
    encoding = next((each for mark, each in _MARKS.items() if raw.startswith(mark)), "utf-8")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{name} is not text", why=f"it is not {encoding.upper()}: {error.reason}"
        ) from error


def parse_json(text: str, name: str) -> dict[str, Any]:
    """Return a JSON object. Raises ConfigError."""
    try:
        data = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise ConfigError(f"{name} is not valid JSON", why=str(error)) from error
    return _table(data, name)


def read_toml(text: str, name: str) -> dict[str, Any]:
    """Return a TOML table. Raises ConfigError."""
    return parse_toml(text, name)


def parse_yaml(text: str, name: str) -> dict[str, Any]:
    """Return the first document of a YAML file, a mapping. Raises ConfigError."""
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST_YAML:
        raise ConfigError(f"{name} is larger than {LARGEST_YAML >> 10} KiB")
    if _depth(text) > _DEEPEST_YAML or "- " * _DEEPEST_YAML in text:
        raise ConfigError(f"{name} is nested too deeply")
    documents = go_yaml.load(text, name)
    return _table(documents[0] if documents else {}, name)


def parse_xml(text: str, name: str) -> Element:
    """Return the root of an XML file, without document types or entities. Raises ConfigError."""
    root: Element | None = None
    depth = count = 0
    try:
        body = io.BytesIO(re.sub(r"\A\s*<\?xml\b[^>]*\?>", "", text).encode())
        for event, element in ElementTree.iterparse(body, events=("start", "end"), forbid_dtd=True):
            root = element if root is None else root
            depth += 1 if event == "start" else -1
            count += 1
            if depth > _DEEPEST or count > 2 * _MOST_ELEMENTS:
                raise ConfigError(f"{name}: more than {_MOST_ELEMENTS:,} elements, or {_DEEPEST} levels")
    except (ParseError, ValueError, LookupError, DefusedXmlException) as error:
        raise ConfigError(f"{name} is not XML that can be used", why=type(error).__name__) from error
    if root is None:
        raise ConfigError(f"{name} is empty")
    return root


def child(element: Element | None, *names: str) -> Element | None:
    """Return the element at a path of names, whatever their namespace; None without it."""
    for name in names:
        if element is None:
            return None
        element = next((each for each in element if str(each.tag).rpartition("}")[2] == name), None)
    return element


def child_text(element: Element | None, *names: str) -> str:
    """Return the text of the element at a path of names."""
    last = child(element, *names)
    return ((last.text if last is not None else "") or "").strip()


def table(data: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return the table at a path of keys; an empty one when something else is there."""
    here: Any = data
    for key in keys:
        here = here.get(key) if isinstance(here, Mapping) else None
    return dict(here) if isinstance(here, Mapping) else {}


def word(data: Mapping[str, Any], key: str) -> str:
    """Return a value that is one line of text; empty for anything else."""
    value = data.get(key)
    return value if isinstance(value, str) and is_line(value) and len(value) <= 500 else ""


def to_version(text: object) -> str:
    """Return a version that a device file can have; empty when the text is none."""
    return text if isinstance(text, str) and _VERSION.fullmatch(text) else ""


def to_name(text: str) -> str:
    """Turn any text into a name of the device file: small letters, digits and single hyphens."""
    return _NOT_NAME.sub("-", text[:500].lower()).strip("-")[:50].strip("-")


def unique(name: str, taken: Iterable[str]) -> str:
    """Return the name, or the first with a number behind it that is not taken."""
    used, number, made = set(taken), 2, name
    while made in used:
        made = f"{name[:46]}-{number}"
        number += 1
    return made


def _depth(text: str) -> int:
    """Return how many brackets are open at once, at most; those in quotes count too."""
    depth = deepest = 0
    for each in re.findall(r"[\[{\]}]", text):
        depth += 1 if each in "[{" else -1 if depth else 0
        deepest = max(deepest, depth)
    return deepest


def _table(data: object, name: str) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise ConfigError(f"{name} does not hold a table of keys")
    return dict(data)
