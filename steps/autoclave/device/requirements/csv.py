"""Requirements as CSV: a header with the names of the columns, in any order, then a row for each.

Read as spreadsheets write it: commas, semicolons or tabs, whichever separate the header's names (Excel takes
the one of its language, and may name it in a first line `sep=;`); empty cells at the end of a row, and rows
without them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from autoclave.device.requirements import rows
from autoclave.errors import ConfigError
from autoclave.model.declared import Requirement
from autoclave.runtime.toml import nearest

_SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab"}


def read(text: str, name: str) -> list[Requirement]:
    """Read a CSV file (RFC 4180). Raises ConfigError naming file and line."""
    separator, first = _separator(text)
    found: list[Requirement] = []
    header: list[str] = []
    for cells, line in _records(text, separator, name):
        source = f"{name}:{line}"
        if line < first or not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = _header(cells, source)
            continue
        short = len(cells) <= max(header.index(needed) for needed in rows.NEEDED)
        if short or any(cell.strip() for cell in cells[len(header) :]):
            raise ConfigError(
                f"{source}: {len(cells)} columns, the header names {len(header)}",
                next=f"put a text that contains {_SEPARATORS[separator]} between double quotes",
            )
        found.append(rows.make_requirement(_row(header, cells, source), source))
    if not header:
        raise ConfigError(f"{name}: the file is empty", next=f"begin it with: {','.join(rows.COLUMNS)}")
    return found


def _separator(text: str) -> tuple[str, int]:
    """Return what separates columns, and the line of the header: the second after Excel's `sep=`."""
    first = text.split("\n", 1)[0].rstrip("\r")
    if first.lower().startswith("sep=") and first[4:] in _SEPARATORS:
        return first[4:], 2
    lines = (line for line in text.splitlines() if line.strip())
    names = next(lines, "")
    for separator in _SEPARATORS:
        if set(rows.NEEDED) <= {_column(cell.strip('"')) for cell in names.split(separator)}:
            return separator, 1
    return ",", 1


def _records(text: str, separator: str, name: str) -> Iterator[tuple[list[str], int]]:
    """Yield each record with the line at which it begins. Raises ConfigError."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            yield cells, line
            line = reader.line_num + 1
    except csv.Error as error:
        raise ConfigError(f"{name}:{reader.line_num}: not CSV: {error}", next="fix the line") from error


def _row(header: list[str], cells: list[str], source: str) -> dict[str, str]:
    """Return a row's words by column. Raises ConfigError for a cell in a column without a name."""
    for number, (column, cell) in enumerate(zip(header, cells, strict=False), 1):
        if not column and cell.strip():
            raise ConfigError(
                f"{source}: column {number} has no name, and '{rows.sanitize(cell)[:50]}' in it",
                why="it would be silently ignored",
                next="name the column in the first line, or empty it",
            )
    filled = [*cells, *[""] * (len(header) - len(cells))]
    return {column: cell for column, cell in zip(header, filled, strict=False) if column}


def _column(cell: str) -> str:
    return cell.strip().lower().replace("_", "-").replace(" ", "-")


def _header(cells: list[str], source: str) -> list[str]:
    names = [_column(cell) for cell in cells]
    for needed in rows.NEEDED:
        if needed not in names:
            raise ConfigError(
                f"{source}: the header has no column '{needed}'{rows.describe_invisible(''.join(cells))}",
                why=f"it names {', '.join(map(rows.sanitize, names))[:200]}",
                next=f"begin the file with: {','.join(rows.COLUMNS)}",
            )
    for name in names:
        if name and name not in rows.COLUMNS:
            raise ConfigError(
                f"{source}: unknown column '{rows.sanitize(name)[:50]}'{rows.describe_invisible(name)}",
                why="it would be silently ignored",
                next=nearest(rows.sanitize(name)[:50], rows.COLUMNS),
            )
        if name and names.count(name) > 1:
            raise ConfigError(f"{source}: the column '{name}' is there twice", next="remove one of them")
    return names
