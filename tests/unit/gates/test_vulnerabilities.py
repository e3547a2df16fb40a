"""Which vulnerabilities block: exploited ones, new ones, by rules of a future day; what one scanner found."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from autoclave.gates import vulnerabilities
from autoclave.model.facts import (
    Catalogue,
    CatalogueName,
    Exploited,
    Finding,
    Kind,
    Prediction,
    Rating,
    ScanFacts,
    Severity,
)
from autoclave.policy.schema import LaterRule, ScanPolicy
from builders.sample_facts import NOW, POLICY, SCAN

LOW = Finding(
    id="CVE-2026-0001",
    kind=Kind.VULNERABILITY,
    severity=Severity.LOW,
    title="a defect",
    target="debian 12",
    package="zlib1g",
    version="1:1.2.13",
)
HIGH = replace(
    LOW, id="CVE-2026-0002", severity=Severity.HIGH, fixed="1:1.3", published=NOW - timedelta(days=2)
)
KEV = Exploited(source="CISA KEV", added=date(2026, 11, 20))


def scan_policy(safety_class: str = "B", **changes: Any) -> ScanPolicy:
    return replace(POLICY[safety_class].scan, **changes)


def facts(*findings: Finding, scanner: str = "trivy", **more: Any) -> ScanFacts:
    return replace(SCAN, scanner=scanner, findings=findings, **more)


@pytest.mark.parametrize("safety_class", ["A", "B", "C"])
def test_an_exploited_vulnerability_blocks_in_every_class_whatever_its_severity_and_fix(
    safety_class: str,
) -> None:
    policy = scan_policy(safety_class)
    assert not vulnerabilities.is_blocking(LOW, policy, NOW)
    assert vulnerabilities.is_blocking(replace(LOW, exploited=KEV), policy, NOW)


def test_an_exploited_vulnerability_has_no_grace() -> None:
    policy = scan_policy(grace_days={Severity.HIGH: 30})
    assert not vulnerabilities.is_blocking(HIGH, policy, NOW)
    assert vulnerabilities.is_blocking(replace(HIGH, exploited=KEV), policy, NOW)


def test_a_vulnerability_that_is_likely_exploited_blocks() -> None:
    policy = scan_policy("B", block_predicted=0.5)
    likely = replace(LOW, prediction=Prediction(0.5, 0.99))
    assert vulnerabilities.is_blocking(likely, policy, NOW)
    assert not vulnerabilities.is_blocking(replace(LOW, prediction=Prediction(0.49, 0.9)), policy, NOW)
    certain = replace(LOW, prediction=Prediction(1.0, 1.0))
    assert not vulnerabilities.is_blocking(certain, replace(policy, block_predicted=1.0), NOW)


@pytest.mark.parametrize(
    ("published", "blocks"),
    [
        (NOW - timedelta(days=6, hours=23), False),
        (NOW - timedelta(days=7), True),
        (None, True),
        (NOW + timedelta(days=1), True),
    ],
)
def test_grace_ends_days_after_the_publication_and_needs_its_date(
    published: datetime | None, blocks: bool
) -> None:
    policy = scan_policy(grace_days={Severity.HIGH: 7})
    assert vulnerabilities.is_blocking(replace(HIGH, published=published), policy, NOW) is blocks


def test_a_rule_of_a_future_day_warns_before_and_blocks_from_then_on() -> None:
    rule = LaterRule(from_=date(2027, 3, 1), block=(Severity.LOW,))
    policy = scan_policy(later=frozenset({rule}), fixable_only=False)
    assert vulnerabilities.list_upcoming([facts(LOW)], policy, NOW) == [
        "from 2027-03-01 on, 1 more would block: CVE-2026-0001"
    ]
    assert not vulnerabilities.is_blocking(LOW, policy, NOW)
    then = datetime(2027, 3, 1, tzinfo=NOW.tzinfo)
    assert vulnerabilities.is_blocking(LOW, policy, then)
    assert vulnerabilities.list_upcoming([facts(LOW)], policy, then) == []


def test_grace_is_announced_with_its_end() -> None:
    policy = scan_policy(grace_days={Severity.HIGH: 7})
    assert vulnerabilities.list_upcoming([facts(HIGH)], policy, NOW) == [
        "high CVE-2026-0002 in zlib1g is new: it blocks from 2026-11-29 on"
    ]


def test_sources_that_disagree_about_a_severity_are_both_named() -> None:
    ratings = (
        Rating(source="nvd", severity=Severity.CRITICAL, vector="CVSS:3.1/AV:N", score=9.8),
        Rating(source="ghsa", severity=Severity.MEDIUM),
        Rating(source="odd", severity=Severity.UNKNOWN),
    )
    text = vulnerabilities.describe(replace(HIGH, ratings=ratings, exploited=KEV))
    assert text == (
        "high CVE-2026-0002 in zlib1g 1:1.2.13 (fixed in 1:1.3; known to be exploited since 2026-11-20, "
        "says CISA KEV; sources disagree: ghsa medium, nvd critical)"
    )
    same = (Rating(source="nvd", severity=Severity.HIGH), Rating(source="ghsa", severity=Severity.HIGH))
    assert vulnerabilities.describe(replace(HIGH, ratings=same)).endswith("(fixed in 1:1.3)")


@pytest.mark.parametrize(
    ("hours", "says"), [(None, "did not use"), (1, ""), (337, "337 h old"), (-1, "in the future")]
)
def test_a_catalogue_that_the_policy_names_must_have_been_used_and_be_young(
    hours: int | None, says: str
) -> None:
    policy = scan_policy("B", catalogues={CatalogueName.EXPLOITED: "/srv/kev.json"})
    used = (
        ()
        if hours is None
        else (
            Catalogue(
                name=CatalogueName.EXPLOITED,
                updated=NOW - timedelta(hours=hours),
                digest="sha256:1",
                entries=1400,
            ),
        )
    )
    reasons = list(vulnerabilities.check_catalogues(facts(catalogues=used), policy, NOW))
    assert len(reasons) == bool(says)
    assert says in "".join(reasons)


def test_a_scanner_that_looks_for_no_secrets_is_not_enough() -> None:
    half = facts(scanner="grype", kinds=(Kind.VULNERABILITY,))
    assert [reason.partition(":")[0] for reason in vulnerabilities.find_unsought([half])] == [
        "nothing looked for secrets in the image",
        "nothing looked for misconfigurations in the image",
    ]
    assert vulnerabilities.find_unsought([half, facts()]) == []


def test_what_only_one_scanner_found_is_listed_under_any_of_its_names() -> None:
    theirs = replace(HIGH, id="GHSA-aaaa-bbbb-cccc", aliases=("CVE-2026-0002",), package="ZLIB1G")
    worse = replace(LOW, id="CVE-2026-0003", severity=Severity.CRITICAL)
    lines = vulnerabilities.compare([facts(HIGH, LOW), facts(theirs, worse, scanner="grype")])
    assert lines == [
        "only grype found critical CVE-2026-0003 in zlib1g 1:1.2.13",
        "only trivy found low CVE-2026-0001 in zlib1g 1:1.2.13",
    ]
    assert vulnerabilities.compare([facts(HIGH, LOW)]) == []
