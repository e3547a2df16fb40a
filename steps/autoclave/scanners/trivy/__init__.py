"""Trivy, pinned, offline, with nothing but our own settings."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from autoclave.errors import DatabaseError, ScannerError, StoreError, ToolError
from autoclave.model.digest import Digest, check_digest, digest_of
from autoclave.model.facts import Database, Finding, ScanFacts
from autoclave.runtime.shell import Completed, Shell
from autoclave.scanners.base import Versions
from autoclave.scanners.trivy import database as trivy_database
from autoclave.scanners.trivy import report as trivy_report
from autoclave.store.oci import parse_manifest

VERSION = "0.74.0"
"""The version that was tested; any other one is refused."""

_FOUND = 5  # exit code for findings; Trivy's own errors end with 1 or 2
_LONGEST = 1800.0  # seconds
_LARGEST_MANIFEST = 4 * 1024 * 1024
# What reports call the image: the same on every machine. Without the './' Trivy takes the name for a URL
# with a bad scheme and dies while it writes SARIF.
_IMAGE = "./image"

# Without any download; the embedded checks are part of the pinned version.
_OFFLINE = (
    "--skip-db-update", "--skip-java-db-update", "--skip-check-update", "--skip-version-check",
    "--offline-scan", "--disable-telemetry",
)  # fmt: skip
_WHAT = (
    "--scanners", "vuln,secret,misconfig", "--image-config-scanners", "misconfig,secret",
    "--list-all-pkgs", "--show-suppressed",
)  # fmt: skip


class _Printed(Struct, rename="pascal"):
    """What `trivy version --format json` prints; no database part when there is none."""

    version: str
    database: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="VulnerabilityDB")


class Trivy:
    """The scanner interface on the Trivy command. `program` is a name on PATH or a path."""

    def __init__(self, *, program: str, cache: Path) -> None:
        self._program = str(Path(program).absolute()) if os.sep in program else program
        self._cache = cache.absolute()

    def version(self, shell: Shell) -> Versions:
        """Return what would scan. Raise ScannerError (missing, other version) or DatabaseError."""
        done = self._run(shell, "version", "--format", "json")
        metadata = parse_version(done.out)
        database = trivy_database.examine(self._cache, metadata)
        return Versions(scanner="trivy", version=VERSION, database=database)

    def scan(self, shell: Shell, location: str, workdir: Path) -> tuple[ScanFacts, Path]:
        """Scan the image at `location`, `DIR@sha256:…` of an OCI layout, in one run.

        Returns the facts and the path of the raw JSON report. `workdir` is an empty folder of ours.
        Raises ScannerError when the scanner or its report cannot be relied on, DatabaseError when the
        database cannot, or changed meanwhile, StoreError when the image is not there.
        """
        layout, digest = split(location)
        config_digest = read_config_digest(layout, digest)
        versions = self.version(shell)
        before = self._fingerprint()
        started = datetime.now(UTC)
        report = workdir / "trivy.json"
        code = self._scan(shell, layout, digest, report)
        finished = datetime.now(UTC)
        if self._fingerprint() != before:
            raise DatabaseError("Trivy's database changed during the scan", next="scan again")
        content = trivy_report.read(report, config_digest=config_digest, version=VERSION)
        check_exit_code(code, content.findings)
        return _facts(versions.database, started, finished, content), report

    def sbom(self, shell: Shell, report: Path, workdir: Path) -> Path:
        """Derive a CycloneDX JSON file (components and vulnerabilities) from a raw report."""
        return self._convert(shell, report, workdir / "sbom.cdx.json", "cyclonedx", "--scanners", "vuln")

    def sarif(self, shell: Shell, report: Path, workdir: Path) -> Path:
        """Derive a SARIF 2.1.0 file (all findings) from a raw report."""
        return self._convert(shell, report, workdir / "trivy.sarif", "sarif")

    def _scan(self, shell: Shell, layout: Path, digest: str, report: Path) -> int:
        workdir = report.parent
        # Through a link of a fixed name: Trivy splits its input at the first '@', wherever that stands,
        # and writes the name into every report.
        link = workdir / _IMAGE
        link.unlink(missing_ok=True)
        link.symlink_to(layout.absolute(), target_is_directory=True)
        report.unlink(missing_ok=True)
        rest = (
            "--format", "json", "--output", report.name,
            "--exit-code", str(_FOUND), "--timeout", f"{_LONGEST:.0f}s", *_WHAT, *_OFFLINE,
            # The cache on disk is locked by one scan at a time; in memory, scans run side by side.
            "--cache-backend", "memory", "--no-progress",
            "--ignorefile", os.devnull, "--secret-config", "no-such-file.yaml",
        )  # fmt: skip
        ours, pasted = (
            ("image", "--input", f"{name}@{digest}", *rest) for name in (_IMAGE, layout.absolute())
        )
        return self._run(shell, *ours, cwd=workdir, ok=(0, _FOUND), shown=pasted).code

    def _convert(self, shell: Shell, report: Path, out: Path, form: str, *more: str) -> Path:
        out.unlink(missing_ok=True)
        start, rest = ("convert", "--format", form, "--output"), (*more, "--ignorefile", os.devnull)
        ours = (*start, str(out.absolute()), *rest, str(report.absolute()))
        self._run(shell, *ours, cwd=out.parent, shown=(*start, out.name, *rest, report.name))
        if not out.is_file() or not out.stat().st_size:
            raise ScannerError(f"Trivy derived no {form} file", next="scan again")
        return out

    def _run(
        self,
        shell: Shell,
        *args: str,
        cwd: Path | None = None,
        ok: tuple[int, ...] = (0,),
        shown: tuple[str, ...] = (),
    ) -> Completed:
        if shell.which(self._program) is None:
            raise ScannerError(
                "Trivy is missing", why=f"there is no program {self._program}", next=_install_hint()
            )
        # Settings files and variables of whoever starts us (or of a device repository) could hide findings.
        common = ("--cache-dir", str(self._cache), "--config", os.devnull)
        argv, line = ([self._program, *words, *common] for words in (args, shown or args))
        env = _without_foreign_settings()
        try:
            return shell.run(argv, cwd=cwd, env=env, timeout=_LONGEST + 60, ok=ok, shown=line)
        except ToolError as error:
            raise ScannerError(
                f"Trivy failed: {error.what}",
                why=find_error(error.why),
                next="'autoclave doctor' checks Trivy and its database",
            ) from error

    def _fingerprint(self) -> tuple[int, int, int]:
        try:
            stat = trivy_database.path(self._cache).stat()
        except OSError as error:
            raise trivy_database.refuse(self._cache, "went away during the scan", str(error)) from error
        return stat.st_ino, stat.st_size, stat.st_mtime_ns


def parse_version(raw: bytes) -> trivy_database.Metadata | None:
    """Check the version in `trivy version` output; return what it says about the database, if anything."""
    try:
        printed = msgspec.json.decode(raw, type=_Printed)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ScannerError(
            "Trivy does not say which version it is", why=str(error), next=_install_hint()
        ) from error
    if printed.version != VERSION:
        raise ScannerError(
            f"Trivy {printed.version[:50]} is here, Trivy {VERSION} is pinned",
            why="another version may find, name or report things differently",
            next=_install_hint(),
        )
    return trivy_database.decode(printed.database)


def split(location: str) -> tuple[Path, str]:
    """Split `DIR@sha256:…` at its last '@'; raise StoreError when the end is no digest."""
    folder, _, digest = location.rpartition("@")
    return Path(folder), check_digest(digest)


def read_config_digest(layout: Path, digest: str) -> str:
    """Return the config digest of an image manifest in a layout: what Trivy calls the image id.

    Raises StoreError when the manifest is not there, has another digest, or is an index.
    """
    try:
        with (layout / "blobs" / "sha256" / Digest(digest).hex).open("rb") as file:
            raw = file.read(_LARGEST_MANIFEST)
    except OSError as error:
        raise StoreError(
            f"{digest} is not in {layout}", why=str(error), next="build the image first"
        ) from error
    if digest_of(raw) != digest:
        raise StoreError(f"{digest} is damaged in {layout}", next="build the image again")
    return parse_manifest(raw, digest).config.digest


def check_exit_code(code: int, findings: tuple[Finding, ...]) -> None:
    """Raise ScannerError when the exit code (0 or 5) and the findings in the report contradict each other."""
    if (code == _FOUND) != bool(findings):
        raise ScannerError(
            "Trivy's exit code and its report disagree",
            why=f"exit code {code}, {len(findings)} findings",
            next="scan again; if it happens again, report it with the raw report",
        )


def find_error(printed: str) -> str:
    """Return the line that says why Trivy failed: the last one it marks as fatal or error, else the last."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    marked = [
        line for line in lines if "\tFATAL\t" in line or "\tERROR\t" in line or line.startswith("panic:")
    ]
    return (marked or lines or [""])[-1][:1000]


def _facts(
    database: Database, started: datetime, finished: datetime, content: trivy_report.Content
) -> ScanFacts:
    return ScanFacts(
        scanner="trivy",
        scanner_version=VERSION,
        database=database,
        started=started,
        finished=finished,
        os=content.os,
        packages=content.packages,
        findings=content.findings,
    )


def _without_foreign_settings() -> dict[str, str]:
    """Empty every TRIVY_* variable (Trivy takes an empty one as unset): they could hide findings."""
    return {name: "" for name in os.environ if name.startswith("TRIVY_")}


def _install_hint() -> str:
    return f"install Trivy {VERSION}, or name its path in AUTOCLAVE_TRIVY"
