"""Which base images a Dockerfile starts from (source: Dockerfile reference, ARG and FROM)."""

from __future__ import annotations

import re
from collections.abc import Mapping

_FROM = re.compile(r"FROM\s+(?:--\S+\s+)*(?P<base>\S+)(?:\s+AS\s+(?P<stage>\S+))?\s*", re.IGNORECASE)
_ARG = re.compile(r"ARG\s+(?P<rest>.+)", re.IGNORECASE)
_REFERENCE = re.compile(r"\$(?:(?P<bare>\w+)|\{(?P<name>\w+)(?::?(?P<sign>[-+])(?P<other>[^}]*))?\})")


def bases(text: str, args: Mapping[str, str]) -> list[str]:
    """Return the images that the stages start from, each once; earlier stages and scratch are left out."""
    known: dict[str, str] = {}
    stages: set[str] = set()
    found: list[str] = []
    for line in _instructions(text):
        arg = _ARG.fullmatch(line)
        if arg and not stages and not found:  # only ARGs before the first FROM count in FROM
            for word in arg["rest"].split():
                name, _, default = word.partition("=")
                known[name] = args.get(name, default.strip("\"'"))
        start = _FROM.fullmatch(line)
        if start:
            base = _substituted(start["base"], known)
            if base.lower() not in stages and base.lower() != "scratch" and base not in found:
                found.append(base)
            stages.add((start["stage"] or f"stage {len(stages)}").lower())
    return found


def _instructions(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\[ \t]*\n", " ", "\n".join(lines))
    return [line.strip() for line in joined.splitlines() if line.strip()]


def _substituted(text: str, known: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        here = known.get(match["bare"] or match["name"], "")
        if match["sign"] == "-":
            return here or match["other"]
        if match["sign"] == "+":
            return match["other"] if here else ""
        return here

    return _REFERENCE.sub(value, text)
