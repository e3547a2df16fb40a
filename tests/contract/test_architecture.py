"""The page about the architecture says what the code is, and no arrow between rooms goes up."""

from __future__ import annotations

import re
import runpy
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from autoclave.model import steps

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
STEPS_AND_ORDER = (*(each.module for each in steps.STEPS), "pipeline")

MADE = runpy.run_path(str(ROOT / "docs" / "make_architecture.py"))
FOUND = MADE["architecture"]()


def test_the_picture_is_made_from_this_code() -> None:
    assert MADE["PICTURE"].read_text("utf-8") == MADE["svg"](FOUND), "run: python docs/make_architecture.py"


def test_every_room_of_the_layers_has_one_line_and_no_other_has_one() -> None:
    tree = re.findall(r"^  (\w+)(/|\.py) +\S.*\?$", PAGE, re.MULTILINE)
    assert Counter(room for room, _ in tree) == Counter(FOUND.rooms)
    for room, ending in tree:
        assert (ROOT / "steps" / "autoclave" / f"{room}{ending}").exists(), room


def test_every_name_at_the_top_of_the_package_is_in_a_layer() -> None:
    there = {module.split(".")[1] for module in FOUND.imports if "." in module}
    assert there == set(FOUND.rooms)


def test_the_table_of_layers_is_the_contract() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", PAGE, re.MULTILINE)
    shown = [(int(number), tuple(re.findall(r"`(\w+)`", rooms))) for number, rooms in rows]
    assert shown == list(enumerate(FOUND.layers))[1:]  # the entry has no row


def test_only_script_feet_import_upwards() -> None:
    assert FOUND.wrong() == []
    assert sorted(FOUND.feet) == sorted((step, "cli") for step in STEPS_AND_ORDER)


def test_the_imports_have_no_cycle() -> None:
    assert MADE["cycle"](FOUND.imports) == []
    assert MADE["cycle"]({room: set(FOUND.imports_of(room)) for room in FOUND.rooms}) == []


def test_a_cycle_and_an_arrow_up_are_seen() -> None:
    arrows = {("a", "b"): 1, ("b", "a"): 1, ("a", "c"): 1}
    wrong = MADE["Architecture"](layers=(("a", "c"), ("b",)), arrows=arrows, feet=(), imports={})
    assert wrong.wrong() == [("a", "c"), ("b", "a")]
    assert MADE["cycle"]({"a": {"b"}, "b": {"a"}}) != []


def _names() -> list[str]:
    """Return the names of code that the page gives, `room.module.function` from the package down."""
    rooms = "|".join(FOUND.rooms)
    return sorted(set(re.findall(rf"`((?:{rooms})(?:\.\w+)+)`", PAGE)))


def _resolve(name: str) -> Any:
    parts = name.split(".")
    found: Any = import_module(f"autoclave.{parts[0]}")
    path = found.__name__
    for part in parts[1:]:
        path = f"{path}.{part}"
        found = getattr(found, part) if hasattr(found, part) else import_module(path)
    return found


@pytest.mark.parametrize("name", _names())
def test_what_the_page_names_is_in_the_code(name: str) -> None:
    assert _resolve(name) is not None


def test_the_text_has_every_room_and_reports_no_cycle() -> None:
    text = MADE["text"](FOUND)
    assert all(f"\n  {room} -> " in text for room in FOUND.rooms)
    assert "cycles between modules: none" in text
