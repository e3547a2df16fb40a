"""Reports as files for the host: below `.autoclave/reports/IMAGE/`, replaced atomically."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def write_report(state_folder: Path, image: str, name: str, chunks: Iterable[bytes]) -> Path:
    """Write one report of an image and return its path."""
    return replaced(state_folder / "reports" / image, name, chunks)


def replaced(folder: Path, name: str, chunks: Iterable[bytes]) -> Path:
    """Write a file whole, then put it in place; a reader sees the old or the new one, never half of it."""
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f".{name}.{os.getpid()}"
    with made.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
    return made.replace(folder / name)
