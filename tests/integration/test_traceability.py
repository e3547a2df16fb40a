"""What the record of a real run says of requirements: traced, flaky and unlinked tests, and who ran it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from builders.devices import KNOWN_BAD, SAMPLE, Repository
from builders.flow import device

LINKS = """\
[[link]]
test = "links::by_*"
requirements = ["REQ-2"]
"""
REQUIREMENTS = """\
id,text,kind,hazard,method,evidence
REQ-1,app.py is a program that Python can compile.,requirement,,test,
REQ-2,It answers.,risk-control,HAZ-7,test,
REQ-3,It is described in the manual.,requirement,,inspection,DOC-4
REQ-4,Nobody tested this.,requirement,,test,
"""
REPORT = """\
from pathlib import Path

one = (
    '<properties><property name="requirement" value="REQ-1"/>'
    '<property name="TestType" value="fault-injection"/>'
    '<property name="DerivationTechnique" value="boundary-values"/></properties>'
)
reports = Path("/autoclave/results/target/reports")
reports.mkdir(parents=True)
(reports / "TEST-a.xml").write_text(
    '<testsuite name="links">'
    f'<testcase classname="links" name="twice">{one}<flakyFailure message="first try"/></testcase>'
    "</testsuite>"
)
(reports / "TEST-b.xml").write_text(
    '<testsuite name="links">'
    '<testcase classname="links" name="by_name"/>'
    '<testcase classname="links" name="alone"/>'
    "</testsuite>"
)
(reports / "notes.txt").write_text("not a report")
"""
PAGE = {
    "GITLAB_CI": "true",
    "CI_JOB_URL": "https://bot:s3cret@gitlab.example/g/p/-/jobs/7?private_token=s3cret",
}


def run_of(repository: Repository) -> dict[str, Any]:
    """The facts of the test record, as `autoclave show` prints them."""
    digest = next(
        each["digest"]
        for each in repository.index["manifests"]
        if each.get("annotations", {}).get("org.opencontainers.image.ref.name") in ("app", "gateway")
    )
    done = repository.run("show", digest, "test-result")
    assert done.code == 0, done.err
    facts: dict[str, Any] = json.loads(done.out)["predicate"]["facts"]
    return facts


def test_a_run_is_traced_into_its_record_and_the_matrix(tmp_path: Path) -> None:
    with device(KNOWN_BAD / "control", tmp_path, name="t-traced") as repository:
        (repository.folder / "requirements.csv").write_text(REQUIREMENTS)
        (repository.folder / "links.toml").write_text(LINKS)
        (repository.folder / "tests/check.py").write_text(REPORT)
        # Class A, where a test may pass on a repetition, with the demands of class B.
        repository.edit("autoclave.toml", 'safety-class = "B"', 'safety-class = "A"')
        repository.edit("autoclave.toml", "[unit-test]", '[unit-test]\njunit = ["target/reports/*.xml"]')
        with (repository.folder / "autoclave.toml").open("a") as file:
            file.write('[traceability]\nlinks = "links.toml"\n')
            kinds = '["requirement", "risk-control", "security"]'
            file.write(f"[policy]\nrequirements = {{ demanded = true, cover = {kinds} }}\n")
        repository.commit()
        assert repository.run("build", **PAGE).code == 0
        stale = repository.folder / ".autoclave/reports/app/junit-003.xml"
        stale.parent.mkdir(parents=True, exist_ok=True)
        stale.write_text("<testsuite/>")
        done = repository.run("unit-test", **PAGE)
        assert done.code == 0, done.err
        warning = (
            "WARNING: the release gate will close: 1 requirement without a test that passed on this image: "
            "REQ-4; see autoclave trace"
        )
        assert warning in done.err
        run = run_of(repository)
        report = run["report"]
        assert report["traced"] == [
            {
                "name": "links::twice",
                "outcome": "flaky",
                "requirements": ["REQ-1"],
                "kind": "fault-injection",
                "technique": "boundary-values",
            },
            {"name": "links::by_name", "outcome": "passed", "requirements": ["REQ-2"]},
        ]
        assert report["flaky"] == ["links::twice"]
        assert [each["name"] for each in run["reports"]] == [
            "target/reports/TEST-a.xml",
            "target/reports/TEST-b.xml",
        ]
        kept = repository.folder / ".autoclave/reports/app"
        assert sorted(path.name for path in kept.glob("junit*.xml")) == ["junit-001.xml", "junit-002.xml"]
        assert (report["passed"], report["failed"]) == (3, 0)
        assert (report["unlinked"], report["unlinked_names"]) == (1, ["links::alone"])
        assert run["ran_by"] == "https://gitlab.example/g/p/-/jobs/7"
        assert run["variables"].startswith("sha256:")

        held = repository.run("unit-test", **PAGE)
        assert "already passed" in held.err
        (repository.folder / "links.toml").write_text(LINKS.replace("by_*", "alone"))
        repository.commit()
        assert "already passed" not in repository.run("unit-test", **PAGE).err
        matrix(repository)


def matrix(repository: Repository) -> None:
    """Check both forms of the matrix, after the link was moved from one test to the other."""
    shown = repository.run("trace")
    assert shown.code == 0, shown.err
    lines = shown.out.splitlines()
    assert lines[0] == "✘ REQ-4  untested  (requirement, test)"
    assert "✔ REQ-2  verified  (risk-control, hazard HAZ-7, test)" in lines
    assert "    passed: app: links::alone" in lines
    assert "    flaky: app: links::twice (fault-injection, boundary-values)" in lines
    assert "✔ REQ-3  by-other-method  (requirement, inspection: DOC-4)" in lines
    assert lines[-1] == (
        "4 requirements: 1 untested, 1 flaky, 1 verified, 1 by-other-method; tests without a requirement: 1"
    )
    rows = list(csv.DictReader(io.StringIO(repository.run("trace", "--csv").out)))
    assert [(row["requirement"], row["state"], row["test"]) for row in rows] == [
        ("REQ-4", "untested", ""),
        ("REQ-1", "flaky", "links::twice"),
        ("REQ-2", "verified", "links::alone"),
        ("REQ-3", "by-other-method", ""),
    ]
    assert (rows[1]["test-type"], rows[1]["derivation-technique"]) == ("fault-injection", "boundary-values")
    written = repository.run("trace", "--write-links")
    assert "links.toml: 0 tests linked by the ids in their names, 1 for a person to fill in" in written.out
    text = (repository.folder / "links.toml").read_text()
    assert text.startswith(LINKS.replace("by_*", "alone"))
    assert '# test = "links::by_name"\n# requirements = []\n' in text
    assert "#   REQ-4: Nobody tested this." in text
    assert repository.run("trace").out == shown.out


def test_the_samples_tests_say_their_requirements_by_the_plugin(tmp_path: Path) -> None:
    with device(SAMPLE, tmp_path, name="t-plugin") as repository:
        assert repository.run("build").code == 0
        done = repository.run("unit-test")
        assert done.code == 0, done.err
        assert "WARNING" not in done.err
        report = run_of(repository)["report"]
        assert report["unlinked"] == 0
        assert len(report["traced"]) == report["passed"] > 20
        assert {one for each in report["traced"] for one in each["requirements"]} == {
            f"SRS-{number:03}" for number in range(1, 17)
        }
        assert repository.run("trace").out.splitlines()[-1] == "16 requirements: 16 verified"
