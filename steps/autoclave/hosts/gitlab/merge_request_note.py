"""The verdicts of a device's images as one merge-request note in GitLab's Markdown.

Text from the device repository is in code spans: in them GitLab expands no mention, reference,
link, image, HTML or quick action (docs.gitlab.com/user/markdown, docs.gitlab.com/user/project/quick_actions).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from autoclave.hosts.summary import (
    LONGEST_REASON,
    REASONS,
    SHORT,
    STEPS,
    About,
    cut,
    headline,
    overall_state,
    to_plain,
)
from autoclave.model.digest import Digest
from autoclave.model.status import Gate, GateStatus, Row

LONGEST_NOTE = 60_000  # characters; GitLab accepts 1,000,000
_LONGEST_NAME = 100


def marker(device: str) -> str:
    """Return the hidden first line by which the note of a device is found."""
    return f"<!-- autoclave note: {re.sub(r'[^a-z0-9-]', '', device)} -->"


def render(about: About, rows: Sequence[Row]) -> str:
    """Return the whole note."""
    parts = [
        marker(about.device),
        f"### {_ICON[overall_state(rows)]} {code_span(about.device)} {code_span(about.version)}: "
        + headline(rows),
        _table(rows),
        "\n".join(f"{code_span(row.image)} is {code_span(row.digest)}  " for row in rows if row.digest),
    ]
    parts += [_reasons(row, gate) for row in rows for gate in row.gates if gate.reasons]
    text = "\n\n".join(part for part in parts if part)
    end = f"\n\n---\n\n{_foot(about)}\n"
    room = LONGEST_NOTE - len(end)
    if len(text) > room:
        # Cut between lines: half a code span would open what comes after it.
        text = text[:room].rpartition("\n")[0] + "\n\nThe rest is left out: see the job's log."
    return text + end


def code_span(text: str, *, longest: int = _LONGEST_NAME, cell: bool = False) -> str:
    """Return text as a code span that the text itself cannot end.

    In a `cell` of a table a vertical line is shown as another one: Markdown's readers differ in whether a
    backslash before it counts.
    """
    shown = cut(to_plain(text), longest) or "(empty)"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    padded = f" {shown} " if "`" in shown else shown
    span = f"{fence}{padded}{fence}"
    return span.replace("|", "¦") if cell else span


_ICON = {GateStatus.PASSED: "✅", GateStatus.CLOSED: "❌", GateStatus.REJECTED: "⛔", GateStatus.NONE: "⚪"}


def _table(rows: Sequence[Row]) -> str:
    lines = ["| image | digest | " + " | ".join(STEPS) + " |", "|---|---|" + ":-:|" * len(STEPS)]
    for row in rows:
        short = Digest(row.digest).hex[:SHORT]
        cells = [f"{_ICON[gate.state]} {gate.state.value}" for gate in map(row.gate, STEPS)]
        digest = code_span(short, cell=True) if short else "not built"
        lines.append(f"| {code_span(row.image, cell=True)} | {digest} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _reasons(row: Row, gate: Gate) -> str:
    word = "records do not verify" if gate.state is GateStatus.REJECTED else "closed"
    lines = [f"**{gate.step} of {code_span(row.image)}: {word}**\n"]
    lines += [f"- {code_span(reason, longest=LONGEST_REASON)}" for reason in gate.reasons[:REASONS]]
    more = len(gate.reasons) - REASONS
    if more > 0:
        lines.append(f"- and {more} more: see the job's log")
    return "\n".join(lines)


def _foot(about: About) -> str:
    parts = [f"Safety class {code_span(about.safety_class)}"]
    if about.commit:
        parts.append(f"commit {code_span(about.commit[:SHORT])}")
    if re.fullmatch(r"https?://[A-Za-z0-9._:/~%+-]+", about.pipeline):
        parts.append(f"[pipeline]({about.pipeline})")
    return " · ".join(parts) + " · Autoclave read this from the digest's signed records (`autoclave show`)"
