"""Text from outside that steers neither a terminal nor a CI host's log. Every screen prints through here.

What steers them: control characters (ECMA-48: C0 and C1, with which escape sequences begin), characters that
turn the direction of writing (Unicode Standard Annex 9), and the marks of CI hosts. GitLab's sections and
Jenkins' console notes need an escape; others have commands in plain letters (`##[…]`, `##vso[…]`, `::x::`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

LONGEST_LINE = 8192
"""Characters of a line that are kept."""

_MARGIN = 4096  # bytes beyond, in which a secret is masked whole before the line is cut
_ESCAPED = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_COMMAND = re.compile(r"##(?=\[|vso\[|teamcity\[)|^(\s*)::(?=[A-Za-z])", re.IGNORECASE)


def neutralise(text: str) -> str:
    """Return a line of text in which all that steers is visible; a second time changes nothing."""
    return _COMMAND.sub(_separate, _ESCAPED.sub(_show, text))


def neutralise_lines(text: str) -> str:
    """Return text of several lines likewise; the ends of its lines stay."""
    return "\n".join(neutralise(line) for line in text.split("\n"))


def cut(line: str) -> str:
    """Return a line with at most the characters that are kept, and how many are not shown."""
    more = len(line) - LONGEST_LINE
    return line if more <= 0 else f"{line[:LONGEST_LINE]} … ({more:,} characters more)"


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream without their ends, in time and memory that do not depend on their lengths.

    What a line has beyond the limit is dropped, and counted at its end.
    """
    most = LONGEST_LINE * 4 + _MARGIN
    kept, dropped = bytearray(), 0
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            yield _join(kept, part, dropped, most)
            kept, dropped = bytearray(), 0
        room = max(most - len(kept), 0)
        kept += rest[:room]
        dropped += len(rest) - len(rest[:room])
    if kept:
        yield _join(kept, b"", dropped, most)


def _join(kept: bytearray, part: bytes, dropped: int, most: int) -> bytes:
    room = max(most - len(kept), 0)
    dropped += len(part) - len(part[:room])
    note = f" … ({dropped:,} bytes more)".encode() if dropped else b""
    return (bytes(kept) + part[:room]).rstrip(b"\r") + note


def _show(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)  # Unicode's pictures of control characters
    return "␡" if code == 0x7F else f"\\u{code:04x}"


def _separate(found: re.Match[str]) -> str:
    return "# #" if found[0] == "##" else f"{found[1]}: :"
