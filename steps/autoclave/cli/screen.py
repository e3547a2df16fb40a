"""The screen that fits: JSON when asked for, else the host's."""

from __future__ import annotations

import os

from autoclave import hosts
from autoclave.console.base import Screen
from autoclave.console.json import JsonScreen


def choose(*, as_json: bool) -> Screen:
    """Return the screen of a command."""
    return JsonScreen() if as_json else hosts.detect(os.environ).console()
