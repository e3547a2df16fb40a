"""A Dockerfile in which one stage is an image that exists already."""

from __future__ import annotations

from autoclave.device.dockerfile import reading, text
from autoclave.device.dockerfile.directives import READINGS
from autoclave.device.dockerfile.reading import Dockerfile
from autoclave.errors import SourceError


def replace_stage(raw: bytes, name: str, stage: str, image: str) -> bytes | None:
    """Return the Dockerfile in which a stage is exactly the given image; None when there is no such stage.

    Nothing of that stage is built again: stages based on it have exactly these layers, whatever the builder
    has in its cache. Its ARGs stay, for the stages that inherit them. Raises SourceError.
    """
    file = _read(reading.decode(raw, name), name)
    kept: list[str] = []
    found = inside = False
    end = 0
    for each in file.instructions:
        start = each.line - 1
        kept += file.lines[end:start]  # comments and empty lines
        end = start + each.lines
        if each.keyword == "FROM":
            parts = text.split_spaces(each.arguments)
            inside = bool(stage) and len(parts) == 3 and parts[2].lower() == stage.lower()
            found = found or inside
            kept += [f"FROM {image} AS {stage}\n"] if inside else file.lines[start:end]
        elif not inside or each.keyword == "ARG":
            kept += file.lines[start:end]
    kept += file.lines[end:]
    return "".join(kept).encode("utf-8", "surrogateescape") if found else None


def _read(decoded: str, name: str) -> Dockerfile:
    """Return what the first reading that makes sense of the file makes of it."""
    refused: list[SourceError] = []
    for each in READINGS:
        try:
            return reading.read(decoded, name, each)
        except SourceError as error:
            refused.append(error)
    raise refused[0]
