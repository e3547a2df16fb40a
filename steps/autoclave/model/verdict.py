"""A verdict: pass, or the list of reasons why not."""

from __future__ import annotations

from msgspec import Struct


class Verdict(Struct, frozen=True):
    """What one gate says. It passes exactly when it has no reason not to."""

    gate: str
    reasons: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the gate is open."""
        return not self.reasons
