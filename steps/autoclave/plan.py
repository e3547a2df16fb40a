"""What a step would run: commands, tool versions and inputs, and one hash over them.

The hash says nothing about the machine (no absolute path, no time), so that the same commit gives the
same hash on a laptop and on a CI host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from autoclave.store.oci import digest_of


class StepPlan(Struct, frozen=True, kw_only=True):
    """One step for one image."""

    step: str
    image: str
    commands: tuple[tuple[str, ...], ...]
    tools: Mapping[str, str]
    inputs: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The hash over everything in the plan; records carry it as `inputs`."""
        return digest_of(msgspec.json.encode(self, order="sorted"))


def digest_of_all(plans: Sequence[StepPlan]) -> str:
    """Return the hash over a whole flow."""
    return digest_of(msgspec.json.encode([each.digest for each in plans]))
