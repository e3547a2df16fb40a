"""Reports that the tools themselves wrote, and others that were met: each counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave.junit import reader

FOLDER = Path(__file__).parents[2] / "fixtures/junit"
TABLE = [line.split("\t") for line in (FOLDER / "expected.tsv").read_text().splitlines() if line[0] != "#"]


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_report_says_what_was_counted_by_hand(row: list[str]) -> None:
    name, *counts, hides, defect, _ = row
    with (FOLDER / name).open("rb") as stream:
        facts = reader.read(stream)
    assert defect in facts.defect if defect else not facts.defect
    found = (facts.passed, facts.failed, facts.errors, facts.skipped, len(facts.flaky))
    assert found == tuple(map(int, counts))
    assert list(facts.hidden_retries) == ([hides] if hides else [])


def test_each_report_is_in_the_table() -> None:
    kept = {path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*.xml")}
    assert kept - {row[0] for row in TABLE} == {
        "recorded/surefire-5-green.xml",
        "recorded/surefire-5-green-Alarms.xml",
    }


def test_files_that_surefire_writes_for_nested_classes_count_together() -> None:
    names = ["surefire-5-green.xml", "surefire-5-green-Alarms.xml"]
    facts = reader.read_all((name, [(FOLDER / "recorded" / name).read_bytes()]) for name in names)
    assert (facts.passed, facts.defect) == (4, "")
