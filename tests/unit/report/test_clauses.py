"""The clause catalogue: complete, strict, and every row resolves to a record and a gate that exist."""

from __future__ import annotations

import pytest

from autoclave.errors import ConfigError
from autoclave.evidence.statement import NAME_OF
from autoclave.report import clauses
from autoclave.report.assemble import clauses as table
from autoclave.report.clauses import Cover, Source
from autoclave.report.sections.gates import RECORD_OF
from autoclave.runtime.toml import convert

SOURCES = clauses.load()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.id)
def test_every_row_resolves(source: Source) -> None:
    numbers = [each.number for each in source.clause]
    assert len(numbers) == len(set(numbers))
    for each in source.clause:
        assert set(each.records) <= set(NAME_OF.values()), each.number
        assert each.gate in {"", *RECORD_OF}, each.number


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.id)
def test_every_row_says_what_its_cover_means(source: Source) -> None:
    for each in source.clause:
        assert bool(each.shows) == (each.cover is not Cover.NOT), each.number
        assert bool(each.cannot) == (each.cover is not Cover.COVERED), each.number
        assert bool(each.records) or each.cover is not Cover.COVERED, each.number


def test_all_sources_are_there() -> None:
    assert {each.id for each in SOURCES} == {
        "cfr-21-11",
        "fda-524b",
        "hipaa-164-312",
        "iec-62304",
        "iec-81001-5-1",
        "nist-sp-800-190",
        "owasp-cicd-10",
    }
    assert sum(len(each.clause) for each in SOURCES) >= 70


def test_a_mistake_in_a_file_is_refused() -> None:
    row = {"number": "1", "title": "t", "cover": "covered"}
    source = {"id": "x", "title": "t", "edition": "e", "read": "r", "version": 1}
    for bad in ({**row, "cover": "mostly"}, {**row, "covers": "x"}, {**row, "classes": "AD"}):
        with pytest.raises(ConfigError):
            convert({**source, "clause": [bad]}, Source, source="x")
    with pytest.raises(ConfigError):
        convert({**source, "clause": []}, Source, source="x")


def test_the_table_knows_class_and_records() -> None:
    (made,) = table([next(each for each in SOURCES if each.id == "iec-62304")], "A", {"provenance"})
    rows = {each.number: each for each in made.clauses}
    assert not rows["5.5.2"].asked
    assert rows["5.5.1"].asked
    assert rows["5.5.1"].present
    assert not rows["5.8.1"].present
    assert made.covered + made.partly + made.not_covered == len(made.clauses)
