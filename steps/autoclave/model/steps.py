"""The steps, one row each. Every list of all steps is derived from this table.

`bundles/verify.py` alone repeats it: it works without Autoclave. A contract test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from autoclave.errors import (
    BuildGateClosed,
    DeployGateClosed,
    GateClosed,
    ReleaseGateClosed,
    ScanGateClosed,
    UnitTestGateClosed,
)
from autoclave.model.declared import Declared
from autoclave.model.facts import BuildFacts, Deployment, ScanFacts, TestRun


class RecordKind(Struct, frozen=True):
    """A kind of record: its short name, its in-toto predicate type, and who may sign it.

    A key needs one of `roles`.
    """

    name: str
    predicate_type: str
    roles: tuple[str, ...]


class Step(Struct, frozen=True, kw_only=True):
    """One step.

    `name` is its command, its gate and its table in the device file; `summary` its line of help. It needs the
    records of the steps in `after`; steps that do not need each other run at the same time. `role` is
    what a key must be allowed to sign. `records` are (short name, predicate type) of what it attaches: the
    first one has its verdict and its `facts`, which later gates judge again. A closed gate raises
    `gate_error`.
    """

    name: str
    summary: str
    after: tuple[str, ...] = ()
    role: str
    records: tuple[tuple[str, str], ...]
    facts: type[Struct]
    gate_error: type[GateClosed]

    @property
    def module(self) -> str:
        """The module of the step, and of its gate in `gates`."""
        return self.name.replace("-", "_")

    @property
    def record(self) -> str:
        """The short name of the record that holds its verdict."""
        return self.records[0][0]

    @property
    def predicate_type(self) -> str:
        """The predicate type of that record."""
        return self.records[0][1]


CHECKS = (
    Step(
        name="build",
        summary="build the device's images and record how",
        role="build",
        records=(("provenance", "https://slsa.dev/provenance/v1"),),
        facts=BuildFacts,
        gate_error=BuildGateClosed,
    ),
    Step(
        name="unit-test",
        summary="run the tests in a container of exactly that image",
        after=("build",),
        role="unit-test",
        records=(("test-result", "https://in-toto.io/attestation/test-result/v0.1"),),
        facts=TestRun,
        gate_error=UnitTestGateClosed,
    ),
    Step(
        name="scan",
        summary="scan an image and record every finding",
        after=("build",),
        role="scan",
        records=(
            ("vulns", "https://in-toto.io/attestation/vulns/v0.2"),
            ("sbom", "https://cyclonedx.org/bom"),
        ),
        facts=ScanFacts,
        gate_error=ScanGateClosed,
    ),
)
"""The steps whose records a release needs; the release gate judges all of them again."""

SIGN = Step(
    name="sign",
    summary="the release gate: verify all records, then sign",
    after=tuple(each.name for each in CHECKS),
    role="release",
    records=(("verification", "https://slsa.dev/verification_summary/v1"),),
    facts=Declared,
    gate_error=ReleaseGateClosed,
)
DEPLOY = Step(
    name="deploy",
    summary="verify again and deploy to an environment",
    after=("sign",),
    role="deploy",
    records=(("deployment", "urn:autoclave:predicate:deployment:v1"),),
    facts=Deployment,
    gate_error=DeployGateClosed,
)
STEPS = (*CHECKS, SIGN, DEPLOY)
"""All steps, in the order in which they are listed."""

NAMES = tuple(each.name for each in STEPS)
ROLES = tuple(dict.fromkeys(each.role for each in STEPS))

KINDS = (
    *(RecordKind(name, kind, (each.role,)) for each in STEPS for name, kind in each.records),
    RecordKind("host-approvals", "urn:autoclave:predicate:host-approvals:v1", (DEPLOY.role,)),
    RecordKind("approval", "urn:autoclave:predicate:approval:v1", ("approve",)),
    RecordKind("seal", "urn:autoclave:predicate:seal:v1", (SIGN.role, DEPLOY.role)),
)
"""All kinds of records: those of the steps, of a CI host, of persons, and the seal over all of them."""


def find(name: str) -> Step:
    """Return a step by name. Raises KeyError."""
    return _BY_NAME[name]


def find_prerequisites(name: str) -> tuple[Step, ...]:
    """Return all steps that must run before a step, in the order of the table."""
    needed: set[str] = set()
    names = [name]
    while names:
        before = find(names.pop()).after
        names += [each for each in before if each not in needed]
        needed |= set(before)
    return tuple(each for each in STEPS if each.name in needed)


def split_into_waves(steps: Sequence[Step]) -> list[tuple[Step, ...]]:
    """Return steps in the order in which they run: those of one wave at the same time."""
    found: list[tuple[Step, ...]] = []
    left = list(steps)
    while left:
        wave = tuple(each for each in left if not set(find_prerequisites(each.name)) & set(left))
        if not wave:
            raise ValueError(f"these steps need each other: {', '.join(each.name for each in left)}")
        found.append(wave)
        left = [each for each in left if each not in wave]
    return found


_BY_NAME = {each.name: each for each in STEPS}
FLOW = " → ".join(" ∥ ".join(each.name for each in wave) for wave in split_into_waves(STEPS))
"""The flow for people: `build → unit-test ∥ scan → …`."""
