"""CSV as spreadsheets write it: separators, empty cells, words for yes and no, and invisible characters."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave.device import requirements
from autoclave.errors import ConfigError
from autoclave.model.declared import Requirement

FOUND = Path(__file__).parents[3] / "fixtures/requirements/spreadsheets"


def read(tmp_path: Path, text: str) -> tuple[Requirement, ...]:
    (tmp_path / "r.csv").write_bytes(text.encode())
    return requirements.read(tmp_path, "r.csv")


@pytest.mark.parametrize("name", ["semicolons", "trailing-empty-columns", "trailing-comma-rows"])
def test_what_spreadsheets_write_is_read(name: str) -> None:
    one, two = requirements.read(FOUND, f"{name}.csv")
    assert (one.id, one.text, one.kind, one.hazard) == (
        "SRS-1",
        "The pump stops, at once",
        "risk-control",
        "HAZ-1",
    )
    assert (two.id, two.text, two.source) == ("SRS-2", 'Line one line two "quoted"', f"{name}.csv:3")


def test_words_for_yes_and_no_are_those_of_the_spreadsheets_language() -> None:
    assert [each.in_scope for each in requirements.read(FOUND, "booleans.csv")] == [False, True, False]


@pytest.mark.parametrize(
    "head", ["sep=;\r\nid;text\r\n", "id;text\n", '"id";"text"\n', "id\ttext\n", "\n\nid;text\n"]
)
def test_the_separator_is_the_headers(tmp_path: Path, head: str) -> None:
    (one,) = read(tmp_path, head + ("\t" if "\t" in head else ";").join(["A-1", "It stops, at once"]) + "\n")
    assert (one.id, one.text) == ("A-1", "It stops, at once")


def test_cells_that_a_spreadsheet_leaves_out_are_empty(tmp_path: Path) -> None:
    (one,) = read(tmp_path, "id,text,kind,hazard\nA-1,It stops\n")
    assert (one.kind, one.hazard) == ("requirement", "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,text,,\nA-1,x,,more\n", "r.csv:2: column 4 has no name, and 'more' in it"),
        ("id;text\nA-1;one; two\n", "r.csv:2: 3 columns, the header names 2"),
        ("id,text\nA-1\u200b,x\n", "U+200B ZERO WIDTH SPACE"),
        ("id,text\nA\u00a01,x\n", "U+00A0 NO-BREAK SPACE"),
        ("id,text\u200b,text\nA,x,y\n", "unknown column 'text' (it contains U+200B ZERO WIDTH SPACE"),
        ('id;text\nA-1;unfinished "quote\n"x', "not CSV"),
        ("id|text\nA-1|x\n", "the header has no column 'id'"),
        (
            "id\u200b,text\nA,x\n",
            "no column 'id' (it contains U+200B ZERO WIDTH SPACE, which cannot be seen)",
        ),
        ("id;text\nA-1\n", "r.csv:2: 1 columns, the header names 2"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_cause(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert says in caught.value.what


def test_a_semicolon_in_a_text_is_named_as_the_separator(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, "id;text\nA-1;one; two\n")
    assert "contains a semicolon" in caught.value.next


def test_a_zero_width_space_in_an_id_is_named() -> None:
    with pytest.raises(ConfigError, match="U\\+200B ZERO WIDTH SPACE"):
        requirements.read(FOUND, "zero-width.csv")
