"""A screen that says how long each step took the last time, out of a file beside the reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from autoclave.console.base import Screen
from autoclave.console.progress import duration
from autoclave.errors import AutoclaveError
from autoclave.model.verdict import Verdict

_MOST = 500  # steps of images that are remembered
_LEAST, _LONGEST = 5.0, 1e6  # seconds: what is shorter needs no estimate


class TimedScreen:
    """Shows what another screen shows, and an estimate when a step begins.

    `read` returns the bytes of the file, empty without one, and `write` replaces it. An estimate is never a
    reason to fail: a file that cannot be read or written is none.
    """

    def __init__(self, inner: Screen, read: Callable[[], bytes], write: Callable[[bytes], object]) -> None:
        self._inner, self._read, self._write = inner, read, write

    def begin(self, step: str, what: str) -> None:
        """Show that a step begins, and how long it took the last time."""
        seconds = self._load().get(_key(step, what), 0.0)
        text = f"{what} (took {duration(seconds)} the last time)" if seconds >= _LEAST else what
        self._inner.begin(step, text)

    def verdict(self, verdict: Verdict, seconds: float, what: str) -> None:
        """Show the verdict of a gate, and remember how long it took."""
        self._inner.verdict(verdict, seconds, what)
        known = self._load()
        known.pop(_key(verdict.gate, what), None)  # the newest comes last
        known[_key(verdict.gate, what)] = round(seconds, 1)
        with suppress(AutoclaveError, OSError):
            self._write(msgspec.json.encode(dict(list(known.items())[-_MOST:])))

    def _load(self) -> dict[str, float]:
        try:
            found = msgspec.json.decode(self._read(), type=dict[str, float])
        except (AutoclaveError, OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}
        return {key: value for key, value in found.items() if 0 <= value < _LONGEST and len(key) < 300}

    def line(self, step: str, text: str) -> None:
        """Show a line that a step's tool printed."""
        self._inner.line(step, text)

    def progress(self, step: str, text: str) -> None:
        """Show how far something is."""
        self._inner.progress(step, text)

    def note(self, step: str, text: str) -> None:
        """Show a note."""
        self._inner.note(step, text)

    def warn(self, step: str, text: str) -> None:
        """Show a warning."""
        self._inner.warn(step, text)

    def command(self, text: str) -> None:
        """Show an external command, as a line to paste."""
        self._inner.command(text)

    def skip(self, step: str, why: str) -> None:
        """Show that a step is skipped, because its record is valid."""
        self._inner.skip(step, why)

    def result(self, text: str, data: Mapping[str, Any]) -> None:
        """Print a result of the command."""
        self._inner.result(text, data)

    def close(self) -> None:
        """End the output."""
        self._inner.close()


def _key(step: str, what: str) -> str:
    """Return what a step is remembered by: itself, and the image that its text begins with."""
    return f"{step} {(what.split() or [''])[0]}"
