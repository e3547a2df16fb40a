"""GitLab's container-scanning report, checked against the demands of schema 15.0.7."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jsonschema
import pytest

from autoclave.hosts.gitlab import container_scanning
from autoclave.model.facts import Database, Finding, Kind, ScanFacts, Severity
from autoclave.model.inventory import Ecosystem

TEXT = {"type": "string", "minLength": 1}
LINK = {"type": "string", "pattern": "^(https?|ftp)://.+"}
TIME = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$"}


def record(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": required | optional}


TOOL = record({"id": TEXT, "name": TEXT, "version": TEXT, "vendor": record({"name": TEXT})})
IDENTIFIER = record({"type": TEXT, "name": TEXT, "value": TEXT}, url=LINK)
LOCATION = record(
    {
        "dependency": record(
            {"package": record({"name": {"type": "string"}}), "version": {"type": "string"}}
        ),
        "operating_system": TEXT,
        "image": TEXT,
    }
)
# What GitLab's schema demands of the parts that we write.
SCHEMA = record(
    {
        "version": {"const": "15.0.7"},
        "scan": record(
            {
                "analyzer": TOOL,
                "scanner": TOOL,
                "start_time": TIME,
                "end_time": TIME,
                "status": {"enum": ["success", "failure"]},
                "type": {"const": "container_scanning"},
            }
        ),
        "vulnerabilities": {
            "type": "array",
            "items": record(
                {
                    "id": TEXT,
                    "identifiers": {"type": "array", "minItems": 1, "items": IDENTIFIER},
                    "location": LOCATION,
                },
                name={"type": "string", "maxLength": 255},
                description={"type": "string", "maxLength": 1048576},
                severity={"enum": ["Info", "Unknown", "Low", "Medium", "High", "Critical"]},
                solution={"type": "string", "maxLength": 7000},
                links={"type": "array", "items": record({"url": LINK})},
            ),
        },
    },
    remediations={"type": "array"},
)

CVE = Finding(
    id="CVE-2019-10906", kind=Kind.VULNERABILITY, severity=Severity.HIGH, title="sandbox escape",
    target="site-packages/Jinja2", aliases=("GHSA-462w-v97r-4m45",), package="Jinja2", version="2.10",
    fixed="2.10.1", url="https://nvd.nist.gov/vuln/detail/CVE-2019-10906",
)  # fmt: skip
SECRET = Finding(
    id="private-key", kind=Kind.SECRET, severity=Severity.UNKNOWN, title="", target="/srv/key.pem"
)
ODD = Finding(
    id="CVE-1", kind=Kind.VULNERABILITY, severity=Severity.LOW, title="x" * 999,
    target="t", url="javascript:1", fixed="1, " * 9000,
)  # fmt: skip


def report(*findings: Finding, os: str = "debian 12.8", image: str = "pump@sha256:1") -> Any:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    facts = ScanFacts(
        scanner="trivy",
        scanner_version="0.74.0",
        database=Database(updated=moment, digest="sha256:0", size=1),
        started=moment,
        finished=(moment + timedelta(seconds=7)).astimezone(timezone(timedelta(hours=2))),
        ecosystems=(Ecosystem(name=os, is_system=True, packages=1, judged=True),),
        findings=findings,
    )
    return json.loads(container_scanning.render(facts, image=image))


@pytest.mark.parametrize("findings", [(), (CVE, SECRET, ODD)])
def test_the_report_meets_the_schema(findings: tuple[Finding, ...]) -> None:
    jsonschema.validate(report(*findings, os=""), SCHEMA)


def test_a_vulnerability_says_what_where_and_what_to_do() -> None:
    (one,) = report(CVE)["vulnerabilities"]
    assert one["severity"] == "High"
    assert one["solution"] == "Upgrade Jinja2 to 2.10.1"
    assert one["location"] == {
        "dependency": {"package": {"name": "Jinja2"}, "version": "2.10"},
        "operating_system": "debian 12.8",
        "image": "pump@sha256:1",
    }
    assert [(i["type"], i["value"]) for i in one["identifiers"]] == [
        ("cve", "CVE-2019-10906"),
        ("ghsa", "GHSA-462w-v97r-4m45"),
    ]
    assert one["identifiers"][0]["url"] == one["links"][0]["url"] == CVE.url


def test_times_are_utc_without_a_zone() -> None:
    scan = report()["scan"]
    assert (scan["start_time"], scan["end_time"]) == ("2026-01-02T03:04:05", "2026-01-02T03:04:12")


def test_ids_are_stable_from_image_to_image_and_differ_between_findings() -> None:
    first = [one["id"] for one in report(CVE, SECRET)["vulnerabilities"]]
    again = [one["id"] for one in report(CVE, SECRET, image="pump@sha256:2")["vulnerabilities"]]
    assert first == again
    assert len(set(first)) == 2
    assert all(re.fullmatch(r"[0-9a-f-]{36}", one) for one in first)


def test_a_secret_is_shown_by_its_file() -> None:
    (one,) = report(SECRET)["vulnerabilities"]
    assert one["location"]["dependency"]["package"]["name"] == "/srv/key.pem"
    assert one["identifiers"] == [{"type": "trivy_secret", "name": "private-key", "value": "private-key"}]
    assert one["severity"] == "Unknown"


def test_reports_of_several_images_are_one_report_that_meets_the_schema() -> None:
    reports = [report(CVE, SECRET, image="pump"), report(image="screen"), report(CVE, image="panel")]
    merged = json.loads(container_scanning.merge([json.dumps(each).encode() for each in reports]))
    jsonschema.validate(merged, SCHEMA)
    found = merged["vulnerabilities"]
    assert [each["location"]["image"] for each in found] == ["pump", "pump", "panel"]
    assert len({each["id"] for each in found}) == 3


def test_a_merged_report_spans_the_scans_of_all_images() -> None:
    early, late = report(), report()
    early["scan"]["start_time"], late["scan"]["end_time"] = "2026-01-02T03:00:00", "2026-01-02T03:59:59"
    scan = json.loads(container_scanning.merge([json.dumps(each).encode() for each in (late, early)]))["scan"]
    assert (scan["start_time"], scan["end_time"]) == ("2026-01-02T03:00:00", "2026-01-02T03:59:59")
