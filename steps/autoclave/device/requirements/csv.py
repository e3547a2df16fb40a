"""Requirements as CSV: a header with the names of the columns, in any order, then a row for each."""

from __future__ import annotations

import csv
import io

from autoclave.device.requirements import rows
from autoclave.errors import ConfigError
from autoclave.model.declared import Requirement
from autoclave.runtime.toml import nearest


def read(text: str, name: str) -> list[Requirement]:
    """Read a CSV file (RFC 4180, commas). Raises ConfigError naming file and line."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[Requirement] = []
    header: list[str] = []
    line = 1
    try:
        for cells in reader:
            source, line = f"{name}:{line}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = _header(cells, source)
                continue
            if len(cells) != len(header):
                raise ConfigError(
                    f"{source}: {len(cells)} columns, the header names {len(header)}",
                    next="put a text that contains a comma between double quotes",
                )
            found.append(rows.make_requirement(dict(zip(header, cells, strict=True)), source))
    except csv.Error as error:
        raise ConfigError(f"{name}:{reader.line_num}: not CSV: {error}", next="fix the line") from error
    if not header:
        raise ConfigError(f"{name}: the file is empty", next=f"begin it with: {','.join(rows.COLUMNS)}")
    return found


def _header(cells: list[str], source: str) -> list[str]:
    names = [cell.strip().lower().replace("_", "-").replace(" ", "-") for cell in cells]
    for needed in rows.NEEDED:
        if needed not in names:
            raise ConfigError(
                f"{source}: the header has no column '{needed}'",
                why=f"it names {', '.join(map(rows.sanitize, names))[:200]}",
                next=f"begin the file with: {','.join(rows.COLUMNS)}",
            )
    for name in names:
        if name not in rows.COLUMNS:
            raise ConfigError(
                f"{source}: unknown column '{rows.sanitize(name)[:50]}'",
                why="it would be silently ignored",
                next=nearest(name[:50], rows.COLUMNS),
            )
        if names.count(name) > 1:
            raise ConfigError(f"{source}: the column '{name}' is there twice", next="remove one of them")
    return names
