"""Symbolic links of a tree, resolved as a kernel would, but without one: do they stay inside?"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from autoclave.device.source.trees import show
from autoclave.errors import SourceError

_MOST = 40  # links on one way, as Linux follows


def require_inside(links: Mapping[bytes, bytes]) -> None:
    """Refuse links that leave the tree, in one step or in several; `links` maps paths to targets.

    A link to what does not exist is allowed when that is inside. Raises SourceError.
    """
    for path in links:
        if why := explain_escape(path, links):
            raise SourceError(
                f"the link '{show(path)}' to '{show(links[path])}' {why}",
                why="what is built must come from the commit, and only from the device's own folder",
                next="replace the link by a file, or by a link inside of the folder",
            )


def explain_escape(path: bytes, links: Mapping[bytes, bytes]) -> str:
    """Return why a link does not stay inside of the tree; empty when it does."""
    place: list[bytes] = []
    ahead = deque(path.split(b"/"))
    followed = 0
    while ahead:
        part = ahead.popleft()
        if part in {b"", b"."}:
            continue
        if part == b"..":
            if not place:
                return "leaves the device's folder"
            place.pop()
            continue
        place.append(part)
        target = links.get(b"/".join(place))
        if target is None:
            continue
        followed += 1
        if followed > _MOST:
            return "leads to itself"
        if target.startswith(b"/"):
            return "is absolute"
        if not target or b"\0" in target:
            return "is empty or damaged"
        place.pop()
        ahead.extendleft(reversed(target.split(b"/")))
    return ""
