"""Trivy, pinned, offline, with nothing but our own settings."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

import msgspec
from msgspec import Struct

from autoclave import tools
from autoclave.errors import DatabaseError, ScannerError, ToolError
from autoclave.model.facts import Finding, ScanFacts
from autoclave.runtime.shell import Completed, Shell
from autoclave.runtime.surroundings import base_folder
from autoclave.scanners import archives, images
from autoclave.scanners.base import Report, ReportKind, Scan, Setup, Versions
from autoclave.scanners.reports import FILES
from autoclave.scanners.trivy import database, java, report

_FOUND = 5  # exit code for findings; Trivy's own errors end with 1 or 2
_LONGEST = 1800.0  # seconds
# The image's name in reports: the same on every machine. Without the './' Trivy reads the name as a URL
# with a bad scheme and crashes while it writes SARIF.
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


# Without the rules by which Trivy takes secrets in tests, examples, documentation and the folders of
# languages for harmless, and looks into every file, whatever its name
# (pkg/fanal/secret: builtin-allow-rules.go, `defaultSkipPatterns` in scanner.go).
_RULES = """\
disable-allow-rules: [dist-info, tests, examples, vendor, usr-dirs, locale-dir, markdown, node.js, golang,
  python, rubygems, wordpress, anaconda-log]
skip-patterns: []
"""
_MEDIA_TYPES = {
    ReportKind.RAW: "application/json",
    ReportKind.SBOM: "application/vnd.cyclonedx+json",
    ReportKind.SARIF: "application/sarif+json",
}


class _Printed(Struct, rename="pascal"):
    """What `trivy version --format json` prints; without a database part when it has no database."""

    version: str
    database: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="VulnerabilityDB")


class Trivy:
    """The scanner interface on the Trivy command. `program` is a name on PATH or a path."""

    name = "trivy"
    command = ("trivy", "image", "--input", "IMAGE")
    parts = ("db", "java-db")
    tag = str(database.SCHEMA)

    def __init__(self, shell: Shell, *, program: str, cache: Path) -> None:
        self._shell = shell
        self.program = str(Path(program).absolute()) if os.sep in program else program
        self.cache = self._cache = cache.absolute()

    def versions(self) -> Versions:
        """Return what would scan. Raise ScannerError (missing, other version) or DatabaseError."""
        version, metadata = parse_version(self._run("version", "--format", "json").out)
        index = java.examine(self._cache)
        return Versions(
            version=version,
            database=database.examine(self._cache, metadata),
            indexes=(index,) if index else (),
            renew="autoclave database update",
            renew_indexes="autoclave database update",
        )

    def at(self, cache: Path) -> Trivy:
        """Return the same scanner with another cache."""
        return Trivy(self._shell, program=self.program, cache=cache)

    def download(self) -> None:
        """Fetch the newest databases from Trivy's publisher into the cache: advisories, and Java archives."""
        quiet = ("--no-progress", "--disable-telemetry", "--skip-version-check")
        for what in ("--download-db-only", "--download-java-db-only"):
            self._run("image", what, *quiet)

    def unpack(self, archive: Path) -> None:
        """Write what a file holds into the cache: the advisories, as their publisher packs them, and Java."""
        java_files = self._java_files()
        has_java = archives.has(archive, next(iter(java_files)))
        archives.unpack(archive, self._database_files() | (java_files if has_java else {}))

    def pack(self, archive: Path) -> None:
        """Write the databases of the cache into a file."""
        has_java = bool(self.versions().indexes)
        archives.pack(archive, (self._java_files() if has_java else {}) | self._database_files())

    def _database_files(self) -> dict[str, Path]:
        return {name: self._cache / "db" / name for name in ("metadata.json", "trivy.db")}

    def _java_files(self) -> dict[str, Path]:
        return {
            f"java-db/{name}": self._cache / "java-db" / name for name in ("metadata.json", "trivy-java.db")
        }

    def scan(self, image: str, folder: Path) -> Scan:
        """Scan an image in one run, and derive SBOM and SARIF from the report.

        Raises ScannerError when the scanner or its report cannot be relied on, DatabaseError when the
        database cannot, or changed meanwhile, StoreError when the image is missing.
        """
        layout, digest = images.split(image)
        config_digest = images.read_config_digest(layout, digest)
        versions = self.versions()
        before = self._fingerprint()
        started = datetime.now(UTC)
        raw = folder / FILES[ReportKind.RAW]
        code = self._scan_with_java(layout, digest, raw)
        finished = datetime.now(UTC)
        if self._fingerprint() != before:
            raise DatabaseError("Trivy's database changed during the scan", next="scan again")
        advisories = report.Advisories(database=versions.database, feeds=database.read_feeds(self._cache))
        content = report.read(
            raw, config_digest=config_digest, version=versions.version, advisories=advisories
        )
        check_exit_code(code, content.findings)
        facts = _facts(versions, started, finished, content)
        return Scan(facts=facts, reports=(_report(ReportKind.RAW, raw), *self._derive(raw)))

    def _derive(self, raw: Path) -> tuple[Report, Report]:
        """Derive the other reports from a raw one: components with vulnerabilities, and all findings."""
        bom, sarif = (raw.with_name(FILES[kind]) for kind in (ReportKind.SBOM, ReportKind.SARIF))
        self._convert(raw, bom, "cyclonedx", "--scanners", "vuln")
        self._convert(raw, sarif, "sarif")
        return _report(ReportKind.SBOM, bom), _report(ReportKind.SARIF, sarif)

    def _scan_with_java(self, layout: Path, digest: str, raw: Path) -> int:
        """Scan; raise DatabaseError when what is missing is the database for Java archives."""
        try:
            return self._scan(layout, digest, raw)
        except ScannerError as error:
            if "Java DB" not in error.why or java.path(self._cache).exists():
                raise
            why = "the image has Java archives, and Trivy recognises them by it"
            raise java.refuse(self._cache, "is missing", why) from error

    def _scan(self, layout: Path, digest: str, report: Path) -> int:
        folder = report.parent
        # Through a link with a fixed name: Trivy splits its input at the first '@', wherever that is in the
        # path, and writes the name into every report.
        link = folder / _IMAGE
        link.unlink(missing_ok=True)
        link.symlink_to(layout.absolute(), target_is_directory=True)
        report.unlink(missing_ok=True)
        rest = (
            "--format", "json", "--output", report.name,
            "--exit-code", str(_FOUND), "--timeout", f"{_LONGEST:.0f}s", *_WHAT, *_OFFLINE,
            # The cache on disk is locked by one scan at a time; in memory, scans run side by side.
            "--cache-backend", "memory", "--no-progress",
            "--ignorefile", os.devnull, "--secret-config", str(_write_secret_rules(folder)),
        )  # fmt: skip
        ours, pasted = (
            ("image", "--input", f"{name}@{digest}", *rest) for name in (_IMAGE, layout.absolute())
        )
        return self._run(*ours, cwd=folder, ok=(0, _FOUND), shown=pasted).code

    def _convert(self, report: Path, out: Path, form: str, *more: str) -> None:
        out.unlink(missing_ok=True)
        start, rest = ("convert", "--format", form, "--output"), (*more, "--ignorefile", os.devnull)
        ours = (*start, str(out.absolute()), *rest, str(report.absolute()))
        self._run(*ours, cwd=out.parent, shown=(*start, out.name, *rest, report.name))
        if not out.is_file() or not out.stat().st_size:
            raise ScannerError(f"Trivy derived no {form} file", next="scan again")

    def _run(
        self,
        *args: str,
        cwd: Path | None = None,
        ok: tuple[int, ...] = (0,),
        shown: tuple[str, ...] = (),
    ) -> Completed:
        if self._shell.which(self.program) is None:
            raise ScannerError(
                "Trivy is missing", why=f"the program {self.program} does not exist", next=_install_hint()
            )
        # Settings files and variables of whoever starts us (or of a device repository) could hide findings.
        common = ("--cache-dir", str(self._cache), "--config", os.devnull)
        argv, line = ([self.program, *words, *common] for words in (args, shown or args))
        env = _without_foreign_settings()
        try:
            return self._shell.run(argv, cwd=cwd, env=env, timeout=_LONGEST + 60, ok=ok, shown=line)
        except ToolError as error:
            raise ScannerError(
                f"Trivy failed: {error.what}",
                why=find_error(error.why),
                next="'autoclave doctor' checks Trivy and its database",
            ) from error

    def _fingerprint(self) -> tuple[tuple[int, int, int], ...]:
        index = java.path(self._cache)
        files = (database.path(self._cache), *((index,) if index.exists() else ()))
        try:
            found = [file.stat() for file in files]
        except OSError as error:
            raise database.refuse(self._cache, "was removed during the scan", str(error)) from error
        return tuple((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in found)


def create(setup: Setup) -> Trivy:
    """Return the scanner."""
    cache = setup.cache or base_folder("XDG_CACHE_HOME", ".cache") / "trivy"
    return Trivy(setup.shell, program=setup.command or "trivy", cache=cache)


def parse_version(raw: bytes) -> tuple[str, database.Metadata | None]:
    """Return the version that `trivy version` prints, checked, and what it says about the database."""
    try:
        printed = msgspec.json.decode(raw, type=_Printed)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ScannerError(
            "Trivy prints no readable version", why=str(error), next=_install_hint()
        ) from error
    accepted = tools.find(Trivy.name).accepted
    if not accepted.has(printed.version):
        raise ScannerError(
            f"Trivy {printed.version[:50]} is installed, accepted is {accepted}",
            why="another version may find, name or report things differently",
            next=_install_hint(),
        )
    return printed.version, database.decode(printed.database)


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


def _report(kind: ReportKind, path: Path) -> Report:
    return Report(kind=kind, path=path, media_type=_MEDIA_TYPES[kind])


def _facts(used: Versions, started: datetime, finished: datetime, content: report.Content) -> ScanFacts:
    return ScanFacts(
        scanner=Trivy.name,
        scanner_version=used.version,
        database=used.database,
        indexes=used.indexes,
        started=started,
        finished=finished,
        ecosystems=content.ecosystems,
        findings=content.findings,
    )


def _write_secret_rules(folder: Path) -> Path:
    """Write the settings for secrets under a name that no file of an image has: Trivy leaves that one out."""
    path = folder / f"secrets-{token_hex(16)}.yaml"
    path.write_text(_RULES, "utf-8")
    return path


def _without_foreign_settings() -> dict[str, str]:
    """Return every TRIVY_* variable, emptied (to Trivy that is unset): they could hide findings."""
    return {name: "" for name in os.environ if name.startswith("TRIVY_")}


def _install_hint() -> str:
    tested = tools.find(Trivy.name).tested[-1]
    return f"'autoclave tools install trivy' gets {tested}; --scanner-command names another program"
