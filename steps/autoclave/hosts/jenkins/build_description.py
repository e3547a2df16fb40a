"""The verdicts of a device's images as the description of a Jenkins build: plain text, or HTML.

Jenkins shows descriptions as plain text unless an administrator has chosen "Safe HTML"
(jenkins.io/doc/book/security/markup-formatter). All that comes from the device is escaped in both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from autoclave.hosts.summary import (
    LONGEST_REASON,
    REASONS,
    STEPS,
    About,
    cut,
    headline,
    overall_state,
    to_plain,
)
from autoclave.model.status import Gate, GateStatus, Row

LONGEST = 20_000  # characters of a description
_LONGEST_NAME = 100
_END = "(autoclave show)"
_FOOT = f"Read from the signed records of these digests {_END}."
_OURS = re.compile(rf"(?s)(<h4>)?Autoclave: .*?{re.escape(_END)}\.(</p>)?")
_SIGN = {GateStatus.PASSED: "✔", GateStatus.CLOSED: "✘", GateStatus.REJECTED: "⛔", GateStatus.NONE: "·"}


def badge(rows: Sequence[Row]) -> str:
    """Return a few words for a badge at the build."""
    return f"{_SIGN[overall_state(rows)]} {headline(rows)}"


def text(about: About, rows: Sequence[Row]) -> str:
    """Return the description as plain text; columns are aligned in a font of fixed width."""
    lines = [f"Autoclave: {badge(rows)}", _device(about)]
    for row in rows:
        lines += ["", f"{_name(row.image)}  {row.digest or 'not built'}"]
        lines += [f"  {_SIGN[gate.state]} {gate.step}: {gate.state.value}" for gate in map(row.gate, STEPS)]
        lines += [f"      {reason}" for gate in row.gates for reason in _reasons(gate)]
    return _fit(lines, ["", *_verifier(about), _FOOT])


def html(about: About, rows: Sequence[Row]) -> str:
    """Return the description as HTML that Jenkins's "Safe HTML" does not change."""
    head = "".join(f"<th>{escape(each)}</th>" for each in ("image", "digest", *STEPS))
    lines = [
        f"<h4>Autoclave: {escape(badge(rows))}</h4>",
        f"<p>{escape(_device(about))}</p>",
        "<table border=1>",
    ]
    lines.append(f"<tr>{head}</tr>")
    for row in rows:
        cells = [f"<b>{escape(_name(row.image))}</b>", f"<code>{escape(row.digest or 'not built')}</code>"]
        cells += [f"{_SIGN[gate.state]} {escape(gate.state.value)}" for gate in map(row.gate, STEPS)]
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    lines.append("</table>")
    for row in rows:
        for gate in row.gates:
            if gate.reasons:
                listed = "".join(f"<li>{escape(reason)}</li>" for reason in _reasons(gate))
                lines.append(
                    f"<p>{escape(gate.step)} of <b>{escape(_name(row.image))}</b></p><ul>{listed}</ul>"
                )
    return _fit(lines, [*(f"<p>{escape(each)}</p>" for each in _verifier(about)), f"<p>{_FOOT}</p>"])


def merge(before: str, ours: str) -> str:
    """Return a description with our part replaced, or added after what others wrote."""
    if _OURS.search(before):
        return _OURS.sub(lambda _: ours, before, count=1)
    return f"{before.rstrip()}\n\n{ours}" if before.strip() else ours


def _device(about: About) -> str:
    parts = [f"{_clean(about.device)} {_clean(about.version)}", f"safety class {_clean(about.safety_class)}"]
    return ", ".join(parts + ([f"commit {_clean(about.commit)[:12]}"] if about.commit else []))


def _verifier(about: About) -> list[str]:
    return [f"verify.py of its bundle has the SHA-256 {_clean(about.verifier)}"] if about.verifier else []


def _reasons(gate: Gate) -> list[str]:
    shown = [cut(_clean(reason), LONGEST_REASON) for reason in gate.reasons[:REASONS]]
    more = len(gate.reasons) - REASONS
    return shown + ([f"and {more} more: see the log"] if more > 0 else [])


def _fit(lines: list[str], end: list[str]) -> str:
    """Return the lines and the end; whole lines are left out when there are too many."""
    room = LONGEST - sum(len(each) + 1 for each in end) - 100
    kept = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            kept.append("The rest is left out: see the log.")
            break
        kept.append(line)
    return "\n".join(kept + end)


def _name(text: str) -> str:
    return cut(_clean(text), _LONGEST_NAME)


def _clean(text: str) -> str:
    """Return text that cannot be mistaken for the end of our part."""
    return to_plain(text).replace(_END, "(autoclave-show)")
