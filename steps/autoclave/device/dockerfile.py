"""The base images of a Dockerfile, and how one of its stages is replaced (source: Dockerfile reference)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_FROM = re.compile(r"FROM\s+(?:--\S+\s+)*(?P<base>\S+)(?:\s+AS\s+(?P<stage>\S+))?\s*", re.IGNORECASE)
_ARG = re.compile(r"ARG\s+(?P<rest>.+)", re.IGNORECASE)
_WITH_HEREDOC = {"RUN", "COPY", "ADD"}
_HEREDOC = re.compile(r"<<-?\s*([\"']?)(?P<end>[A-Za-z_]\w*)\1")
_REFERENCE = re.compile(r"\$(?:(?P<bare>\w+)|\{(?P<name>\w+)(?::?(?P<sign>[-+])(?P<other>[^}]*))?\})")


def bases(text: str, args: Mapping[str, str]) -> list[str]:
    """Return the base images of the stages, each once, without earlier stages and scratch."""
    known: dict[str, str] = {}
    stages: set[str] = set()
    found: list[str] = []
    for _, line in _instructions(text):
        arg = _ARG.fullmatch(line)
        if arg and not stages and not found:  # only ARGs before the first FROM count in FROM
            for word in arg["rest"].split():
                name, _, default = word.partition("=")
                known[name] = args.get(name, default.strip("\"'"))
        start = _FROM.fullmatch(line)
        if start:
            base = _substitute(start["base"], known)
            if base.lower() not in stages and base.lower() != "scratch" and base not in found:
                found.append(base)
            stages.add((start["stage"] or f"stage {len(stages)}").lower())
    return found


def replace_stage(text: str, stage: str, image: str) -> str | None:
    """Return the Dockerfile in which a stage is exactly the given image; None when there is no such stage.

    Nothing of that stage is built again: stages based on it have exactly these layers, whatever the builder
    has in its cache. Its ARGs stay, for the stages that inherit them.
    """
    kept: list[str] = []
    found = inside = False
    for raw, line in _instructions(text):
        start = _FROM.fullmatch(line)
        if start:
            inside = bool(stage) and (start["stage"] or "").lower() == stage.lower()
            found = found or inside
            raw = f"FROM {image} AS {stage}\n" if inside else raw  # noqa: PLW2901 -- the new line
        if not inside or start or _ARG.fullmatch(line) or not line:
            kept.append(raw)
    return "".join(kept) if found else None


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield every instruction as it is written, with its here-documents, and as one line; comments as ""."""
    lines = iter(text.splitlines(keepends=True))
    for first in lines:
        raw, line = first, first.strip()
        if line.startswith("#"):
            yield raw, ""
            continue
        while line.endswith("\\") and (more := next(lines, None)) is not None:
            raw += more
            part = more.strip()
            # There may be comments and empty lines between the lines of one instruction.
            if part and not part.startswith("#"):
                line = f"{line[:-1].rstrip()} {part}"
        for heredoc in _HEREDOC.finditer(line) if line[:4].upper().strip() in _WITH_HEREDOC else ():
            for more in lines:
                raw += more
                if more.strip() == heredoc["end"]:
                    break
        yield raw, line


def _substitute(text: str, known: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        here = known.get(match["bare"] or match["name"], "")
        if match["sign"] == "-":
            return here or match["other"]
        if match["sign"] == "+":
            return match["other"] if here else ""
        return here

    return _REFERENCE.sub(value, text)
