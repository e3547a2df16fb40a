"""A device's gates in few words, for the pages of CI hosts: what their notes and descriptions share."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from msgspec import Struct

from autoclave.model import steps
from autoclave.model.digest import Digest
from autoclave.model.status import GateStatus, Row

STEPS = steps.NAMES
REASONS = 10  # reasons shown per gate
LONGEST_REASON = 300  # characters
SHORT = 12  # hex digits of a digest or commit that are shown


class About(Struct, frozen=True, kw_only=True):
    """Which device the page is about; `pipeline` is the address of the pipeline, if any.

    `verifier` is the SHA-256 of the verify.py that was signed with the release; empty before that.
    """

    device: str
    version: str
    safety_class: str
    commit: str = ""
    pipeline: str = ""
    verifier: str = ""


def overall_state(rows: Sequence[Row]) -> GateStatus:
    """Return the state of the worst gate of all images; deploy counts only with a record."""
    states = {row.gate(step).state for row in rows for step in STEPS[:-1]}
    states |= {row.gate("deploy").state for row in rows} - {GateStatus.NONE}
    for state in (GateStatus.REJECTED, GateStatus.CLOSED, GateStatus.NONE):
        if state in states or not rows:
            return state if rows else GateStatus.NONE
    return GateStatus.PASSED


def headline(rows: Sequence[Row]) -> str:
    """Return that state in words, and at which steps."""
    state = overall_state(rows)
    if state is GateStatus.PASSED:
        return "all gates passed"
    if state is GateStatus.NONE:
        return "not all gates have a verdict"
    named = [step for step in STEPS if any(row.gate(step).state is state for row in rows)]
    word = "records do not verify" if state is GateStatus.REJECTED else "closed"
    return f"{word} at {', '.join(named)}"


def combine_states(step: str, rows: Sequence[Row]) -> GateStatus:
    """Return one state of a gate for all images: the worst one."""
    states = [row.gate(step).state for row in rows]
    worst = (GateStatus.REJECTED, GateStatus.CLOSED, GateStatus.NONE, GateStatus.PASSED)
    return next((state for state in worst if state in states), GateStatus.NONE)


def description(step: str, rows: Sequence[Row]) -> str:
    """Return one line on one gate of all images, for a commit status: at most 255 characters."""
    parts = []
    for row in rows:
        gate = row.gate(step)
        reasons = f", {len(gate.reasons)} reasons: {gate.reasons[0]}" if gate.reasons else ""
        short = Digest(row.digest).hex[:SHORT] or "not built"
        parts.append(f"{row.image} {short} {gate.state.value}{reasons}")
    return cut(to_plain("; ".join(parts)), 255)


def to_plain(text: str) -> str:
    """Return text on one line, without characters that are invisible or change the direction of others."""
    words = " ".join(text.split())
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(each)[0] == "C" else each for each in words
    )


def cut(text: str, longest: int) -> str:
    """Return text of at most so many characters, with a mark where it was cut."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
