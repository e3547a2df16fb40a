"""Values in words: what is allowed, with units and an example, for every kind of value that a file has."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from msgspec import UNSET, Meta, Struct, UnsetType

from autoclave.device.schema import Device
from autoclave.model.text import Line, matching
from autoclave.runtime import values
from autoclave.runtime.values import UNIT, describe, example_of, find_problems


class Level(StrEnum):
    LOW = "low"
    HIGH = "high"


class Inner(Struct, forbid_unknown_fields=True):
    name: Annotated[str, matching("[a-z]+", says="lower-case letters", example="pump", max_length=9)]
    when: date = date(2026, 1, 1)


class Outer(Struct, forbid_unknown_fields=True):
    inner: list[Inner]
    free: dict[str, Any] = {}
    limit: Annotated[int, Meta(ge=1, extra={UNIT: "seconds"})] | UnsetType = UNSET


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Level, 'one of "low", "high"'),
        (Literal["tcp", "udp"], 'one of "tcp", "udp"'),
        (Literal["only"], '"only"'),
        (bool, "true or false"),
        (date | None, "a date, such as 2026-11-30"),
        (Annotated[int, Meta(ge=1, le=9, extra={UNIT: "seconds"})], "a whole number of seconds from 1 to 9"),
        (Annotated[float, Meta(le=1)], "a number to 1"),
        (Annotated[str, Meta(min_length=1)], "a text in quotes with at least one character"),
        (Annotated[str, Meta(min_length=2)], "a text in quotes with at least 2 characters"),
        (Annotated[str, Meta(max_length=5)], "a text in quotes with at most 5 characters"),
        (Annotated[list[bool], Meta(min_length=1)], "a list with at least one entry, each true or false"),
        (list[Any], "a list"),
        (frozenset[Level], 'a list, each one of "low", "high"'),
        (dict[str, Any], "a table"),
        (dict[str, int], "a table: each name a text in quotes; each value a whole number"),
        (Inner, "a table with name, when"),
    ],
)
def test_a_type_is_described_in_words(kind: Any, words: str) -> None:
    assert describe(kind) == words


def test_examples_are_toml() -> None:
    assert example_of(Line) == '"infusion pump"'
    assert example_of(frozenset[Level]) == '["low"]'
    assert example_of(int) == ""


def test_good_data_has_no_problem() -> None:
    assert find_problems({"inner": [{"name": "a"}], "free": {"x": 1}, "limit": 3}, Outer) == []


def test_every_problem_is_found_with_its_path() -> None:
    data = {"inner": [{"name": "A", "wen": 1}, 3, {}], "limit": 0, "more": 1}
    found = {each.path: (each.what, each.why) for each in find_problems(data, Outer)}
    assert found == {
        "inner[0].name": ('is "A"', "it must be lower-case letters, at most 9 characters"),
        "inner[0].wen": ("is unknown", "it would be silently ignored"),
        "inner[1]": ("is 3", "it must be a table with name, when"),
        "inner[2].name": ("is missing", "it is required: lower-case letters, at most 9 characters"),
        "limit": ("is 0", "it must be a whole number of seconds from 1"),
        "more": ("is unknown", "it would be silently ignored"),
    }


def test_long_values_are_cut_and_problems_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "MOST", 3)
    found = find_problems({"inner": [{"name": "A" * 5000}] * 9}, Outer)
    assert len(found) == 3
    assert len(found[0].what) < 80


@pytest.mark.parametrize("data", [[], 3, "x", {"device": []}, {"image": {}}, {"image": [[]]}])
def test_what_is_of_another_shape_altogether_is_a_problem_and_no_defect(data: Any) -> None:
    assert find_problems(data, Device)
