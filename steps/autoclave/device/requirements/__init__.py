"""Read the device's requirements: CSV, TOML, ReqIF, Doorstop or StrictDoc."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from autoclave.device.requirements import rows
from autoclave.device.schema import resolve_inside
from autoclave.errors import ConfigError
from autoclave.model.declared import Requirement

_STRICTDOC = ".sdoc"


def read(folder: Path, name: str, *, ignored: Collection[str] = ()) -> tuple[Requirement, ...]:
    """Read a file, or a folder of Doorstop's or StrictDoc's files, of a device; `source` is file and line.

    `ignored` are elements of StrictDoc, or types of ReqIF, that are no requirements. Raises SourceError for
    what is missing or leaves the device folder, ConfigError for content, naming file and line.
    """
    start = resolve_inside(folder, name)
    read_one = _folder if start.is_dir() else _file
    found = read_one(folder, start, name, ignored)
    rows.refuse_duplicates(found)
    return tuple(found)


def _file(folder: Path, start: Path, name: str, ignored: Collection[str]) -> list[Requirement]:
    # Each reader is imported when it is needed: that of YAML takes as long as all the rest of a command.
    shown = rows.relative_name(folder, start)
    match start.suffix.lower():
        case ".csv":
            from autoclave.device.requirements import csv

            return csv.read(rows.read_text(folder, start), shown)
        case ".toml":
            from autoclave.device.requirements import toml

            return toml.read(rows.read_text(folder, start), shown)
        case ".sdoc":
            from autoclave.device.requirements import strictdoc

            return strictdoc.read(folder, [start], ignored)
        case ".reqif":
            from autoclave.device.requirements import reqif

            return reqif.read(rows.read_text(folder, start), shown, ignored)
        case _:
            raise ConfigError(
                f"{name}: not a known format of requirements",
                why="the format is known by the ending of the name",
                next="use .csv, .toml, .reqif (unpacked from a .reqifz) or .sdoc, or a folder of Doorstop's "
                "or StrictDoc's files",
            )


def _folder(folder: Path, start: Path, name: str, ignored: Collection[str]) -> list[Requirement]:
    from autoclave.device.requirements import doorstop, strictdoc

    files = rows.files_below(folder, start)
    if any(each.name == doorstop.SETTINGS for each in files):
        return doorstop.read(folder, files)
    documents = [each for each in files if each.suffix.lower() == _STRICTDOC]
    if documents:
        return strictdoc.read(folder, [each.resolve() for each in documents], ignored)
    raise ConfigError(
        f"{name}: a folder without requirements",
        why=f"it has neither Doorstop's {doorstop.SETTINGS} nor a .sdoc file of StrictDoc",
        next="fix device.requirements in autoclave.toml",
    )
