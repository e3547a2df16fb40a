"""How Trivy is called and judged, with a shell that answers instead of starting it."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from autoclave.errors import DatabaseError, ScannerError, StoreError, ToolError
from autoclave.runtime.shell import Completed, Shell
from autoclave.scanners import trivy
from autoclave.scanners.base import ReportKind, Scan, Setup
from autoclave.scanners.trivy import Trivy, database
from fixtures.reports import tiny_layout

REPORTS = Path(__file__).parents[3] / "fixtures" / "reports"
PRINTED = (
    b'{"Version":"0.74.0","VulnerabilityDB":{"Version":2,"NextUpdate":"2026-11-25T08:04:54.795955632Z",'
    b'"UpdatedAt":"2026-11-24T08:04:54.795955632Z","DownloadedAt":"0001-01-01T00:00:00Z"}}'
)


class Answering(Shell):
    """Answers `trivy version` and lets a test play `trivy image`."""

    def __init__(self, *, printed: bytes = PRINTED, image: Callable[[Path], int] = lambda _: 0) -> None:
        super().__init__()
        self.printed = printed
        self.image = image
        self.calls: list[Sequence[str]] = []
        self.env: Mapping[str, str] = {}

    @property
    def image_call(self) -> Sequence[str]:
        (called,) = [argv for argv in self.calls if argv[1] == "image"]
        return called

    def which(self, program: str) -> str | None:
        return None if program == "absent" else program

    def run(self, argv: Sequence[str], *, cwd: Path | None = None, **more: Any) -> Completed:
        self.calls.append(argv)
        self.env = more["env"]
        if argv[1] == "version":
            return Completed(0, self.printed, b"")
        assert cwd is not None
        if argv[1] == "convert":
            Path(argv[argv.index("--output") + 1]).write_text("{}")
            return Completed(0, b"", b"")
        return Completed(self.image(cwd / "findings.json"), b"", b"")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    file = database.path(tmp_path / "cache")
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.decompress((REPORTS / "trivy.db.gz").read_bytes()))
    return tmp_path / "cache"


def scan(shell: Shell, cache: Path, image: str, folder: Path) -> Scan:
    return Trivy(shell, program="trivy", cache=cache).scan(image, folder)


def versions(shell: Shell, cache: Path, program: str = "trivy") -> Any:
    return Trivy(shell, program=program, cache=cache).versions()


def replay(name: str, code: int) -> Callable[[Path], int]:
    def image(report: Path) -> int:
        report.write_bytes((REPORTS / f"trivy_{name}.json").read_bytes())
        return code

    return image


def location(tmp_path: Path, image: Callable[[Path], tuple[str, str]] = tiny_layout.bad) -> str:
    layout = tmp_path / "job@2" / "store"
    return f"{layout}@{image(layout)[0]}"


def test_a_scan_gives_facts_and_keeps_the_raw_report(cache: Path, tmp_path: Path) -> None:
    done = scan(Answering(image=replay("bad", 5)), cache, location(tmp_path), tmp_path)
    facts = done.facts
    assert (facts.scanner, facts.scanner_version, facts.os, facts.packages) == (
        "trivy",
        "0.74.0",
        "debian 12.8",
        2,
    )
    assert len(facts.findings) == 6
    assert facts.database.updated.isoformat() == "2026-11-24T08:04:54.795956+00:00"
    assert facts.started <= facts.finished
    assert [each.kind for each in done.reports] == [ReportKind.RAW, ReportKind.SBOM, ReportKind.SARIF]
    assert [each.path.name for each in done.reports] == ["findings.json", "sbom.cdx.json", "findings.sarif"]
    assert done.reports[0].path.read_bytes() == (REPORTS / "trivy_bad.json").read_bytes()


@pytest.mark.parametrize(("name", "code"), [("bad", 0), ("clean", 5)])
def test_exit_code_and_report_must_agree(name: str, code: int, cache: Path, tmp_path: Path) -> None:
    image = location(tmp_path, getattr(tiny_layout, name))
    with pytest.raises(ScannerError) as caught:
        scan(Answering(image=replay(name, code)), cache, image, tmp_path)
    assert "disagree" in caught.value.what


def test_a_report_of_an_earlier_run_is_not_taken_for_this_one(cache: Path, tmp_path: Path) -> None:
    replay("bad", 5)(tmp_path / "findings.json")
    with pytest.raises(ScannerError) as caught:
        scan(Answering(image=lambda _: 5), cache, location(tmp_path), tmp_path)
    assert "no report" in caught.value.what


def test_the_report_must_be_about_the_image_at_the_location(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(ScannerError) as caught:
        scan(Answering(image=replay("clean", 0)), cache, location(tmp_path), tmp_path)
    assert "scanned was" in caught.value.why


def test_a_database_that_is_replaced_during_the_scan_is_refused(cache: Path, tmp_path: Path) -> None:
    def image(report: Path) -> int:
        file = database.path(tmp_path / "cache")
        file.write_bytes(file.read_bytes() + b"\0")
        return replay("bad", 5)(report)

    with pytest.raises(DatabaseError) as caught:
        scan(Answering(image=image), cache, location(tmp_path), tmp_path)
    assert "changed" in caught.value.what


def test_a_failure_of_trivy_shows_its_own_reason(cache: Path, tmp_path: Path) -> None:
    class Failing(Answering):
        def run(self, argv: Sequence[str], **more: Any) -> Completed:
            printed = "2026\tINFO\tx\n2026\tFATAL\tFatal error\trun error: no space left\nstack\n"
            raise ToolError("trivy ended with exit code 1", why=printed)

    with pytest.raises(ScannerError) as caught:
        versions(Failing(), cache)
    assert "no space left" in caught.value.why and "\n" not in caught.value.why


@pytest.mark.parametrize("printed", [b"", b"Version: 0.74.0", b"{}", b'{"Version":2}'])
def test_a_program_without_a_readable_version_is_refused(printed: bytes, cache: Path) -> None:
    with pytest.raises(ScannerError):
        versions(Answering(printed=printed), cache)


def test_another_version_is_refused_and_both_are_named(cache: Path) -> None:
    with pytest.raises(ScannerError) as caught:
        versions(Answering(printed=PRINTED.replace(b"0.74.0", b"0.69.4")), cache)
    assert "0.69.4" in caught.value.what and "0.74.0" in caught.value.what


def test_a_database_without_metadata_is_refused(cache: Path) -> None:
    with pytest.raises(DatabaseError):
        versions(Answering(printed=b'{"Version":"0.74.0"}'), cache)


def test_a_missing_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScannerError) as caught:
        versions(Answering(), tmp_path, "absent")
    assert "missing" in caught.value.what and "0.74.0" in caught.value.next


def test_settings_of_the_surroundings_cannot_hide_findings(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVY_SEVERITY", "CRITICAL")
    shell = Answering(image=replay("bad", 5))
    scan(shell, cache, location(tmp_path), tmp_path)
    assert shell.env["TRIVY_SEVERITY"] == ""
    for flag in ("--config", "--ignorefile", "--secret-config"):
        assert flag in shell.image_call


def test_the_name_of_the_layout_does_not_reach_trivy(cache: Path, tmp_path: Path) -> None:
    shell = Answering(image=replay("bad", 5))
    scan(shell, cache, location(tmp_path), tmp_path)
    (named_image,) = [word for word in shell.image_call if "@" in word]
    assert named_image.startswith("./image@sha256:")
    assert (tmp_path / "image" / "index.json").is_file()


def test_an_image_that_is_not_there_or_damaged_is_refused(cache: Path, tmp_path: Path) -> None:
    where = location(tmp_path)
    folder, _, digest = where.rpartition("@")
    blob = Path(folder) / "blobs" / "sha256" / digest.removeprefix("sha256:")
    blob.write_bytes(blob.read_bytes() + b" ")
    with pytest.raises(StoreError) as caught:
        scan(Answering(), cache, where, tmp_path)
    assert "damaged" in caught.value.what
    blob.unlink()
    with pytest.raises(StoreError):
        scan(Answering(), cache, where, tmp_path)
    with pytest.raises(StoreError):
        scan(Answering(), cache, f"{folder}@../../etc/passwd", tmp_path)


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        ("", ""),
        ("a\nb\n", "b"),
        ("panic: nil\n\ngoroutine 1\n", "panic: nil"),
        ("x\tERROR\ty\nlast", "x\tERROR\ty"),
    ],
)
def test_last_error_is_the_line_that_says_why(printed: str, line: str) -> None:
    assert trivy.find_error(printed) == line


def test_the_options_of_the_setup_reach_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/ada/cache")
    for given, program, folder in (
        ({}, "trivy", "/home/ada/cache/trivy"),
        ({"command": "/opt/trivy", "cache": tmp_path}, "/opt/trivy", str(tmp_path)),
    ):
        shell = Answering()
        with pytest.raises(DatabaseError):  # there is none
            trivy.create(Setup(shell=shell, **given)).versions()
        (called,) = shell.calls
        assert (called[0], called[called.index("--cache-dir") + 1]) == (program, folder)
