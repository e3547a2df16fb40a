"""What a step would run: commands, tool versions and inputs, and one hash over them.

The hash does not depend on the machine (no absolute path, no time): the same commit has the same hash on a
laptop and on a CI host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from autoclave.model.digest import digest_of


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


def differences(one: Sequence[StepPlan], other: Sequence[StepPlan]) -> list[str]:
    """Return what differs between two plans of a flow, a line for each: step, image, what, both values."""
    left, right = _number(one), _number(other)
    found = []
    for step, image, number in dict.fromkeys([*left, *right]):
        here, there = left.get((step, image, number)), right.get((step, image, number))
        if here is None or there is None:
            found.append(f"{step} {image}: only in the {'second' if here is None else 'first'} plan")
            continue
        mine, theirs = _flat(here), _flat(there)
        found += [
            f"{step} {image}: {name}: {mine.get(name, 'nothing')} | {theirs.get(name, 'nothing')}"
            for name in dict.fromkeys([*mine, *theirs])
            if mine.get(name) != theirs.get(name)
        ]
    return found


def _number(plans: Sequence[StepPlan]) -> dict[tuple[str, str, int], StepPlan]:
    """Return the plans by step, image and number: an image has a plan for each of its scanners."""
    found: dict[tuple[str, str, int], StepPlan] = {}
    for each in plans:
        number = sum((step, image) == (each.step, each.image) for step, image, _ in found)
        found[each.step, each.image, number] = each
    return found


def _flat(plan: StepPlan) -> dict[str, str]:
    commands = {f"command {number}": " ".join(argv) for number, argv in enumerate(plan.commands, 1)}
    tools = {f"tool {name}": value for name, value in plan.tools.items()}
    return commands | tools | {f"input {name}": value for name, value in plan.inputs.items()}
