"""Repositories for tests of `autoclave init`: files by name, and the draft that comes of them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from autoclave.actions.starter import repository, survey
from autoclave.actions.starter.draft import Draft
from autoclave.actions.starter.facts import Kind, lines_of
from autoclave.actions.starter.render import render
from autoclave.actions.starter.repository import Repository
from autoclave.device import device_file as device_file_room
from builders import shapes


def repository_of(files: Mapping[str, str | bytes], *, name: str = "dose-engine") -> Repository:
    """Return a repository with these files."""
    raw = {path: each if isinstance(each, bytes) else each.encode() for path, each in files.items()}
    return repository.make(name, raw, {path: each for path, each in raw.items() if survey.is_wanted(path)})


def draft_of(files: Mapping[str, str | bytes], *, name: str = "dose-engine") -> Draft:
    """Return the draft for these files."""
    return survey.draft(repository_of(files, name=name))


def draft_of_shape(shape: str) -> Draft:
    """Return the draft for a shape."""
    return draft_of(shapes.SHAPES[shape][1], name=shape)


def device_file(draft: Draft) -> dict[str, Any]:
    """Return the device file of a draft as data, after it was read as every command reads it."""
    text = render(draft)
    device_file_room.parse(text.encode(), source="autoclave.toml")
    return tomllib.loads(text)


def left_of(draft: Draft) -> list[str]:
    """Return what a person still has to do."""
    remarks = [*draft.remarks, *(each for part in draft.parts for each in part.remarks)]
    return list(lines_of(each for each in remarks if each.kind is Kind.LEFT))
