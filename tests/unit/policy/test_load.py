"""The policy: profiles, layers that tighten, and loosening refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from autoclave.device.schema import Device, SafetyClass
from autoclave.errors import ConfigError, PolicyLoosened
from autoclave.model.facts import Severity
from autoclave.policy.load import digest, effective_policy, read_profile
from autoclave.policy.schema import ObjectPaths, Policy, tighten
from autoclave.runtime.toml import convert


def device(safety_class: str = "B", policy: dict[str, Any] | None = None) -> Device:
    data = {
        "device": {"name": "pump", "version": "1", "safety-class": safety_class},
        "image": [{"name": "app"}],
        "policy": policy or {},
    }
    return convert(data, Device, source="autoclave.toml")


@pytest.mark.parametrize("safety_class", list(SafetyClass))
def test_every_class_has_a_whole_profile(safety_class: SafetyClass) -> None:
    assert isinstance(read_profile(safety_class), Policy)


def test_a_higher_class_never_demands_less() -> None:
    for lower, higher in (("A", "B"), ("B", "C")):
        demands = msgspec.to_builtins(read_profile(SafetyClass(higher)))
        raw = {
            section: {key.replace("_", "-"): value for key, value in values.items()}
            for section, values in demands.items()
        }
        tighten(read_profile(SafetyClass(lower)), raw, source=higher, above=lower)


def organisation(tmp_path: Path, text: str) -> str:
    (tmp_path / "policy.toml").write_text(text)
    return str(tmp_path / "policy.toml")


def test_only_the_organisation_allows_secrets_of_a_build(tmp_path: Path) -> None:
    assert effective_policy(device()).build.secrets == frozenset()
    allowed = organisation(tmp_path, '[build]\nsecrets = ["NPM_TOKEN", "PIP_TOKEN"]\n')
    assert effective_policy(device(), allowed).build.secrets == {"NPM_TOKEN", "PIP_TOKEN"}
    narrowed = device(policy={"build": {"secrets": ["NPM_TOKEN"]}})
    assert effective_policy(narrowed, allowed).build.secrets == {"NPM_TOKEN"}
    for names in (["NPM_TOKEN"], ["*"]):
        with pytest.raises(PolicyLoosened, match=r"build\.secrets"):
            effective_policy(device(policy={"build": {"secrets": names}}))
    with pytest.raises(PolicyLoosened, match=r"build\.secrets"):
        effective_policy(device(policy={"build": {"secrets": ["OTHER"]}}), allowed)


def test_a_secret_of_a_build_is_a_variable_s_name(tmp_path: Path) -> None:
    for name in ("NPM_*", "A B", "", "NPM_TOKEN\\n"):
        with pytest.raises(ConfigError):
            effective_policy(device(), organisation(tmp_path, f'[build]\nsecrets = ["{name}"]\n'))


def test_only_the_organisation_vouches_for_a_mirror_of_the_frontend(tmp_path: Path) -> None:
    mirror = "mirror.example:5000/hub/docker/dockerfile"
    assert effective_policy(device()).build.frontends == frozenset()
    allowed = organisation(tmp_path, f'[build]\nfrontends = ["{mirror}"]\n')
    assert effective_policy(device(), allowed).build.frontends == {mirror}
    with pytest.raises(PolicyLoosened, match=r"build\.frontends"):
        effective_policy(device(policy={"build": {"frontends": [mirror]}}))
    for name in ("*", "mirror.example/*", "mirror.example", f"{mirror}:1", "Mirror.example/x", ""):
        with pytest.raises(ConfigError):
            effective_policy(device(), organisation(tmp_path, f'[build]\nfrontends = ["{name}"]\n'))


TIGHTER = [
    ("release", "clean-tree", True),
    ("scan", "fixable-only", False),
    ("unit-test", "min-passed", 5),
    ("unit-test", "max-skipped", 3),
    ("unit-test", "max-skipped", 100),
    ("unit-test", "min-passed", 1),
    ("production", "min-database-bytes", 100_000_000),
    ("scan", "block", ["critical", "high"]),
    ("production", "exempt", []),
]
LOOSER = [
    ("build", "non-root", False, "true"),
    ("build", "known-materials", False, "true"),
    ("scan", "fixable-only", True, "false"),
    ("unit-test", "max-skipped", 4, "0"),
    ("unit-test", "max-skipped", 1, "0"),
    ("release", "clean-tree", False, "true"),
    ("scan", "block-unknown", False, "true"),
    ("scan", "block-misconfiguration", [], "[critical, high]"),
    ("scan", "max-database-age-hours", 25, "24"),
    ("release", "max-record-age-hours", 9999, "168"),
    ("scan", "block", ["critical"], "[critical, high, medium]"),
    ("scan", "block", ["critical", "high", "low"], "[critical, high, medium]"),
    ("production", "exempt", ["engine tcp://clinic:2376", "local"], "[local]"),
    ("production", "min-database-bytes", 0, "100000000"),
]


@pytest.mark.parametrize(("section", "key", "value"), TIGHTER)
def test_a_device_may_demand_more(section: str, key: str, value: Any) -> None:
    policy = effective_policy(device("A", {section: {key: value}}))
    here = getattr(getattr(policy, section.replace("-", "_")), key.replace("-", "_"))
    assert here == (frozenset(value) if isinstance(value, list) else value)


@pytest.mark.parametrize(("section", "key", "value", "demanded"), LOOSER)
def test_a_device_may_not_demand_less(section: str, key: str, value: Any, demanded: str) -> None:
    with pytest.raises(PolicyLoosened) as caught:
        effective_policy(device("C", {section: {key: value}}))
    assert f"{section}.{key}" in caught.value.what
    assert demanded in caught.value.what


def test_the_organisations_policy_applies_between_profile_and_device(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('[scan]\nblock = ["critical", "high", "low"]\n')
    policy = effective_policy(device("B", {"scan": {"block-unknown": True}}), str(file))
    assert policy.scan.block == {Severity.CRITICAL, Severity.HIGH, Severity.LOW}
    assert policy.scan.block_unknown
    with pytest.raises(PolicyLoosened, match=r"policy\.toml requires"):
        effective_policy(device("B", {"scan": {"block": ["critical", "high"]}}), str(file))


def test_an_empty_organisation_policy_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("")
    with pytest.raises(ConfigError, match="the policy is empty"):
        effective_policy(device(), str(file))


@pytest.mark.parametrize(
    ("text", "says"),
    [("[scan]\nblok = []\n", r"unknown key 'scan\.blok'"), ("[unit-test]\nmin-passed = 0\n", "min-passed")],
)
def test_the_organisation_s_policy_is_checked_like_the_device_s(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        effective_policy(device(), str(file))
    assert str(file) in caught.value.what


@pytest.mark.parametrize(
    ("policy", "hint"),
    [
        ({"scna": {}}, "did you mean 'scan'?"),
        ({"scan": {"blok": []}}, "did you mean 'block'?"),
    ],
)
def test_unknown_keys_are_refused_with_the_nearest(policy: dict[str, Any], hint: str) -> None:
    with pytest.raises(ConfigError, match="unknown key") as caught:
        effective_policy(device(policy=policy))
    assert hint in caught.value.next


def test_wrong_types_are_refused_with_their_path() -> None:
    with pytest.raises(ConfigError, match=r'scan\.block\[0\] is "sever"'):
        effective_policy(device(policy={"scan": {"block": ["sever"]}}))


@pytest.mark.parametrize(
    "value", [10**23, 2**64, 2**63, -(2**70), True, 1.5, float("nan"), float("inf"), "1", 0]
)
@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("unit-test", "min-passed"),
        ("scan", "max-database-age-hours"),
        ("release", "max-record-age-hours"),
        ("soup", "review-days"),
        ("waivers", "max-days"),
    ],
)
def test_a_number_of_the_policy_is_a_sane_one(section: str, key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=key):
        effective_policy(device(policy={section: {key: value}}))


@pytest.mark.parametrize(
    "production", [{"quality\n": 1}, {"Quality ": 1}, {"quality": 10**6}, {"quality": True}]
)
def test_a_role_that_nobody_can_have_is_refused(production: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="production"):
        effective_policy(device("A", {"approvals": {"production": production}}))


def test_different_policies_have_different_digests() -> None:
    assert digest(read_profile(SafetyClass.A)) != digest(read_profile(SafetyClass.B))
    assert digest(effective_policy(device("B"))) == digest(read_profile(SafetyClass.B))


def write(folder: Path, text: str) -> str:
    file = folder / "policy.toml"
    file.write_text(text)
    return str(file)


@pytest.mark.parametrize(
    ("text", "exempt"),
    [
        (
            '[production]\nexempt = ["local", "engine tcp://lab-*:2376"]\n',
            {"local", "engine tcp://lab-*:2376"},
        ),
        ("[scan]\nblock-unknown = true\n", set()),
    ],
)
def test_an_organisation_exempts_what_its_file_lists_and_nothing_else(
    tmp_path: Path, text: str, exempt: set[str]
) -> None:
    file = write(tmp_path, text)
    assert effective_policy(device("B")).production.exempt == {"local"}
    assert effective_policy(device("B"), file).production.exempt == exempt
    with pytest.raises(PolicyLoosened, match=r"production\.exempt"):
        effective_policy(device("B", {"production": {"exempt": ["local", "engine tcp://clinic:2376"]}}), file)
    assert effective_policy(device("B", {"production": {"exempt": []}}), file).production.exempt == set()


@pytest.mark.parametrize("pattern", ["demo", "cluster https://lab:6443", "local\n"])
def test_a_name_is_not_a_place(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(ConfigError, match="which is not a place"):
        effective_policy(device(), write(tmp_path, f"[production]\nexempt = [{json.dumps(pattern)}]\n"))
    with pytest.raises(ConfigError, match="which is not a place"):
        effective_policy(device(policy={"production": {"exempt": [pattern]}}))


PINS = '[device.pump]\nsafety-class = "B"\n[device."*"]\nsafety-class = "C"\n'


def test_an_organisation_pins_the_lowest_class_of_a_device(tmp_path: Path) -> None:
    file = write(tmp_path, PINS)
    for allowed in ("B", "C"):
        effective_policy(device(allowed), file)
    with pytest.raises(PolicyLoosened, match=r"gives pump the safety class A, but .* requires B") as caught:
        effective_policy(device("A"), file)
    assert "[device.pump] safety-class" in caught.value.why


def test_a_device_with_another_name_has_the_class_of_all_others(tmp_path: Path) -> None:
    renamed = msgspec.structs.replace(
        device("B"), device=msgspec.structs.replace(device().device, name="pump2")
    )
    with pytest.raises(PolicyLoosened, match=r"gives pump2 the safety class B, but .* requires C"):
        effective_policy(renamed, write(tmp_path, PINS))
    effective_policy(renamed, write(tmp_path, '[device.pump]\nsafety-class = "C"\n'))


@pytest.mark.parametrize(
    "text",
    [
        '[device.pump]\nclass = "C"\n',
        '[device.pump]\nsafety-class = "D"\n',
        "[device]\npump = 1\n",
        "device = 3\n",
        '[device.Pump]\nsafety-class = "C"\n',
        '[device."pump*"]\nsafety-class = "C"\n',
    ],
)
def test_a_pin_that_cannot_be_read_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"policy\.toml"):
        effective_policy(device("C"), write(tmp_path, text))


KINDS = """
[kubernetes.kinds."Workflow.argoproj.io"]
containers = ["spec.templates[*].container"]
[kubernetes.kinds."Certificate.cert-manager.io"]
"""


def test_only_the_organisation_allows_kinds(tmp_path: Path) -> None:
    assert effective_policy(device()).kubernetes.kinds == {}
    policy = effective_policy(device(), organisation(tmp_path, KINDS))
    assert policy.kubernetes.kinds == {
        "Workflow.argoproj.io": ObjectPaths(containers=("spec.templates[*].container",)),
        "Certificate.cert-manager.io": ObjectPaths(),
    }
    assert (
        effective_policy(device(), organisation(tmp_path, "[scan]\nblock-unknown = true\n")).kubernetes.kinds
        == {}
    )


def test_a_device_may_remove_kinds_and_change_none(tmp_path: Path) -> None:
    ours = organisation(tmp_path, KINDS)
    fewer = {"kubernetes": {"kinds": {"Certificate.cert-manager.io": {}}}}
    assert list(effective_policy(device(policy=fewer), ours).kubernetes.kinds) == [
        "Certificate.cert-manager.io"
    ]
    for changed in (
        {"Workflow.argoproj.io": {}},
        {"Workflow.argoproj.io": {"images": ["spec.image"]}},
        {"Other.example.org": {}},
    ):
        with pytest.raises(PolicyLoosened, match=r"kubernetes\.kinds = \{ "):
            effective_policy(device(policy={"kubernetes": {"kinds": changed}}), ours)


@pytest.mark.parametrize(
    "text",
    [
        '[kubernetes.kinds."workflow"]\n',
        '[kubernetes.kinds."Workflow.argoproj.io/v1"]\n',
        '[kubernetes.kinds."Workflow.argoproj.io"]\nimages = ["spec..image"]\n',
        '[kubernetes.kinds."Workflow.argoproj.io"]\nimages = ["spec[0].image"]\n',
        '[kubernetes.kinds."Workflow.argoproj.io"]\npod-templates = ["spec"]\n',
    ],
)
def test_a_kind_that_cannot_be_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        effective_policy(device(), organisation(tmp_path, text))


def test_a_pinned_version_of_a_scanner_stays_pinned(tmp_path: Path) -> None:
    ours = organisation(tmp_path, '[scan]\nversions = { trivy = "0.74.0" }\n')
    more = {"trivy": "0.74.0", "grype": "0.119.0"}
    assert effective_policy(device(policy={"scan": {"versions": more}}), ours).scan.versions == more
    for changed in ({"trivy": "0.74.1"}, {"grype": "0.119.0"}, {}):
        with pytest.raises(PolicyLoosened, match=r"scan\.versions = "):
            effective_policy(device(policy={"scan": {"versions": changed}}), ours)


@pytest.mark.parametrize("version", ["", "newest", "0.74.0\\n", ">=0.74", "1"])
def test_a_pin_is_one_version(tmp_path: Path, version: str) -> None:
    with pytest.raises(ConfigError):
        effective_policy(device(), organisation(tmp_path, f'[scan]\nversions = {{ trivy = "{version}" }}\n'))
