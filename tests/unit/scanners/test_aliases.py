"""One vulnerability under several names is one finding; two vulnerabilities stay two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoclave.model.facts import Finding, Kind, Severity
from autoclave.scanners.aliases import merge_aliases


def finding(
    name: str, *aliases: str, severity: Severity = Severity.LOW, package: str = "p", **more: str
) -> Finding:
    return Finding(
        id=name, kind=Kind.VULNERABILITY, severity=severity, title=name, package=package, version="1",
        aliases=aliases, target=more.pop("target", "t"), **more,
    )  # fmt: skip


CVE = finding("CVE-1", "GHSA-1", fixed="2.0")
GHSA = finding("GHSA-1", severity=Severity.CRITICAL, purl="pkg:p")


@pytest.mark.parametrize("pair", [(CVE, GHSA), (GHSA, CVE)])
def test_the_cve_leads_and_the_highest_severity_wins(pair: tuple[Finding, Finding]) -> None:
    (one,) = merge_aliases(pair)
    assert (one.id, one.aliases, one.title) == ("CVE-1", ("GHSA-1",), "CVE-1")
    assert (one.severity, one.fixed, one.purl) == (Severity.CRITICAL, "2.0", "pkg:p")


def test_a_finding_that_names_a_cve_is_known_by_it() -> None:
    (one,) = merge_aliases([finding("PYSEC-1", "CVE-7", "GHSA-7")])
    assert (one.id, one.aliases) == ("CVE-7", ("PYSEC-1", "GHSA-7"))


def test_names_that_meet_only_through_a_third_finding_are_one() -> None:
    (one,) = merge_aliases([finding("GHSA-1"), finding("CVE-1", "GHSA-1"), finding("PYSEC-1", "CVE-1")])
    assert (one.id, set(one.aliases)) == ("CVE-1", {"GHSA-1", "PYSEC-1"})


def test_a_bulletin_that_covers_two_vulnerabilities_does_not_make_them_one() -> None:
    found = list(merge_aliases([finding("CVE-1", "DSA-5000-1"), finding("CVE-2", "DSA-5000-1")]))
    assert [(one.id, one.aliases) for one in found] == [("CVE-1", ()), ("CVE-2", ())]


def test_two_cves_are_never_one_even_when_they_share_an_alias() -> None:
    assert [one.id for one in merge_aliases([finding("CVE-1", "GHSA-1"), finding("CVE-2", "GHSA-1")])] == [
        "CVE-1",
        "CVE-2",
    ]


@pytest.mark.parametrize("other", [{"package": "q"}, {"target": "elsewhere"}])
def test_the_same_vulnerability_elsewhere_is_another_finding(other: dict[str, str]) -> None:
    assert len(list(merge_aliases([finding("CVE-1"), finding("CVE-1", **other)]))) == 2


NAMES = st.sampled_from(["CVE-1", "CVE-2", "CVE-3", "GHSA-1", "GHSA-2", "PYSEC-1", "DSA-1"])


@given(st.lists(st.builds(finding, NAMES, NAMES, severity=st.sampled_from(Severity))))
def test_no_name_and_no_severity_is_lost(findings: list[Finding]) -> None:
    found = list(merge_aliases(findings))
    names = {name for one in found for name in (one.id, *one.aliases)}
    assert {one.id for one in findings} <= names
    rank = list(Severity).index
    assert max((rank(one.severity) for one in found), default=0) == max(
        (rank(one.severity) for one in findings), default=0
    )
    assert all(one.id not in one.aliases for one in found)
