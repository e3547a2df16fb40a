"""Requirements in StrictDoc's own text format (`.sdoc`), line by line, with the documents that one includes.

The format was read in StrictDoc 0.30's grammar: an element is `[TAG]` (or `[[TAG]]` with others inside), its
fields are `NAME: value`, or `NAME: >>>` and lines up to `<<<`; `[DOCUMENT_FROM_FILE]` with `FILE: path`
includes another document. Tags can be those of a grammar of the document's own: every element is a
requirement, but for StrictDoc's text and structure, and for tags that the device file names as none. Of the
fields UID and STATEMENT are needed; KIND, HAZARD, METHOD, EVIDENCE and IN_SCOPE are the device's own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from autoclave.device.requirements import rows
from autoclave.device.schema import resolve_inside
from autoclave.errors import ConfigError, SourceError
from autoclave.model.declared import Requirement

_ELEMENT = re.compile(r"\[\[?(?P<close>/?)(?P<tag>[A-Z][A-Za-z0-9_-]*)\]\]?")
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
_STRUCTURE = {"DOCUMENT", "GRAMMAR", "SECTION", "TEXT", "FREETEXT"}
_MOST_DOCUMENTS = 10_000


class Element:
    """A requirement, or an included document, while it is being read."""

    def __init__(self, tag: str, source: str) -> None:
        self.tag = tag
        self.source = source
        self.values: dict[str, str] = {}


def read(folder: Path, files: Collection[Path], ignored: Collection[str]) -> list[Requirement]:
    """Read documents, and each of those that they include, once. Raises ConfigError naming file and line.

    `ignored` are tags of elements that are no requirements. Raises SourceError for a document that leaves
    the device.
    """
    found: list[Requirement] = []
    waiting = list(files)
    seen = set()
    while waiting:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        if len(seen) + len(waiting) > _MOST_DOCUMENTS:
            raise ConfigError(f"more than {_MOST_DOCUMENTS} StrictDoc documents", next="include fewer")
        included = []
        for element in parse(rows.read_text(folder, path), rows.relative_name(folder, path)):
            if element.tag.endswith("_FROM_FILE"):
                included.append(_included(folder, path, element))
            elif element.tag not in _STRUCTURE and element.tag not in ignored:
                found.append(_make_requirement(element))
        waiting[:0] = [each for each in dict.fromkeys(included) if each not in seen]
    return found


def _make_requirement(element: Element) -> Requirement:
    if element.tag != "REQUIREMENT" and not {"id", "text"} <= element.values.keys():
        raise ConfigError(
            f"{element.source}: the element [{element.tag}] has no UID and STATEMENT",
            why="every element is read as a requirement, so that none is lost",
            next=f'add them, or "{element.tag}" to traceability.not-requirements in autoclave.toml',
        )
    return rows.make_requirement(element.values, element.source)


def _included(folder: Path, path: Path, element: Element) -> Path:
    """Return the document that an element includes: its path is relative to the including one."""
    name = element.values.get("FILE", "")
    below = rows.relative_name(folder, path.parent) if path.parent != folder.resolve() else ""
    found = resolve_inside(folder, f"{below}/{name}" if below else name)
    if not name or not found.is_file():
        raise SourceError(
            f"{element.source}: the document '{rows.sanitize(name)[:200]}' does not exist",
            why="its requirements would be lost",
            next="fix FILE, which is relative to the document that includes it",
        )
    return found


def parse(text: str, name: str) -> list[Element]:
    """Return the elements of a document, in their order. Raises ConfigError naming file and line."""
    if not text.lstrip().startswith("[DOCUMENT]"):
        raise ConfigError(f"{name}:1: not a StrictDoc document", why="it does not begin with [DOCUMENT]")
    found: list[Element] = []
    element: Element | None = None
    lines = iter(enumerate(text.split("\n"), 1))
    for number, line in lines:
        source = f"{name}:{number}"
        if opened := _ELEMENT.fullmatch(line.rstrip()):
            element = None
            if (
                opened["tag"] == "FREETEXT" and not opened["close"]
            ):  # older documents: text up to its end mark
                _lines(lines, source, end="[/FREETEXT]")
            elif not opened["close"]:
                element = Element(opened["tag"], source)
                found.append(element)
        elif line.startswith("RELATIONS:"):
            element = None
        elif field := _FIELD.fullmatch(line.rstrip()):
            value = field["value"].strip()
            if value == ">>>":
                value = _lines(lines, source)
            if element is not None:
                _put(element, field["name"], value, source)
    return found


def _lines(lines: Iterator[tuple[int, str]], source: str, *, end: str = "<<<") -> str:
    """Return the lines of a text up to its end mark; nothing in them is an element."""
    body: list[str] = []
    for _, line in lines:
        if line.startswith(end):
            return "\n".join(body)
        body.append(line)
    raise ConfigError(f"{source}: the text has no end", next=f"close it with {end} on a line of its own")


def _put(element: Element, field: str, value: str, source: str) -> None:
    key = "FILE" if field == "FILE" and element.tag.endswith("_FROM_FILE") else _FIELDS.get(field)
    if key is None or element.tag in _STRUCTURE:
        return
    if key in element.values:
        raise ConfigError(f"{source}: the requirement has two fields {field}", next="remove one of them")
    element.values[key] = value
