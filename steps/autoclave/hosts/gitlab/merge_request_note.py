"""The verdicts of a device's images as one merge-request note in GitLab's Markdown.

In code spans GitLab expands no quick action either (docs.gitlab.com/user/project/quick_actions).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from autoclave.hosts import markdown
from autoclave.hosts.markdown import ICON, code_span
from autoclave.hosts.summary import About, headline, overall_state
from autoclave.model.status import Row

LONGEST_NOTE = 60_000  # characters; GitLab accepts 1,000,000


def marker(device: str) -> str:
    """Return the hidden first line by which the note of a device is found."""
    return f"<!-- autoclave note: {re.sub(r'[^a-z0-9-]', '', device)} -->"


def render(about: About, rows: Sequence[Row]) -> str:
    """Return the whole note."""
    parts = [
        marker(about.device),
        f"### {ICON[overall_state(rows)]} {code_span(about.device)} {code_span(about.version)}: "
        + headline(rows),
        markdown.table(rows),
        markdown.digests(rows),
        *markdown.reasons(rows),
    ]
    return markdown.join(parts, about, longest=LONGEST_NOTE)
