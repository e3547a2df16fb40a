"""The release report of real runs: HTML, JSON, the PDF of a real Chromium, and a browser that is offline."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from builders import tampering
from builders.devices import KNOWN_BAD, ROOT, Repository, program
from builders.flow import device

SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """The control device, released and deployed, with its report."""
    with device(KNOWN_BAD / "control", tmp_path_factory.mktemp("released"), name="t-report") as repository:
        done = repository.run("run")
        assert done.code == 0, done.err
        done = repository.run("report", "--pdf")
        assert done.code == 0, done.err
        assert ": PASSED" in done.out
        yield repository


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A device whose scan gate closed, and whose release gate was asked all the same."""
    folder = tmp_path_factory.mktemp("failed")
    with device(KNOWN_BAD / "vulnerable-package", folder, name="t-report-failed") as repository:
        assert repository.run("run").code == 23
        assert repository.run("sign").code == 24
        yield repository


def report_file(repository: Repository, name: str) -> Path:
    return repository.folder / ".autoclave" / "reports" / "app" / name


def read_json(repository: Repository) -> Any:
    """The JSON output, which fits the published schema."""
    decoded = json.loads(report_file(repository, "release.json").read_bytes())
    Draft202012Validator(SCHEMA).validate(decoded)
    return decoded


def test_a_release_says_what_was_released_and_how(released: Repository) -> None:
    report = read_json(released)
    assert (report["verdict"]["outcome"], report["verdict"]["reasons"]) == ("PASSED", [])
    keys, database = report["verdict"]["remarks"]
    assert keys.startswith("signed only by development keys: deployment, provenance, sbom, ")
    assert database.startswith("scanned with a partial advisory database (")
    assert report["identity"]["device"] == released.name
    assert {step["name"] for step in report["timeline"]} >= {"build", "unit-test", "scan", "sign", "deploy"}
    assert {gate["recorded"] for gate in report["gates"]} == {"passed"}
    assert report["tests"]["passed"] >= 1
    assert report["sbom"]["components"]
    assert report["deployments"][0]["healthy"]
    assert report["rejected"] == []
    assert {row["name"] for row in report["records"]} >= {"provenance", "test-result", "vulns", "sbom"}


def test_the_page_is_whole_and_fetches_nothing(released: Repository) -> None:
    page = report_file(released, "release.html")
    text = page.read_text("utf-8")
    for forbidden in ("<script", "src=", "@import", "url(http", "<link"):
        assert forbidden not in text
    dom = load_in_browser(page)
    assert dom.count("<h1") == 1
    assert dom.rstrip().endswith("</html>")
    assert dom.count("<table") == text.count("<table")
    assert set(re.findall(r'href="(.)', dom)) == {"#"}


def test_the_pdf_has_pages(released: Repository) -> None:
    raw = report_file(released, "release.pdf").read_bytes()
    assert raw.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type */Page\b", raw)) >= 5
    assert raw.rstrip().endswith(b"%%EOF")


def test_a_digest_can_be_named_and_the_files_put_elsewhere(released: Repository, tmp_path: Path) -> None:
    digest = read_json(released)["identity"]["digest"]
    done = released.run("report", digest, "-o", str(tmp_path), "--json")
    assert done.code == 0, done.err
    event = json.loads(done.out.splitlines()[-1])
    assert event["verdict"] == "PASSED"
    assert sorted(each.name for each in (tmp_path / "app").iterdir()) == ["release.html", "release.json"]


def test_a_release_that_failed_has_a_report_that_says_so_first(failed: Repository) -> None:
    done = failed.run("report")
    assert done.code == 0, done.err
    assert ": FAILED" in done.out
    report = read_json(failed)
    assert report["verdict"]["outcome"] == "FAILED"
    assert any("Jinja2" in reason for reason in report["verdict"]["reasons"])
    assert any(row["disposition"] == "blocks" for row in report["findings"]["rows"])
    gates = {gate["name"]: gate["recorded"] for gate in report["gates"]}
    assert (gates["scan"], gates["sign"], gates["deploy"]) == ("closed", "closed", "no record")
    assert "<title>FAILED:" in report_file(failed, "release.html").read_text("utf-8")


def test_a_record_that_was_changed_fails_the_report(failed: Repository) -> None:
    raw = tampering.envelope(failed.store, tampering.VULNS).read_bytes()
    tampering.replace_envelope(failed.store, tampering.VULNS, tampering.with_one_byte_changed(raw))
    assert failed.run("report").code == 0
    report = read_json(failed)
    assert "vulns" in [row["name"] for row in report["rejected"]]
    assert any("no valid vulns record" in reason for reason in report["verdict"]["reasons"])
    assert any("the sealed vulns record" in reason for reason in report["verdict"]["reasons"])
    assert report["findings"] is None


def test_without_a_browser_the_pdf_says_what_to_do(released: Repository) -> None:
    done = released.run("report", "--pdf", "--chromium", "/no/such/chromium")
    assert done.code == 34
    assert "apt-get install chromium" in done.message


def load_in_browser(page: Path) -> str:
    """Return the page as an offline browser has it after loading."""
    argv = [program("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    argv += ["--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9"]
    argv += [f"--user-data-dir={page.parent / 'browser'}", page.as_uri()]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
