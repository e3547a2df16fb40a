"""JUnit files by name and pattern: what is found, kept and counted, and what is refused."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autoclave.device.schema import Traceability
from autoclave.harness import archive, results
from autoclave.store.layout import LayoutStore

CASE = '<testsuite><testcase name="{}"/></testsuite>'


class FolderEngine:
    """An engine whose container has these files below /autoclave/results; `->` begins a link's target."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.copied: list[str] = []

    def get(self, container: str, path: str) -> Iterator[bytes] | None:
        self.copied.append(path)
        top = path.removeprefix("/autoclave/results").strip("/")
        found = {
            name: body
            for name, body in self.files.items()
            if not top or name == top or name.startswith(f"{top}/")
        }
        if not found and top:
            return None
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            base = path.rstrip("/").rpartition("/")[2]
            for name, body in found.items():
                member = tarfile.TarInfo(f"{base}/{name[len(top) :].strip('/')}".rstrip("/"))
                if body.startswith("->"):
                    member.type, member.linkname = tarfile.SYMTYPE, body[2:]
                member.size = 0 if member.issym() else len(body)
                tar.addfile(member, io.BytesIO(body.encode()))
        raw = buffer.getvalue()
        return iter([raw[at : at + 300] for at in range(0, len(raw), 300)])


def read(tmp_path: Path, files: dict[str, str], *names: str) -> tuple[results.Results, FolderEngine]:
    engine = FolderEngine(files)
    ctx: Any = SimpleNamespace(
        engine=engine,
        store=LayoutStore(tmp_path / "store"),
        device=SimpleNamespace(traceability=Traceability()),
    )
    return results.read("c", "/autoclave/results", names, lambda test: (), ctx), engine


FILES = {
    "target/surefire-reports/TEST-b.xml": CASE.format("b"),
    "target/surefire-reports/TEST-a.xml": CASE.format("a"),
    "target/surefire-reports/old/TEST-c.xml": CASE.format("c"),
    "target/surefire-reports/a.txt": "not XML",
    "junit.xml": CASE.format("d"),
}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["junit.xml"], ["junit.xml"]),
        (
            ["target/surefire-reports/*.xml"],
            ["target/surefire-reports/TEST-a.xml", "target/surefire-reports/TEST-b.xml"],
        ),
        (
            ["target/surefire-reports/TEST-?.xml"],
            ["target/surefire-reports/TEST-a.xml", "target/surefire-reports/TEST-b.xml"],
        ),
        (["**/TEST-c.xml"], ["target/surefire-reports/old/TEST-c.xml"]),
        (["**/*.xml"], sorted(name for name in FILES if name.endswith(".xml"))),
        (["*.xml", "junit.xml"], ["junit.xml"]),
    ],
)
def test_names_and_patterns_find_their_files(tmp_path: Path, names: list[str], found: list[str]) -> None:
    output, _ = read(tmp_path, FILES, *names)
    assert [each.name for each in output.raw] == found
    assert (output.report.passed, output.report.defect) == (len(found), "")


def test_only_the_folder_of_a_pattern_is_copied_out(tmp_path: Path) -> None:
    _, engine = read(tmp_path, FILES, "target/surefire-reports/*.xml")
    assert engine.copied == ["/autoclave/results/target/surefire-reports"]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["none.xml"], "the tests wrote no JUnit report to /autoclave/results/none.xml"),
        (
            ["junit.xml", "target/*.xml"],
            "the tests wrote no JUnit report that matches /autoclave/results/target/*.xml",
        ),
        (["target/surefire-reports/*"], "target/surefire-reports/a.txt: not XML"),
        (["links/*.xml"], "'links/a.xml' is not a regular file"),
    ],
)
def test_what_gives_no_report_is_a_defect(tmp_path: Path, names: list[str], says: str) -> None:
    output, _ = read(tmp_path, FILES | {"links/a.xml": "->/etc/passwd"}, *names)
    assert says in output.report.defect
    assert output.report.passed == 0


def test_too_many_files_and_too_many_bytes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {f"{number}.xml": CASE.format(number) for number in range(5)}
    monkeypatch.setattr(results, "_MOST_FILES", 4)
    assert "more than 4 files" in read(tmp_path, many, "*.xml")[0].report.defect
    monkeypatch.setattr(results, "_MOST_FILES", 5)
    assert read(tmp_path, many, "*.xml")[0].report.passed == 5
    monkeypatch.setattr(results, "MOST_BYTES", 100)
    assert "bytes" in read(tmp_path, many, "*.xml")[0].report.defect
    monkeypatch.setattr(archive, "_LARGEST_FOLDER", 4000)
    assert "the folder has more than 4,000 bytes" in read(tmp_path, many, "*.xml")[0].report.defect


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.xml", "a.xml", True),
        ("*.xml", "a/b.xml", False),
        ("**/*.xml", "b.xml", True),
        ("**/*.xml", "a/b/c.xml", True),
        ("a/**/c.xml", "a/c.xml", True),
        ("a[1]?.xml", "a[1]b.xml", True),
        ("a[1]?.xml", "a1b.xml", False),
        ("*.xml", "a.xml\n", False),
        ("**", "a/b.xml", True),
        ("a/**", "a/b/c.xml", True),
        ("a/**/**/c.xml", "a/x/y/c.xml", True),
        ("a/**/c.xml", "b/c.xml", False),
        ("*a" * 60 + "*b", "a" * 250, False),
        ("**/" * 60 + "b", "a/" * 120 + "a", False),
    ],
)
def test_patterns_match_within_names(pattern: str, path: str, *, matches: bool) -> None:
    assert bool(results.compile_pattern(pattern)(path)) is matches


def test_a_damaged_archive_is_a_defect(tmp_path: Path) -> None:
    whole = b"".join(FolderEngine(FILES).get("c", "/autoclave/results") or ())
    for damaged in (whole[:700], whole[:1030] + b"x" * 300 + whole[1330:]):
        ctx: Any = SimpleNamespace(
            engine=SimpleNamespace(get=lambda container, path, raw=damaged: iter([raw])),
            store=LayoutStore(tmp_path / "store"),
            device=SimpleNamespace(traceability=Traceability()),
        )
        output = results.read("c", "/autoclave/results", ["**/*.xml"], lambda test: (), ctx)
        assert "cannot be read" in output.report.defect
