"""Read back the files that a scanner wrote, before anything is recorded: SARIF and raw reports."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from autoclave.errors import ScannerError
from autoclave.scanners.base import Report, ReportKind

FILES = {
    ReportKind.RAW: "findings.json",
    ReportKind.SBOM: "sbom.cdx.json",
    ReportKind.SARIF: "findings.sarif",
}
"""What a report is called on every host, whatever the scanner called it."""


class _Driver(Struct):
    name: str


class _Tool(Struct):
    driver: _Driver


class _Result(Struct):
    message: dict[str, Any]


class _Run(Struct):
    tool: _Tool
    results: list[_Result]


class _Sarif(Struct):
    version: Literal["2.1.0"]
    runs: list[_Run]


_FORMS: dict[ReportKind, Any] = {ReportKind.SARIF: _Sarif}


def check(scanner: str, reports: tuple[Report, ...]) -> None:
    """Raise ScannerError unless there is one report of a kind at most, and each is what it claims to be.

    Of an SBOM only that it is whole JSON: its contents are for the reader of the release gate.
    """
    if len({each.kind for each in reports}) != len(reports):
        raise ScannerError(
            f"scanner '{scanner}' wrote two reports of one kind",
            why=", ".join(f"{each.kind}: {each.path.name}" for each in reports),
            next="one report of a kind: this is a defect of the scanner's module",
        )
    for each in reports:
        _decode(scanner, each.kind, each.path)


def _decode(scanner: str, kind: ReportKind, path: Path) -> None:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
            msgspec.json.decode(raw, type=_FORMS.get(kind, msgspec.Raw))
    except (OSError, ValueError, RecursionError) as error:  # an empty file cannot be mapped
        raise ScannerError(
            f"scanner '{scanner}' wrote a {kind} report that cannot be read",
            why=f"{path.name}: {error}",
            next="scan again; if it happens again, report it with the file",
        ) from error
