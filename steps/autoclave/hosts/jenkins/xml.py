"""Configurations of Jenkins as XML: read safely, merged, written, and compared readably.

A configuration is somebody's work: only what is named here is set, everything else is kept.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from copy import deepcopy
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from autoclave.errors import HostError

_DECLARATION = re.compile(r"\A\s*<\?xml\b[^>]*\?>")
_SECRET_TAG = re.compile(r"(?i)token|secret|passw|passphrase|privatekey|apikey")
_SECRET_TEXT = re.compile(r"\{[A-Za-z0-9+/=]{16,}\}")  # how Jenkins writes what it has encrypted


def read(text: str) -> Element:
    """Read a configuration. Raises HostError for invalid XML, and for entities."""
    # Jenkins writes XML 1.1, which no parser of Python reads; only control characters differ.
    try:
        root: Element = fromstring(_DECLARATION.sub("", text), forbid_dtd=True)
    except (SyntaxError, ValueError, DefusedXmlException) as error:
        raise HostError(
            "the configuration from Jenkins cannot be read",
            why=f"{type(error).__name__}: {error}"[:300],
            next="check the job's config.xml",
        ) from error
    return root


def write(root: Element) -> str:
    """Return a configuration as Jenkins reads it."""
    # A raw carriage return would be read as a line feed, and change what others have typed.
    body = tostring(root, encoding="unicode").replace("\r", "&#13;")
    return f"<?xml version='1.0' encoding='UTF-8'?>\n{body}\n"


def ensure_child(parent: Element, path: str, **attributes: str) -> Element:
    """Return the element at a path of tags, creating what is missing; a new last one gets the attributes."""
    here = parent
    tags = path.split("/")
    for number, tag in enumerate(tags):
        found = here.find(tag)
        if found is None:
            found = SubElement(here, tag, attributes if number == len(tags) - 1 else {})
        here = found
    return here


def set_text(parent: Element, path: str, text: str) -> None:
    """Set the text of the element at a path, creating what is missing."""
    element = ensure_child(parent, path)
    if (element.text or "") != text:
        element.text = text


def is_same(one: Element, other: Element) -> bool:
    """Return whether two configurations are equal but for blanks between elements."""
    return _to_text(one) == _to_text(other)


def diff(before: Element | None, after: Element, name: str) -> str:
    """Return the difference, for people; what may be a secret is not shown."""
    old = _lines(before) if before is not None else []
    lines = difflib.unified_diff(
        old,
        _lines(after),
        f"{name} as it is" if old else "(nothing)",
        f"{name} as it will be",
        lineterm="",
        n=2,
    )
    return "\n".join(lines)


def _lines(root: Element) -> list[str]:
    copy = deepcopy(root)
    for element in copy.iter():
        text = element.text or ""
        if text.strip() and (_SECRET_TAG.search(element.tag) or _SECRET_TEXT.search(text)):
            element.text = "[not shown]"
    return ["".join(_escape_invisible(line)) for line in _to_text(copy).split("\n")]


def _escape_invisible(line: str) -> Iterator[str]:
    for each in line:
        yield each if each.isprintable() else f"\\u{ord(each):04x}"


def _to_text(root: Element) -> str:
    copy = deepcopy(root)
    for element in copy.iter():
        if len(element) == 0 and element.text is None:
            element.text = ""  # <a/> and <a></a> are equal
    indent(copy)
    return tostring(copy, encoding="unicode", short_empty_elements=False)
