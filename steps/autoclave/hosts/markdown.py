"""A device's gates as Markdown, for the pages of CI hosts: GitLab's notes, GitHub's summaries.

Text from the device repository is in code spans: in them both expand no mention, reference, link, image or
HTML (docs.gitlab.com/user/markdown, github.github.com/gfm).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from autoclave.hosts.summary import LONGEST_REASON, REASONS, SHORT, STEPS, About, cut, to_plain
from autoclave.model.digest import Digest
from autoclave.model.status import Gate, GateStatus, Row

ICON = {GateStatus.PASSED: "✅", GateStatus.CLOSED: "❌", GateStatus.REJECTED: "⛔", GateStatus.NONE: "⚪"}
_LONGEST_NAME = 100


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


def table(rows: Sequence[Row]) -> str:
    """Return one line an image, with the state of every gate."""
    lines = ["| image | digest | " + " | ".join(STEPS) + " |", "|---|---|" + ":-:|" * len(STEPS)]
    for row in rows:
        short = Digest(row.digest).hex[:SHORT]
        cells = [f"{ICON[gate.state]} {gate.state.value}" for gate in map(row.gate, STEPS)]
        digest = code_span(short, cell=True) if short else "not built"
        lines.append(f"| {code_span(row.image, cell=True)} | {digest} | {' | '.join(cells)} |")
    return "\n".join(lines)


def digests(rows: Sequence[Row]) -> str:
    """Return one line for each image that is built: its whole digest."""
    return "\n".join(f"{code_span(row.image)} is {code_span(row.digest)}  " for row in rows if row.digest)


def reasons(rows: Sequence[Row]) -> list[str]:
    """Return why gates are closed, one part for each of them."""
    return [_reasons(row, gate) for row in rows for gate in row.gates if gate.reasons]


def join(parts: Sequence[str], about: About, *, longest: int) -> str:
    """Return the parts, cut between lines where they are too long, and what they were read from."""
    text = "\n\n".join(part for part in parts if part)
    end = f"\n\n---\n\n{_foot(about)}\n"
    room = longest - len(end)
    if len(text) > room:
        # Half a code span would open what comes after it.
        text = text[:room].rpartition("\n")[0] + "\n\nThe rest is left out: see the job's log."
    return text + end


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
