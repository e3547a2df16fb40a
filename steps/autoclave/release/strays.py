"""What anybody who may write to the store attached to an image: it is reported, and counts for nothing."""

from __future__ import annotations

from collections.abc import Sequence

from autoclave.context import Context
from autoclave.gates.release import Evidence

MOST = 5
"""How many are reported one by one."""

Stray = tuple[str, str]
"""A record's short name by its own word, and why it does not count."""


def warn(step: str, image: str, strays: Sequence[Stray], ctx: Context) -> None:
    """Warn of what is attached to an image and does not count."""
    for line in describe(strays):
        ctx.screen.warn(step, f"{image}: {line}")


def warn_of_all(step: str, image: str, evidence: Evidence, ctx: Context) -> None:
    """Warn of every record of an image that does not count, whoever attached it: what it says is not used."""
    warn(step, image, evidence.strays, ctx)
    for name, why in evidence.rejected:
        ctx.screen.warn(step, f"{image}: the {name} record does not count: {why}")


def explain_missing(name: str, evidence: Evidence) -> str:
    """Return why no record of a type counts, where one is attached; else an empty string."""
    if name in evidence.finished:
        return ""
    why = dict(reversed([*evidence.rejected, *evidence.strays])).get(name, "")
    return f"its {name} record does not count: {why}" if why else ""


def describe(strays: Sequence[Stray]) -> list[str]:
    """Return what is attached and does not count, a line each; of many the first, and how many more."""
    lines = [f"a {name} record that does not count: {why}" for name, why in strays[:MOST]]
    if len(strays) > MOST:
        lines.append(f"{len(strays) - MOST:,} more records that do not count")
    return lines
