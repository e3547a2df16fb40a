"""The build of the wheel: it writes which version of which commit it is, into the package.

hatchling calls this, in an environment that has nothing of ours. The commit is AUTOCLAVE_COMMIT, which
setup/wheel.sh sets when it builds out of a commit's own tree; else the checkout's, which may be modified.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULES = ("trivy", "grype", "kubernetes", "helm", "cosign")
"""The tools whose pinned Go modules `autoclave tools install` builds from."""

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
UNKNOWN = "unknown"


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """hatchling's hook."""

    _folder: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the file to the wheel. An editable installation reads the checkout instead."""
        if version != "standard":
            return
        commit, moment = find_commit(Path(self.root))
        day = time.strftime("%Y-%m-%d", time.gmtime(moment))
        self._folder = tempfile.TemporaryDirectory(prefix="autoclave-wheel-")
        path = Path(self._folder.name) / "BUILT"
        path.write_text(f"{self.metadata.version} {commit} {day}\n", "utf-8")
        path.chmod(0o644)
        build_data["force_include"][str(path)] = "autoclave/BUILT"
        for source, target in list_modules(Path(self.root)):
            build_data["force_include"][str(source)] = target

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was written."""
        if self._folder:
            self._folder.cleanup()


def list_modules(root: Path) -> list[tuple[Path, str]]:
    """Return the files that pin Go modules, and the Go that builds them, with their places in the wheel."""
    names = ["go.lock", *(f"{module}/{name}" for module in MODULES for name in ("go.mod", "go.sum"))]
    return [(root / "setup" / name, f"autoclave/tools/modules/{name}") for name in names]


def find_commit(root: Path) -> tuple[str, int]:
    """Return the commit that is built, and its time in seconds. Raises ValueError for a wrong variable."""
    moment = int(os.environ.get("SOURCE_DATE_EPOCH") or 0)
    if named := os.environ.get("AUTOCLAVE_COMMIT", ""):
        if not _COMMIT.fullmatch(named):
            raise ValueError(f"AUTOCLAVE_COMMIT is '{named}', which is not the id of a commit")
        return named, moment
    printed = ask_git(root, "log", "-1", "--format=%H %ct") if (root / ".git").exists() else ""
    if not printed:
        return UNKNOWN, moment
    commit, _, seconds = printed.partition(" ")
    changed = ask_git(
        root, "status", "--porcelain", "--", "steps", "pyproject.toml", "README.md", "setup/wheel"
    )
    return commit + ("-modified" if changed else ""), int(seconds)


def ask_git(root: Path, *words: str) -> str:
    """Return what git prints; empty when there is none, or it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], env=environment, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
