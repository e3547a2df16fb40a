"""What is generated for the report: the clause page and the JSON schema, which a report fits."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from autoclave.report.inputs import Inputs
from builders import sample_report

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "docs" / "report.schema.json"


def test_the_clause_page_is_made_from_the_catalogue() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_clauses.py"))
    assert made["PAGE"].read_text("utf-8") == made["page"](), "run: python docs/make_clauses.py"


def test_the_schema_is_made_from_the_code() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_report_schema.py"))
    assert made["SCHEMA"].read_text("utf-8") == made["text"](), "run: python docs/make_report_schema.py"


@pytest.mark.parametrize("known", [sample_report.GOOD, sample_report.NOTHING])
def test_a_report_fits_the_published_schema(known: Inputs) -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(sample_report.json(known))


def test_another_report_does_not_fit() -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    spoilt = sample_report.json()
    spoilt["verdict"]["outcome"] = "MAYBE"
    assert not Draft202012Validator(schema).is_valid(spoilt)
    del spoilt["verdict"]
    assert not Draft202012Validator(schema).is_valid(spoilt)
