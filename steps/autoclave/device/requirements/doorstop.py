"""Requirements in Doorstop: a folder for each document, a YAML or Markdown file for each item.

The format was read from files that Doorstop 3.2 wrote. An item's id is its file's name. Items that are not
normative are headings and remarks; those that are not active are listed, and no test is required. The
attributes kind, hazard, method, evidence and in-scope are the device's own; derived items are requirements
like others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, NodeEvent

from autoclave.device.requirements import rows
from autoclave.errors import ConfigError
from autoclave.model.declared import Requirement

SETTINGS = ".doorstop.yml"

_DEEPEST = 16
_FRONT = re.compile(r"---[ \t]*\r?\n(?P<yaml>.*?\n)---[ \t]*(?:\r?\n|\Z)(?P<body>.*)", re.DOTALL)
_HEADING = re.compile(r"\s*#[ \t]+(?P<header>[^\n]*)\n?(?P<rest>.*)", re.DOTALL)
_ENDINGS = {"yaml": {".yml", ".yaml"}, "markdown": {".md"}}
_OWN = ("kind", "hazard", "method", "evidence")


def read(folder: Path, files: Iterable[Path]) -> list[Requirement]:
    """Read every document among the files of a folder. Raises ConfigError naming file and line."""
    listed = list(files)
    documents = {each.parent: _settings(folder, each) for each in listed if each.name == SETTINGS}
    found = []
    for path in listed:
        home = next((each for each in path.parents if each in documents), None)
        if home is None or path.name.startswith("."):
            continue
        prefix, endings = documents[home]
        if path.suffix.lower() in endings and path.stem.lower().startswith(prefix.lower()):
            item = _item(folder, path)
            if item:
                found.append(item)
    return found


def _settings(folder: Path, path: Path) -> tuple[str, set[str]]:
    """Return a document's prefix, and how the names of its items end."""
    name = rows.relative_name(folder, path)
    settings = _load(rows.read_text(folder, path), name, 1).get("settings")
    prefix = settings.get("prefix") if isinstance(settings, dict) else None
    written = settings.get("itemformat", "yaml") if isinstance(settings, dict) else None
    if not isinstance(prefix, str) or not prefix or written not in _ENDINGS:
        raise ConfigError(
            f"{name}:1: not the settings of a Doorstop document",
            next="it needs settings.prefix, and settings.itemformat yaml or markdown",
        )
    return prefix, _ENDINGS[written]


def _item(folder: Path, path: Path) -> Requirement | None:
    name = rows.relative_name(folder, path)
    text = rows.read_text(folder, path)
    data: dict[str, Any]
    if path.suffix.lower() == ".md":
        parts = _FRONT.fullmatch(text)
        if parts is None:
            raise ConfigError(
                f"{name}:1: not an item of Doorstop", why="it does not begin with YAML between ---"
            )
        data = _load(parts["yaml"], name, 2)
        heading = _HEADING.fullmatch(parts["body"])
        said = heading["rest"] if heading else parts["body"]
        data |= {"text": said, "header": heading["header"] if heading else ""}
    else:
        data = _load(text, name, 1)
    source = f"{name}:1"
    if not _flag(data, "normative", source):
        return None
    words = {key: _word(data.get(key), source, key) for key in _OWN}
    words["text"] = _word(data.get("text"), source, "text") or _word(data.get("header"), source, "header")
    in_scope = _flag(data, "active", source) and _flag(data, "in-scope", source)
    return rows.make_requirement({**words, "id": path.stem, "in-scope": "yes" if in_scope else "no"}, source)


def _flag(data: dict[str, Any], key: str, source: str) -> bool:
    """Return a flag; a missing one is true, as in Doorstop."""
    value = data.get(key)
    if isinstance(value, bool):
        return value
    return rows.parse_flag(
        {"on": "yes", "off": "no"}.get(str(value), str(value)) if value is not None else "", source, key
    )


def _word(value: object, source: str, key: str) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(each, str | int) for each in value):
        return ", ".join(map(str, value))
    if isinstance(value, str | int | float):
        return str(value)
    raise ConfigError(f"{source}: {key} is not text", next="write it as one word, or a list of words")


def _load(text: str, name: str, first: int) -> dict[str, Any]:
    """Read one YAML mapping without tags, anchors or aliases; `first` is the line that it begins at."""
    try:
        _refuse_tricks(text, name, first)
        data = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, RecursionError, ValueError, TypeError, OverflowError) as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        line = first + (mark.line if mark else 0)
        why = (error.problem if isinstance(error, MarkedYAMLError) else None) or type(error).__name__
        raise ConfigError(
            f"{name}:{line}: not YAML that can be used", why=why, next="fix the line"
        ) from error
    if not isinstance(data, dict):
        raise ConfigError(f"{name}:{first}: not a YAML mapping", next="write it as Doorstop does")
    return data


def _refuse_tricks(text: str, name: str, first: int) -> None:
    depth = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        trick = (
            "an alias"
            if isinstance(event, AliasEvent)
            else "an anchor"
            if isinstance(event, NodeEvent) and event.anchor
            else "a tag"
            if getattr(event, "tag", None)
            else f"more than {_DEEPEST} levels"
            if depth > _DEEPEST
            else ""
        )
        if trick:
            line = first + event.start_mark.line
            raise ConfigError(
                f"{name}:{line}: {trick}, which is refused",
                why="an item does not need it, and it could grow without bounds or run code",
                next="write the value itself",
            )
