"""The real Grype, and databases for it: setup/grype.sh builds both programs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from autoclave.runtime.shell import Shell
from autoclave.scanners.grype import Grype

ADVISORIES = Path(__file__).parents[1] / "fixtures" / "reports" / "advisories.json"


def program() -> str:
    """Return the program. Fails, never skips: an unscanned image is no success."""
    path = Path(os.environ.get("AUTOCLAVE_GRYPE", "")) / "grype"
    assert path.is_file(), f"AUTOCLAVE_GRYPE must name the folder of setup/grype.sh; {path} does not exist"
    return str(path)


def build_database(cache: Path, *, facts: Path = ADVISORIES) -> Path:
    """Build a real database, dated now, from facts about advisories into a folder; return the folder."""
    writer = Path(program()).with_name("advisories")
    subprocess.run([writer, "-in", facts, "-out", cache], check=True, capture_output=True)
    return cache


def create(cache: Path) -> Grype:
    """Return the scanner with this cache."""
    return Grype(Shell(), program=program(), cache=cache)
