"""A copy of the repository to which a newcomer adds something, as CONTRIBUTING.md says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOYS = ROOT / "tests" / "fixtures" / "drill"
COPIED = ("steps", "pipelines", "docs", "tests/builders", "pyproject.toml")


def copy_tree(folder: Path) -> Path:
    """Copy what a newcomer changes, and the tests that look at it; return the copy."""
    ignored = shutil.ignore_patterns("__pycache__", "*.png", "*.gif")
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy(source, target)
    return folder


def apply(tree: Path, toy: str) -> set[str]:
    """Add a toy to a copy: its files, and its edits of others; return the paths of all of them."""
    added = tomllib.loads((TOYS / toy).read_text("utf-8"))
    for name, target in added["files"].items():
        shutil.copy(TOYS / name, tree / target)
    for edit in added.get("edit", []):
        path = tree / edit["file"]
        text = path.read_text("utf-8")
        assert text.count(edit["find"]) == 1, f"not exactly once in {edit['file']}: {edit['find']}"
        path.write_text(text.replace(edit["find"], edit["replace"]), "utf-8")
    return {*added["files"].values(), *(edit["file"] for edit in added.get("edit", []))}


def run(tree: Path, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python in a copy, with the copy's package."""
    environ = {**os.environ, "PYTHONPATH": f"{tree / 'steps'}:{tree / 'tests'}", "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd or tree, env=environ, capture_output=True, text=True, check=False
    )
