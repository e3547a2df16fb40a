"""Requirements in ReqIF (OMG formal/16-07-01): the SPEC-OBJECTs of an exchange file, by the names of their
attributes.

The format was read in the standard's schema and in files that StrictDoc 0.30 and its library `reqif` 0.1
wrote and read. Tools name attributes after the ReqIF Implementation Guide (`ReqIF.ForeignID`, `ReqIF.Text`,
`ReqIF.ChapterName`) or as they like; those of the device's own are Kind, Hazard, Method, Evidence and
In-scope. An object with a heading and no text is structure.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from autoclave.device.requirements import rows
from autoclave.errors import ConfigError
from autoclave.model.declared import Requirement

_DEEPEST = 200
_MOST_ELEMENTS = 1_000_000
# The first that an object has counts.
_NAMES = {
    "id": ("uid", "reqif-foreignid", "foreignid", "id", "requirement-id", "object-identifier"),
    "text": ("statement", "reqif-text", "text", "object-text", "description", "reqif-description"),
    "heading": ("reqif-chaptername", "chaptername", "object-heading", "title", "reqif-name", "name"),
    **{key: (key,) for key in ("kind", "hazard", "method", "evidence", "in-scope")},
}
_STRUCTURE = {"section", "text", "heading", "freetext", "document"}


def read(text: str, name: str, ignored: Collection[str]) -> list[Requirement]:
    """Read an exchange file. Raises ConfigError naming the file and the object.

    `ignored` are names of object types that are no requirements.
    """
    root = _parse(text, name)
    if _local(root) != "REQ-IF":
        raise ConfigError(f"{name}: not a ReqIF file", why=f"its root element is <{_local(root)[:50]}>")
    values = {each.get("IDENTIFIER", ""): each.get("LONG-NAME", "") for each in _all(root, "ENUM-VALUE")}
    types = {each.get("IDENTIFIER", ""): each.get("LONG-NAME", "") for each in _all(root, "SPEC-OBJECT-TYPE")}
    definitions = {
        each.get("IDENTIFIER", ""): _plain(each.get("LONG-NAME", ""))
        for each in root.iter()
        if _local(each).startswith("ATTRIBUTE-DEFINITION-") and not _local(each).endswith("-REF")
    }
    defaults = {
        each.get("IDENTIFIER", ""): dict(_defaults(each, definitions, values))
        for each in _all(root, "SPEC-OBJECT-TYPE")
    }
    passed_over = _STRUCTURE | {each.lower() for each in ignored}
    found = []
    for each in _all(root, "SPEC-OBJECT"):
        reference = _reference(each, "SPEC-OBJECT-TYPE-REF")
        kind = types.get(reference, "")
        if kind.lower() not in passed_over:
            words = defaults.get(reference, {}) | dict(_attributes(each, definitions, values))
            if requirement := _make_requirement(each.get("IDENTIFIER", ""), kind, words, name):
                found.append(requirement)
    return found


def _make_requirement(identifier: str, kind: str, words: dict[str, str], name: str) -> Requirement | None:
    """Return the requirement of an object; None when it is a heading."""
    picked = {
        key: next((words[each] for each in names if words.get(each, "").strip()), "")
        for key, names in _NAMES.items()
    }
    source = f"{name}:{rows.sanitize(identifier)[:100]}"
    if not picked["text"]:
        if picked["heading"]:
            return None
        raise ConfigError(
            f"{source}: the object has neither a text nor a heading",
            why=f"its type is '{rows.sanitize(kind)[:100]}', and it has "
            f"{', '.join(map(rows.sanitize, words))[:200] or 'no attribute'}",
            next="add ReqIF.Text, or the type to traceability.not-requirements in autoclave.toml",
        )
    return rows.make_requirement({**picked, "id": picked["id"] or identifier}, source)


def _defaults(kind: Any, definitions: dict[str, str], values: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what an object of a type has where it names no value."""
    for each in kind.iter():
        for default in each if _local(each).startswith("ATTRIBUTE-DEFINITION-") else ():
            if _local(default) == "DEFAULT-VALUE":
                for _, said in _attributes(default, definitions, values):
                    yield definitions.get(each.get("IDENTIFIER", ""), ""), said


def _attributes(
    element: Any, definitions: dict[str, str], values: dict[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield the attributes of an object by the names of their definitions."""
    for each in element.iter():
        tag = _local(each)
        if not tag.startswith("ATTRIBUTE-VALUE-"):
            continue
        reference = _reference(each, f"{tag.replace('VALUE', 'DEFINITION', 1)}-REF")
        if tag == "ATTRIBUTE-VALUE-XHTML":
            said = " ".join(text for part in _all(each, "THE-VALUE") for text in part.itertext())
        elif tag == "ATTRIBUTE-VALUE-ENUMERATION":
            chosen = [(one.text or "").strip() for one in _all(each, "ENUM-VALUE-REF")]
            said = ", ".join(values.get(one, one) for one in chosen)
        else:
            said = each.get("THE-VALUE", "")
        yield definitions.get(reference, reference), said


def _parse(text: str, name: str) -> Any:
    """Return the root element, without document types, and within bounds."""
    root = None
    depth = count = 0
    try:
        events = ElementTree.iterparse(io.BytesIO(text.encode()), events=("start", "end"), forbid_dtd=True)
        for event, element in events:
            root = element if root is None else root
            depth += 1 if event == "start" else -1
            count += 1
            if depth > _DEEPEST or count > 2 * _MOST_ELEMENTS:
                raise ConfigError(
                    f"{name}: elements nested more than {_DEEPEST} deep, or more than {_MOST_ELEMENTS:,}"
                )
    except ParseError as error:
        raise ConfigError(f"{name}: not XML", why=str(error), next="export it again") from error
    except (DefusedXmlException, ValueError, LookupError) as error:
        raise ConfigError(
            f"{name}: XML that is refused",
            why=f"a document type, an entity or an encoding: {type(error).__name__}",
            next="export it again, as UTF-8 and without a document type",
        ) from error
    return root


def _all(element: Any, tag: str) -> Iterator[Any]:
    return (each for each in element.iter() if _local(each) == tag)


def _reference(element: Any, tag: str) -> str:
    return next(((each.text or "").strip() for each in _all(element, tag)), "")


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(" ", "-").replace(".", "-")
