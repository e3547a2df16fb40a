"""The real Trivy and its database, as the options of the scanners name them in the environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "setup" / "trivy" / "advisories.json"
"""The advisories of the small database."""
VARIABLES = ("AUTOCLAVE_SCANNER_COMMAND", "AUTOCLAVE_SCANNER_CACHE")
NO_DOWNLOAD = {"AUTOCLAVE_DATABASE_FROM": "none"}
"""What keeps a scan job from fetching a database from its publisher."""


def job_settings() -> dict[str, str]:
    """Return what the jobs of a CI host need to scan here: they take the database that is there."""
    return {name: os.environ[name] for name in VARIABLES} | NO_DOWNLOAD


def program() -> str:
    """Return the program. Fails, never skips: an unscanned image is no success."""
    path = read_setting("AUTOCLAVE_SCANNER_COMMAND")
    assert Path(path).is_file(), f"AUTOCLAVE_SCANNER_COMMAND must name Trivy; it is {path!r}"
    return path


def cache() -> Path:
    """Return the folder with the database."""
    path = read_setting("AUTOCLAVE_SCANNER_CACHE")
    assert path, "AUTOCLAVE_SCANNER_CACHE is not set: run ./check, or eval setup/exports.sh"
    return Path(path)


def pad_cache(folder: Path) -> str:
    """Return a folder with the small database, which zeros at its end make longer than a full one."""
    shutil.copytree(cache() / "db", folder / "db")
    with (folder / "db" / "trivy.db").open("r+b") as file:
        file.truncate(120_000_000)
    return str(folder)


def read_setting(variable: str) -> str:
    """Return what a variable says for Trivy: `VALUE` or `trivy=VALUE`; empty when it is not set."""
    return os.environ.get(variable, "").removeprefix("trivy=")


def build_java_index(cache: Path) -> None:
    """Build the small Java database into a cache folder of Trivy."""
    script = ROOT / "setup" / "trivy" / "java_index.py"
    facts = ROOT / "setup" / "trivy" / "java.json"
    subprocess.run([sys.executable, script, facts, cache], check=True)
