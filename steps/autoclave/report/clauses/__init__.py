"""The clause catalogue: what standards require, which record shows it, and what a pipeline cannot show.

One TOML file per source, versioned data: no clause is a branch in code. Titles and texts are our own words.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from enum import StrEnum
from importlib import resources
from typing import Annotated

from msgspec import Meta, Struct

from autoclave.model.text import matching
from autoclave.runtime.toml import convert

_Words = Annotated[str, Meta(min_length=1, max_length=600)]


class Cover(StrEnum):
    """How much of a clause a pipeline can show."""

    COVERED = "covered"
    PARTLY = "partly"
    NOT = "not"


class Clause(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One clause. `classes` are the IEC 62304 classes it applies to; empty: the source has no classes.

    `records` are the short names of the records that show it, `gate` the step whose gate judges it.
    `verified` is false while the number was not checked against a freely readable source.
    """

    number: Annotated[str, Meta(min_length=1, max_length=40)]
    title: _Words
    cover: Cover
    classes: Annotated[str, matching("A?B?C?", says="A, B and C in this order", example="BC")] = ""
    records: tuple[str, ...] = ()
    gate: str = ""
    shows: str = ""
    cannot: str = ""
    verified: bool = True


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source: its title and edition, where our mapping was read, and the version of this mapping."""

    id: Annotated[
        str, matching("[a-z0-9-]+", says="lower-case letters, digits and hyphens", example="iec-62304")
    ]
    title: _Words
    edition: _Words
    read: _Words
    version: Annotated[int, Meta(ge=1)]
    clause: Annotated[tuple[Clause, ...], Meta(min_length=1)]


def load() -> tuple[Source, ...]:
    """Return every source of the catalogue, by file name. Raises ConfigError for a file with a mistake."""
    files = sorted(
        (each for each in resources.files(__name__).iterdir() if each.name.endswith(".toml")),
        key=lambda each: each.name,
    )
    return tuple(
        convert(tomllib.loads(each.read_text("utf-8")), Source, source=f"clauses {each.name}")
        for each in files
    )


def counts(clauses: Sequence[Clause]) -> dict[Cover, int]:
    """Return how many clauses are covered, partly covered and not covered by a pipeline."""
    return {cover: sum(each.cover is cover for each in clauses) for cover in Cover}
