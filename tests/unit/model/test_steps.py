"""The table of the steps: their order, what each needs, and what is derived from it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from autoclave.errors import tree
from autoclave.evidence.statement import NAME_OF, ROLES_OF, SBOM, SEAL, VERIFICATION
from autoclave.evidence.trust import ROLES
from autoclave.gates.release import REQUIRED
from autoclave.model import steps


def names(found: tuple[steps.Step, ...]) -> list[str]:
    return [each.name for each in found]


def test_steps_that_need_nothing_of_each_other_are_one_wave() -> None:
    assert [names(wave) for wave in steps.split_into_waves(steps.STEPS)] == [
        ["build"],
        ["unit-test", "scan"],
        ["sign"],
        ["deploy"],
    ]
    assert steps.FLOW == "build → unit-test ∥ scan → sign → deploy"


def test_a_wave_waits_only_for_steps_that_run() -> None:
    chosen = [steps.find("scan"), steps.find("sign")]
    assert [names(wave) for wave in steps.split_into_waves(chosen)] == [["scan"], ["sign"]]


@pytest.mark.parametrize(
    ("step", "before"),
    [
        ("build", []),
        ("unit-test", ["build"]),
        ("scan", ["build"]),
        ("sign", ["build", "unit-test", "scan"]),
        ("deploy", ["build", "unit-test", "scan", "sign"]),
    ],
)
def test_a_step_needs_all_that_the_steps_before_it_need(step: str, before: list[str]) -> None:
    assert names(steps.find_prerequisites(step)) == before


def test_every_step_has_its_own_error_with_its_own_exit_code() -> None:
    codes = {each.gate_error.code for each in steps.STEPS}
    assert len(codes) == len(steps.STEPS)
    assert codes < {each.code for each in tree()}


def test_the_records_of_all_checks_are_required() -> None:
    assert tuple(name for each in steps.CHECKS for name, _ in each.records) == REQUIRED


def test_each_kind_of_record_has_one_name_and_one_type() -> None:
    assert len(NAME_OF) == len(set(NAME_OF.values())) == len(steps.KINDS)
    assert ROLES_OF[SBOM] == ("scan",)
    assert ROLES_OF[VERIFICATION] == ("release",)
    assert ROLES_OF[SEAL] == ("release", "deploy")


def test_whoever_may_sign_a_record_has_a_role_that_a_trust_file_can_give() -> None:
    assert {role for each in steps.KINDS for role in each.roles} <= set(ROLES)


def test_steps_that_need_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (
        replace(steps.find("scan"), after=("unit-test",)),
        replace(steps.find("unit-test"), after=("scan",)),
    )
    monkeypatch.setattr(steps, "STEPS", (one, other))
    monkeypatch.setattr(steps, "_BY_NAME", {"scan": one, "unit-test": other})
    with pytest.raises(ValueError, match="need each other: scan, unit-test"):
        steps.split_into_waves((one, other))
