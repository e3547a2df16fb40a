"""What every screen can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from autoclave.model.verdict import Verdict


class Screen(Protocol):
    """Where a run tells what it does. Methods may be called from several threads."""

    def begin(self, step: str, what: str) -> None:
        """A step begins."""

    def line(self, step: str, text: str) -> None:
        """A step's tool printed a line."""

    def note(self, step: str, text: str) -> None:
        """Something worth knowing."""

    def warn(self, step: str, text: str) -> None:
        """Something that must not be overlooked."""

    def command(self, text: str) -> None:
        """An external command, as a line to paste."""

    def verdict(self, verdict: Verdict, seconds: float, what: str) -> None:
        """A gate has spoken."""

    def skip(self, step: str, why: str) -> None:
        """A step is not run, because its record already holds."""

    def result(self, text: str, data: Mapping[str, Any]) -> None:
        """What the command was asked for."""

    def close(self) -> None:
        """Nothing more comes."""
