"""The status of an image: the newest verdict of every gate."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class GateStatus(StrEnum):
    """The status of a gate for one image."""

    PASSED = "passed"
    CLOSED = "closed"
    REJECTED = "rejected"  # a record is attached that does not verify
    NONE = "no record"


class Gate(Struct, frozen=True, kw_only=True):
    """The newest verdict of one step on one image."""

    step: str
    state: GateStatus
    reasons: tuple[str, ...] = ()


class Row(Struct, frozen=True, kw_only=True):
    """One image and its gates; the digest is empty while it is not built."""

    image: str
    digest: str
    gates: tuple[Gate, ...]

    def gate(self, step: str) -> Gate:
        """Return the gate of a step."""
        found = [gate for gate in self.gates if gate.step == step]
        return found[0] if found else Gate(step=step, state=GateStatus.NONE)
