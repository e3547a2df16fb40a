"""Grype, pinned, offline, with nothing but our own settings. It finds vulnerabilities, and nothing else."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from autoclave import tools
from autoclave.errors import DatabaseError, ScannerError, ToolError
from autoclave.model.facts import Kind, ScanFacts
from autoclave.runtime.shell import Completed, Shell
from autoclave.runtime.surroundings import base_folder
from autoclave.scanners import archives, images
from autoclave.scanners.base import Report, ReportKind, Scan, Setup, Versions
from autoclave.scanners.grype import database, report
from autoclave.scanners.reports import FILES

_LONGEST = 1800.0  # seconds
_IMAGE, _DATABASE, _CONFIG = (
    "image",
    "database",
    "settings.yaml",
)  # the names in reports: the same on every machine

_COLOUR = re.compile(r"(?:\x1b|\u241b)\[[0-9;]*m")  # neutral or not

_PACKED = ("import.json", "vulnerability.db")

_FORMS = {
    ReportKind.RAW: ("json", "application/json"),
    ReportKind.SBOM: ("cyclonedx-json", "application/vnd.cyclonedx+json"),
    ReportKind.SARIF: ("sarif", "application/sarif+json"),
}

_SETTINGS = {
    # Nothing is fetched; the age is the gate's to judge, and the content is verified by its digest.
    "GRYPE_DB_AUTO_UPDATE": "false",
    "GRYPE_DB_VALIDATE_AGE": "false",
    "GRYPE_DB_VALIDATE_BY_HASH_ON_START": "true",
    "GRYPE_CHECK_FOR_APP_UPDATE": "false",
    "GRYPE_EXTERNAL_SOURCES_ENABLE": "false",
    # Otherwise it leaves out what the kernel's headers share with the kernel.
    "GRYPE_MATCH_UPSTREAM_KERNEL_HEADERS": "true",
}


class Grype:
    """The scanner interface on the Grype command. `program` is a name on PATH or a path."""

    name = "grype"
    command = ("grype", "oci-dir:IMAGE")
    parts = (str(database.SCHEMA),)
    tag = "latest"

    def __init__(self, shell: Shell, *, program: str, cache: Path) -> None:
        self._shell = shell
        self.program = str(Path(program).absolute()) if os.sep in program else program
        self.cache = self._cache = cache.absolute()

    def versions(self) -> Versions:
        """Return what would scan. Raise ScannerError (missing, other version) or DatabaseError."""
        return Versions(
            version=self._check_version(),
            database=database.examine(self._cache),
            renew="autoclave database update --scanner grype",
        )

    def at(self, cache: Path) -> Grype:
        """Return the same scanner with another cache."""
        return Grype(self._shell, program=self.program, cache=cache)

    def download(self) -> None:
        """Fetch the newest database from Grype's publisher into the cache."""
        self._check_version()
        with tempfile.TemporaryDirectory(prefix="autoclave-grype-") as folder:
            self._run("db", "update", folder=Path(folder))

    def unpack(self, archive: Path) -> None:
        """Write the database that a file holds into the cache: packed here, or as Grype's publisher packs it.

        Grype changes the latter while it imports it, so that its digest is another one.
        """
        self._check_version()
        if archives.has(archive, _PACKED[0]):
            archives.unpack(archive, self._files())
            return
        with tempfile.TemporaryDirectory(prefix="autoclave-grype-") as folder:
            self._run("db", "import", str(archive), folder=Path(folder))

    def pack(self, archive: Path) -> None:
        """Write the database of the cache into a file."""
        self.versions()
        archives.pack(archive, self._files())

    def _files(self) -> dict[str, Path]:
        return {name: database.path(self._cache).parent / name for name in _PACKED}

    def scan(self, image: str, folder: Path) -> Scan:
        """Scan an image in one run, which writes findings, SBOM and SARIF.

        Raises ScannerError when the scanner or its report cannot be relied on, DatabaseError when the
        database cannot, or changed meanwhile, StoreError when the image is missing.
        """
        layout, digest = images.split(image)
        config_digest = images.read_config_digest(layout, digest)
        versions = self.versions()
        used = versions.database
        before = self._fingerprint()
        images.write_single(layout, digest, folder / _IMAGE)
        # Behind a link: its path would be in every report.
        (folder / _DATABASE).symlink_to(self._cache, target_is_directory=True)
        started = datetime.now(UTC)
        # An empty file of settings, so that no other one is searched for.
        (folder / _CONFIG).write_text("{}\n")
        outputs = [
            word for kind, (form, _) in _FORMS.items() for word in ("--output", f"{form}={FILES[kind]}")
        ]
        self._run(f"oci-dir:{_IMAGE}", "--config", _CONFIG, *outputs, folder=folder, cache=Path(_DATABASE))
        finished = datetime.now(UTC)
        if self._fingerprint() != before:
            raise DatabaseError("Grype's database changed during the scan", next="scan again")
        packages = report.read_packages(folder / FILES[ReportKind.SBOM])
        advisories = database.find_advisories(self._cache, used, packages.system)
        content = report.read(
            folder / FILES[ReportKind.RAW],
            digest=digest,
            config_digest=config_digest,
            version=versions.version,
            system=packages.system,
        )
        ended = content.is_ended or (advisories.ended is not None and advisories.ended < finished)
        facts = ScanFacts(
            scanner=self.name,
            scanner_version=versions.version,
            database=used,
            started=started,
            finished=finished,
            ecosystems=tuple(report.judge_packages(packages, advisories, is_ended=ended)),
            findings=content.findings,
            kinds=(Kind.VULNERABILITY,),
        )
        return Scan(facts=facts, reports=tuple(_report(kind, folder) for kind in _FORMS))

    def _check_version(self) -> str:
        printed = self._run("--version", folder=None).out.decode("utf-8", "replace").split()
        accepted = tools.find(self.name).accepted
        if len(printed) != 2 or printed[0] != self.name or not accepted.has(printed[1]):
            raise ScannerError(
                f"Grype {' '.join(printed)[:50].removeprefix('grype ')} is installed, accepted is {accepted}",
                why="another version may find, name or report things differently",
                next=_install_hint(),
            )
        return printed[1]

    def _run(self, *args: str, folder: Path | None, cache: Path | None = None) -> Completed:
        if self._shell.which(self.program) is None:
            raise ScannerError(
                "Grype is missing", why=f"the program {self.program} does not exist", next=_install_hint()
            )
        argv = [self.program, *args]
        try:
            return self._shell.run(
                argv, cwd=folder, environment=_environment(cache or self._cache, folder), timeout=_LONGEST
            )
        except ToolError as error:
            raise ScannerError(
                f"Grype failed: {error.what}",
                why=_find_error(error.why),
                next="'autoclave doctor --scanner grype' checks Grype and its database",
            ) from error

    def _fingerprint(self) -> tuple[int, int, int]:
        try:
            stat = database.path(self._cache).stat()
        except OSError as error:
            raise database.refuse(self._cache, "was removed during the scan", str(error)) from error
        return stat.st_ino, stat.st_size, stat.st_mtime_ns


def create(setup: Setup) -> Grype:
    """Return the scanner."""
    cache = setup.cache or base_folder("XDG_CACHE_HOME", ".cache") / "grype" / "db"
    return Grype(setup.shell, program=setup.command or "grype", cache=cache)


def _environment(cache: Path, folder: Path | None) -> Mapping[str, str]:
    """Return all variables of a run: settings of the surroundings or of a home folder could hide findings."""
    home = str(folder or Path("/nonexistent"))
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
    homes = {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home, "XDG_CONFIG_DIRS": home}
    return {**kept, **homes, **_SETTINGS, "GRYPE_DB_CACHE_DIR": str(cache)}


def _find_error(printed: str) -> str:
    """Return the line that says why Grype failed: the last one that it marks as an error, else the last."""
    plain = _COLOUR.sub("", printed)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    marked = [line for line in lines if "ERROR" in line or "error" in line.lower()]
    return (marked or lines or [""])[-1][:1000]


def _report(kind: ReportKind, folder: Path) -> Report:
    path = folder / FILES[kind]
    if not path.is_file() or not path.stat().st_size:
        raise ScannerError(f"Grype wrote no {_FORMS[kind][0]} file", next="scan again")
    return Report(kind=kind, path=path, media_type=_FORMS[kind][1])


def _install_hint() -> str:
    tested = tools.find(Grype.name).tested[-1]
    return (
        f"'autoclave tools install grype' gets {tested}; --scanner-command grype=PATH names another program"
    )
