"""Requirements in StrictDoc's own text format (`.sdoc`): the `[REQUIREMENT]` elements, line by line.

The format was read in StrictDoc 0.30's grammar: an element is `[TAG]` (or `[[TAG]]` with others inside), its
fields are `NAME: value`, or `NAME: >>>` and lines up to `<<<`. Of the fields UID and STATEMENT are needed;
KIND, HAZARD, METHOD, EVIDENCE and IN_SCOPE are the device's own. All other elements are text between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from autoclave.device.requirements import rows
from autoclave.errors import ConfigError
from autoclave.model.declared import Requirement

_ELEMENT = re.compile(r"\[\[?(?P<close>/?)(?P<tag>[A-Z][A-Z0-9_]*)\]\]?")
_FIELD = re.compile(r"(?P<name>[A-Z][A-Za-z0-9_-]*): ?(?P<value>.*)\Z")
_FIELDS = {
    "UID": "id",
    "STATEMENT": "text",
    "KIND": "kind",
    "HAZARD": "hazard",
    "METHOD": "method",
    "EVIDENCE": "evidence",
    "IN_SCOPE": "in-scope",
}


class _Element:
    """A requirement while it is being read."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.values: dict[str, str] = {}


def read(text: str, name: str) -> list[Requirement]:
    """Read a document. Raises ConfigError naming file and line."""
    found: list[_Element] = []
    element: _Element | None = None
    lines = iter(enumerate(text.split("\n"), 1))
    for number, line in lines:
        source = f"{name}:{number}"
        if opened := _ELEMENT.fullmatch(line.rstrip()):
            element = None
            if opened["tag"] == "REQUIREMENT" and not opened["close"]:
                element = _Element(source)
                found.append(element)
        elif line.startswith("RELATIONS:"):
            element = None
        elif field := _FIELD.fullmatch(line.rstrip()):
            value = field["value"].strip()
            if value == ">>>":
                value = _lines(lines, source)
            if element is not None:
                _put(element, field["name"], value, source)
    if not text.lstrip().startswith("[DOCUMENT]"):
        raise ConfigError(f"{name}:1: not a StrictDoc document", why="it does not begin with [DOCUMENT]")
    return [rows.make_requirement(each.values, each.source) for each in found]


def _lines(lines: Iterator[tuple[int, str]], source: str) -> str:
    """Return the lines of a text up to its end mark; nothing in them is an element."""
    body: list[str] = []
    for _, line in lines:
        if line.startswith("<<<"):
            return "\n".join(body)
        body.append(line)
    raise ConfigError(f"{source}: the text has no end", next="close it with <<< on a line of its own")


def _put(element: _Element, field: str, value: str, source: str) -> None:
    key = _FIELDS.get(field)
    if key is None:
        return
    if key in element.values:
        raise ConfigError(f"{source}: the requirement has two fields {field}", next="remove one of them")
    element.values[key] = value
