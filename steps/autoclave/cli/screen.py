"""The screen that fits: JSON, a CI host's log, a live terminal, or plain lines."""

from __future__ import annotations

import os
import sys

from autoclave.console.base import Screen
from autoclave.console.json import JsonScreen
from autoclave.console.plain import PlainScreen


def choose(*, as_json: bool) -> Screen:
    """Return the screen that fits: JSON when asked for, GitLab's log, a live terminal, else plain lines."""
    if as_json:
        return JsonScreen()
    if os.environ.get("GITLAB_CI") == "true":
        from autoclave.hosts.gitlab.console import GitLabScreen

        return GitLabScreen()
    if sys.stderr.isatty():
        from autoclave.console.live import LiveScreen

        return LiveScreen()
    return PlainScreen()
