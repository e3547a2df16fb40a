"""Requirements of a device repository (being written: CSV alone so far)."""

from __future__ import annotations

import csv
from pathlib import Path

from autoclave.governed import Requirement, RequirementKind


def read(folder: Path, name: str) -> tuple[Requirement, ...]:
    """Read a requirements file."""
    with (folder / name).open(encoding="utf-8") as file:
        return tuple(
            Requirement(id=row["id"], text=row["text"], kind=RequirementKind(row["kind"]))
            for row in csv.DictReader(file)
        )
