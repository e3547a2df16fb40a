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

one = '<properties><property name="requirement" value="REQ-1"/></properties>'
Path("/autoclave/results/junit.xml").write_text(
    '<testsuite name="links">'
    f'<testcase classname="links" name="twice">{one}<failure message="first try"/></testcase>'
    f'<testcase classname="links" name="twice">{one}</testcase>'
    '<testcase classname="links" name="by_name"/>'
    '<testcase classname="links" name="alone"/>'
    "</testsuite>"
)
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
        with (repository.folder / "autoclave.toml").open("a") as file:
            file.write('[traceability]\nlinks = "links.toml"\n')
            kinds = '["requirement", "risk-control", "security"]'
            file.write(f"[policy]\nrequirements = {{ demanded = true, cover = {kinds} }}\n")
        repository.commit()
        assert repository.run("build", **PAGE).code == 0
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
            {"name": "links::twice", "outcome": "flaky", "requirements": ["REQ-1"]},
            {"name": "links::by_name", "outcome": "passed", "requirements": ["REQ-2"]},
        ]
        assert report["flaky"] == ["links::twice"]
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
            f"SRS-{number:03}" for number in range(1, 15)
        }
        assert repository.run("trace").out.splitlines()[-1] == "14 requirements: 14 verified"
