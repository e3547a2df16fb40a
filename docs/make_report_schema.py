"""Write docs/report.schema.json: the form of `release.json`, from the structs that it is written from.

python docs/make_report_schema.py      # a contract test fails while the schema and the code differ
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from autoclave.report.schema import SCHEMA_VERSION, Report

SCHEMA = Path(__file__).with_name("report.schema.json")


def text() -> str:
    """Return the schema as indented JSON."""
    schema = msgspec.json.schema(Report)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:autoclave:schema:release-report:v{SCHEMA_VERSION}",
        "title": "Autoclave release report",
    }
    return json.dumps(head | schema, indent=1) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(text(), "utf-8")
