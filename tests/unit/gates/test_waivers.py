"""Which waivers count: every way in which one may not, and that secrets and other findings stay."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from autoclave.gates import gaps, hardening, scan
from autoclave.gates import waivers as waiving
from autoclave.gates.version_ranges import in_range
from autoclave.gates.waivers import WaiverState
from autoclave.model.declared import Scope, SignedWaiver, VexStatus
from autoclave.model.facts import Finding, Kind, Severity
from autoclave.model.vex import Named, Product, Statement
from builders.sample_facts import ADA, BEN, DIGEST, NOW, POLICY, SCAN, vulnerability
from builders.sample_waiver import FACTS, FINDING, SIGNED, WAIVER

PRODUCT = Product(names=("app",), digest=DIGEST)


def judge_waiver(signed: SignedWaiver, *found: Finding, policy: str = "C") -> waiving.JudgedWaiver:
    (one,) = waiving.judge(
        [signed],
        found or (FINDING,),
        device="pump",
        product=PRODUCT,
        policy=POLICY[policy].waivers,
        now=NOW,
    )
    return one


def change_waiver(**fields: Any) -> SignedWaiver:
    return replace(SIGNED, waiver=replace(WAIVER, **fields))


def state_as_supplier(signed: SignedWaiver, *, supplier: str = "Pallets") -> SignedWaiver:
    """The same as a supplier's statement about its package."""
    scope = signed.waiver.scope
    version = f"@{scope.versions}" if scope.versions else ""
    named = Named(purls=(f"{scope.package}{version}",))
    return replace(
        signed,
        persons=(),
        supplier=supplier,
        statement=Statement(names=(signed.waiver.finding,), product=named),
        packages=("pkg:pypi/jinja2",),
    )


FOUND = Scope(package="pkg:pypi/jinja2", versions="2.10")


def test_a_good_waiver_opens_the_gate_and_only_for_its_finding() -> None:
    other = vulnerability(Severity.CRITICAL, name="CVE-2026-2")
    facts = replace(SCAN, findings=(FINDING, other))
    good = judge_waiver(SIGNED, *facts.findings)
    assert good.state is WaiverState.USED and good.counts
    assert scan.judge(FACTS, POLICY["C"], NOW, (good,)).passed
    (reason,) = scan.judge(facts, POLICY["C"], NOW, (good,)).reasons
    assert reason.startswith("critical CVE-2026-2")
    assert not scan.judge(FACTS, POLICY["C"], NOW).passed


REFUSED: list[tuple[SignedWaiver, WaiverState, str]] = [
    (change_waiver(expires=NOW), WaiverState.EXPIRED, "it expired on 2026-11-24"),
    (
        replace(SIGNED, persons=(ADA, ADA)),
        WaiverState.REFUSED,
        "author and approver are the same person (ada)",
    ),
    (replace(SIGNED, persons=(ADA,)), WaiverState.REFUSED, "nobody but its author signed it (ada)"),
    (replace(SIGNED, persons=(BEN,)), WaiverState.REFUSED, "its author ada did not sign it"),
    (replace(SIGNED, persons=(), defect="no key"), WaiverState.REFUSED, "no key"),
    (change_waiver(device="other"), WaiverState.REFUSED, "it is about the device 'other'"),
    (
        change_waiver(expires=NOW + timedelta(days=90)),
        WaiverState.REFUSED,
        "it would apply for 91 days, the policy allows",
    ),
    (change_waiver(created=NOW + timedelta(hours=1)), WaiverState.REFUSED, "dated in the future"),
    (change_waiver(risk_reference=" "), WaiverState.REFUSED, "does not refer to the risk file"),
    (change_waiver(rationale=" "), WaiverState.REFUSED, "no rationale"),
    (change_waiver(status=VexStatus.UNDER_INVESTIGATION), WaiverState.REFUSED, "nothing is decided yet"),
    (change_waiver(scope=Scope()), WaiverState.REFUSED, "neither a digest nor a package"),
    (change_waiver(scope=Scope(package="pkg:pypi/jinja2")), WaiverState.REFUSED, "no versions"),
    (state_as_supplier(change_waiver(scope=FOUND)), WaiverState.REFUSED, "a supplier's statement alone"),
    (
        change_waiver(scope=Scope(digest="sha256:" + "9" * 64)),
        WaiverState.STALE,
        "it is about another image, sha256:999999999999…",
    ),
    (
        change_waiver(scope=Scope(package="pkg:pypi/jinja2", versions="<2.10")),
        WaiverState.STALE,
        "it is about pkg:pypi/jinja2 <2.10, but jinja2 2.10 was found",
    ),
    (
        change_waiver(scope=Scope(package="pkg:pypi/flask", versions="2.10")),
        WaiverState.STALE,
        "but jinja2 2.10 was found",
    ),
]


@pytest.mark.parametrize(("signed", "state", "says"), REFUSED)
def test_every_defect_of_a_waiver_has_a_reason_that_the_gate_shows(
    signed: SignedWaiver, state: WaiverState, says: str
) -> None:
    one = judge_waiver(signed)
    assert one.state is state
    assert says in one.why
    (reason,) = scan.judge(FACTS, POLICY["C"], NOW, (one,)).reasons
    assert reason.startswith("high CVE-2026-1")
    assert reason.endswith(f"; waiver W-1 does not count: {one.why}")


def test_a_waiver_for_nothing_is_listed_as_unused() -> None:
    one = judge_waiver(change_waiver(finding="CVE-1999-1"))
    assert (one.state, one.covers) == (WaiverState.UNUSED, ())


def test_an_alias_is_the_same_finding() -> None:
    assert judge_waiver(change_waiver(finding="GHSA-1")).counts


def test_a_waiver_that_expires_soon_is_reported_while_it_counts() -> None:
    soon = judge_waiver(change_waiver(expires=NOW + timedelta(days=29)))
    assert soon.counts
    assert waiving.list_expiring([soon]) == ["waiver W-1 (CVE-2026-1) expires on 2026-12-23"]
    assert waiving.list_expiring([judge_waiver(SIGNED)]) == []


def test_a_supplier_counts_where_the_policy_lets_it() -> None:
    vex = state_as_supplier(change_waiver(scope=FOUND))
    assert judge_waiver(vex, policy="B").counts
    assert not judge_waiver(vex, policy="C").counts


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"status": VexStatus.AFFECTED}, "its supplier says that the package is affected"),
        ({"status": VexStatus.UNDER_INVESTIGATION}, "nothing is decided yet"),
        ({"created": NOW + timedelta(days=9000)}, "it is dated in the future"),
        ({"scope": Scope(package="pkg:pypi/jinja2")}, "names a package, but no versions"),
    ],
)
def test_a_suppliers_warning_opens_no_gate(fields: dict[str, Any], says: str) -> None:
    one = judge_waiver(state_as_supplier(change_waiver(**{"scope": FOUND, **fields})), policy="B")
    assert one.state is WaiverState.REFUSED
    assert says in one.why
    assert not scan.judge(FACTS, POLICY["B"], NOW, (one,)).passed


def words(*statuses: VexStatus, supplier: str = "Pallets") -> list[SignedWaiver]:
    """What a supplier said of the finding, one word a day."""
    return [
        state_as_supplier(
            change_waiver(status=status, created=NOW - timedelta(days=30 - day), scope=FOUND),
            supplier=supplier,
        )
        for day, status in enumerate(statuses)
    ]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("said", "passes"),
    [
        ([VexStatus.UNDER_INVESTIGATION, VexStatus.NOT_AFFECTED], True),
        ([VexStatus.NOT_AFFECTED, VexStatus.UNDER_INVESTIGATION], False),
        ([VexStatus.NOT_AFFECTED, VexStatus.AFFECTED], False),
        ([VexStatus.AFFECTED, VexStatus.NOT_AFFECTED, VexStatus.FIXED], True),
    ],
)
def test_the_latest_document_of_a_supplier_counts(said: list[VexStatus], passes: bool, turned: bool) -> None:
    signed = words(*said)
    found = waiving.judge(
        signed[::-1] if turned else signed,
        [FINDING],
        device="pump",
        product=PRODUCT,
        policy=POLICY["B"].waivers,
        now=NOW,
    )
    assert scan.judge(FACTS, POLICY["B"], NOW, found).passed is passes
    if not passes:
        (old,) = [each for each in found if each.state is WaiverState.STALE]
        assert old.why == f"a supplier stated {said[-1]} later, on 2026-10-26"


def test_of_two_documents_of_one_moment_the_warning_counts() -> None:
    said = [replace(each, waiver=replace(each.waiver, created=NOW)) for each in words(*VexStatus)]
    for signed in (said, said[::-1]):
        found = waiving.judge(
            signed, [FINDING], device="pump", product=PRODUCT, policy=POLICY["B"].waivers, now=NOW
        )
        assert not scan.judge(FACTS, POLICY["B"], NOW, found).passed


OLD_AND_NEW_KEY = words(VexStatus.NOT_AFFECTED) + words(*[VexStatus.AFFECTED] * 2, supplier="Pallets 2027")
OTHER_VERSION = Scope(package="pkg:pypi/jinja2", versions="2.9")


@pytest.mark.parametrize(
    ("waivers", "passes"),
    [
        ([SIGNED, *words(VexStatus.AFFECTED)], True),  # a person has decided
        (OLD_AND_NEW_KEY, False),
        (
            [
                *words(VexStatus.NOT_AFFECTED),
                *(
                    state_as_supplier(replace(each, waiver=replace(each.waiver, scope=OTHER_VERSION)))
                    for each in words(*[VexStatus.AFFECTED] * 2)
                ),
            ],
            True,
        ),
    ],
    ids=["a person's decision", "a warning by the next key", "a warning about another version"],
)
def test_which_waiver_or_document_counts(waivers: list[SignedWaiver], passes: bool) -> None:
    found = waiving.judge(
        waivers, [FINDING], device="pump", product=PRODUCT, policy=POLICY["B"].waivers, now=NOW
    )
    assert scan.judge(FACTS, POLICY["B"], NOW, found).passed is passes


def test_one_person_is_enough_in_class_a_only() -> None:
    alone = replace(SIGNED, persons=(ADA,))
    assert [judge_waiver(alone, policy=name).counts for name in "ABC"] == [True, False, False]


SECRET = Finding(
    id="private-key",
    kind=Kind.SECRET,
    severity=Severity.HIGH,
    title="k",
    target="/srv/key.pem",
    fingerprint="sha256:" + "5" * 64,
)
FILE = Scope(package=SECRET.target, fingerprint=SECRET.fingerprint)


@pytest.mark.parametrize(
    "scope",
    [
        Scope(digest=DIGEST),
        Scope(package=SECRET.target),
        Scope(package=SECRET.target, digest=DIGEST),
        Scope(package=SECRET.target, versions="*"),
        Scope(package="/srv", fingerprint=SECRET.fingerprint),
        Scope(digest=DIGEST, fingerprint=SECRET.fingerprint),
        Scope(package=SECRET.target, fingerprint="sha256:" + "6" * 64),
        replace(FILE, digest="sha256:" + "9" * 64),
    ],
    ids=str,
)
def test_a_secret_is_not_waived_but_by_the_path_and_the_content_of_its_file(scope: Scope) -> None:
    one = judge_waiver(change_waiver(finding="private-key", scope=scope), SECRET, policy="A")
    assert not one.counts
    assert not scan.judge(replace(SCAN, findings=(SECRET,)), POLICY["A"], NOW, (one,)).passed


def test_a_secret_that_is_none_is_waived_by_two_persons_in_every_class() -> None:
    signed = change_waiver(finding="private-key", scope=FILE)
    found = (SECRET, replace(SECRET, target="/other"), replace(SECRET, fingerprint="sha256:" + "6" * 64))
    for safety_class in "ABC":
        good = judge_waiver(signed, *found, policy=safety_class)
        assert good.counts
        assert scan.judge(replace(SCAN, findings=(SECRET,)), POLICY[safety_class], NOW, (good,)).passed
        assert len(scan.judge(replace(SCAN, findings=found), POLICY["A"], NOW, (good,)).reasons) == 2
        alone = judge_waiver(replace(signed, persons=(ADA,)), SECRET, policy=safety_class)
        assert alone.state is WaiverState.REFUSED
        assert alone.why.startswith("nobody but its author signed it")


def test_a_secret_in_no_file_is_never_waived() -> None:
    secret = replace(SECRET, fingerprint="")
    for scope in (FILE, Scope(package=SECRET.target), Scope(package=SECRET.target, fingerprint="")):
        assert not judge_waiver(change_waiver(finding="private-key", scope=scope), secret).counts


def test_no_supplier_waives_a_secret() -> None:
    said = change_waiver(finding="private-key", scope=replace(FILE, versions="*"))
    found = (SECRET, replace(SECRET, kind=Kind.UNJUDGED))
    assert not judge_waiver(replace(said, supplier="Pallets", persons=()), *found, policy="A").counts
    whole = Statement(names=("private-key",), product=Named(purls=("pkg:oci/app",), digests=(DIGEST,)))
    signed = replace(state_as_supplier(said), statement=whole, packages=("pkg:oci/app",))
    assert not judge_waiver(signed, *found, policy="A").counts
    assert judge_waiver(signed, replace(SECRET, kind=Kind.VULNERABILITY), policy="A").counts


def test_the_scope_of_a_secret_covers_no_other_finding() -> None:
    scope = Scope(package="pkg:pypi/jinja2", versions="<2.10.1", fingerprint=SECRET.fingerprint)
    assert not judge_waiver(change_waiver(scope=scope)).counts


def test_what_was_not_judged_is_waived_by_its_place_and_version() -> None:
    fedora = replace(SCAN.ecosystems[0], name="fedora", version="40", judged=False, why="no advisories")
    facts = gaps.complete(replace(SCAN, ecosystems=(fedora,)))
    for package, versions, passes in (
        ("fedora 40", "40", True),
        ("fedora 40", "", True),
        ("fedora", "", False),
        ("fedora 41", "41", False),
        ("fedora 40", "41", False),
    ):
        scope = Scope(package=package, versions=versions)
        one = judge_waiver(change_waiver(finding="not-judged", scope=scope), *facts.findings)
        assert scan.judge(facts, POLICY["C"], NOW, (one,)).passed is passes


def test_a_finding_about_pods_is_waived_by_its_workload() -> None:
    pod = Finding(
        id="AK-READ-ONLY-ROOT",
        kind=Kind.MISCONFIGURATION,
        severity=Severity.MEDIUM,
        title="writable",
        target="Deployment/gateway app",
    )
    one = judge_waiver(change_waiver(finding=pod.id, scope=Scope(package="Deployment/gateway")), pod)
    assert one.counts
    assert hardening.judge([pod], POLICY["C"], (one,)).passed
    other = judge_waiver(change_waiver(finding=pod.id, scope=Scope(package="Deployment/other")), pod)
    assert not hardening.judge([pod], POLICY["C"], (other,)).passed


@pytest.mark.parametrize(
    ("version", "wanted", "purl", "inside"),
    [
        ("2.10", "<2.10.1", "pkg:pypi/jinja2@2.10", True),
        ("2.10.1", "<2.10.1", "pkg:pypi/jinja2@2.10.1", False),
        ("7.88.1-10+deb12u4", "<7.88.1-10+deb12u10", "pkg:deb/debian/curl@7", True),
        ("1.5", ">=1.0,<2.0", "pkg:npm/x@1.5.0", True),
        ("1.2", "1.1, 1.2", "pkg:unknown/x", True),
        ("1.2", "<2", "pkg:unknown/x", False),
        ("not a version", "<2", "pkg:pypi/x", False),
        ("1.0", "", "pkg:pypi/x", False),
        ("1.0", "*", "pkg:pypi/x", False),
        ("", "<2", "pkg:pypi/x", False),
    ],
)
def test_versions_are_compared_as_their_ecosystem_does(
    version: str, wanted: str, purl: str, inside: bool
) -> None:
    assert in_range(version, wanted, purl) is inside


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(["pkg:pypi/x", "pkg:deb/debian/x", ""]))
def test_no_text_breaks_the_comparison(version: str, wanted: str, purl: str) -> None:
    assert in_range(version, wanted, purl) in {True, False}


def test_a_waiver_names_a_package_in_any_spelling() -> None:
    assert judge_waiver(change_waiver(scope=Scope(package="pkg:pypi/Jinja2", versions="2.10"))).counts
    scoped = replace(FINDING, purl="pkg:npm/%40acme/pump@2.10")
    one = judge_waiver(change_waiver(scope=Scope(package="pkg:npm/@acme/pump", versions="2.10")), scoped)
    assert one.counts


@pytest.mark.parametrize("status", [VexStatus.NOT_AFFECTED, VexStatus.FIXED])
@pytest.mark.parametrize(
    "changed", [{"created": NOW + timedelta(days=3)}, {"scope": Scope(package="pkg:pypi/jinja2")}]
)
def test_a_newer_statement_that_counts_for_nothing_overrules_nothing(
    status: VexStatus, changed: dict[str, Any]
) -> None:
    newer = {"scope": FOUND, "created": NOW, "status": status} | changed
    useless = state_as_supplier(change_waiver(**newer))
    for older, passes in ((VexStatus.NOT_AFFECTED, True), (VexStatus.AFFECTED, False)):
        found = waiving.judge(
            [*words(older), useless],
            [FINDING],
            device="pump",
            product=PRODUCT,
            policy=POLICY["B"].waivers,
            now=NOW,
        )
        assert scan.judge(FACTS, POLICY["B"], NOW, found).passed is passes


def test_a_bulletin_names_no_single_vulnerability() -> None:
    assert not judge_waiver(change_waiver(finding="DSA-1"), replace(FINDING, bulletins=("DSA-1",))).counts
