"""How a source of tools fails: it has none, or what it has is not what is pinned."""

from __future__ import annotations

from autoclave.errors import ToolError


class Unavailable(ToolError):
    """This source does not have the tool; the next one may."""


class Exchanged(ToolError):
    """What was got is not what is pinned: no other source is tried, a person has to look."""
