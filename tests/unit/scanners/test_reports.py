"""The files that a scanner wrote, read back before anything is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave.errors import ScannerError
from autoclave.scanners import reports
from autoclave.scanners.base import Report, ReportKind

GOOD = {
    ReportKind.RAW: '{"anything": [1, {"x": null}]}',
    ReportKind.SBOM: '{"bomFormat": "CycloneDX"}',
    ReportKind.SARIF: """{"version": "2.1.0", "runs": [
        {"tool": {"driver": {"name": "toy"}}, "results": [{"ruleId": "A", "message": {"text": "a"}}]}]}""",
}


def report(folder: Path, kind: ReportKind, text: str) -> Report:
    path = folder / f"the-scanners-own-name-{kind}"
    path.write_text(text, "utf-8")
    return Report(kind=kind, path=path, media_type="application/json")


def test_whole_reports_pass_whatever_they_are_called(tmp_path: Path) -> None:
    reports.check("toy", tuple(report(tmp_path, kind, text) for kind, text in GOOD.items()))


@pytest.mark.parametrize("kind", list(ReportKind))
@pytest.mark.parametrize("part", [0, 1, 0.5, 0.99])
def test_a_truncated_report_is_refused(kind: ReportKind, part: float, tmp_path: Path) -> None:
    text = GOOD[kind][: part if isinstance(part, int) else int(len(GOOD[kind]) * part)]
    with pytest.raises(ScannerError) as caught:
        reports.check("toy", (report(tmp_path, kind, text),))
    assert caught.value.what == f"scanner 'toy' wrote a {kind} report that cannot be read"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2.1.0", "2.0.0"),
        ('"runs"', '"walks"'),
        ('"driver"', '"rider"'),
        ('"results"', '"result"'),
        ('"message"', '"text"'),
    ],
)
def test_what_is_not_sarif_is_refused(old: str, new: str, tmp_path: Path) -> None:
    with pytest.raises(ScannerError):
        reports.check("toy", (report(tmp_path, ReportKind.SARIF, GOOD[ReportKind.SARIF].replace(old, new)),))


def test_a_report_that_was_not_written_is_refused(tmp_path: Path) -> None:
    missing = report(tmp_path, ReportKind.SBOM, "{}")
    missing.path.unlink()
    with pytest.raises(ScannerError):
        reports.check("toy", (missing,))


def test_two_reports_of_one_kind_are_refused(tmp_path: Path) -> None:
    one, other = (report(tmp_path, ReportKind.SARIF, GOOD[ReportKind.SARIF]) for _ in range(2))
    with pytest.raises(ScannerError) as caught:
        reports.check("toy", (one, other))
    assert "two reports of one kind" in caught.value.what
