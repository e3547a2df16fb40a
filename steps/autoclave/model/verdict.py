"""A verdict: pass, or the list of reasons why not."""

from __future__ import annotations

from msgspec import Struct


class Verdict(Struct, frozen=True):
    """The result of one gate. It passes exactly when there is no reason why not."""

    gate: str
    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the gate is open."""
        return not self.reasons
