"""What a scan could not judge closes the gate, by class, and is waived as a finding is."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from autoclave.gates import gaps, scan
from autoclave.model.facts import ScanFacts, Severity
from autoclave.model.inventory import Contents, Ecosystem, Gap, LostPackage, PackageDatabase
from builders.sample_facts import NOW, POLICY, SCAN, vulnerability

DEBIAN = SCAN.ecosystems[0]
GO = Ecosystem(name="golang", packages=3, judged=True)
CONDA = Ecosystem(name="conda", packages=3, judged=False, why="Trivy has no advisories for conda")


def reasons(facts: ScanFacts, safety_class: str = "A") -> tuple[str, ...]:
    return scan.judge(facts, POLICY[safety_class], NOW).reasons


def with_ecosystems(*found: Ecosystem) -> ScanFacts:
    return replace(SCAN, ecosystems=found)


def with_database(**fields: object) -> ScanFacts:
    database = PackageDatabase(kind="dpkg", path="var/lib/dpkg/status", **fields)  # type: ignore[arg-type]
    return replace(SCAN, contents=Contents(databases=(database,)))


@pytest.mark.parametrize("safety_class", "ABC")
def test_a_system_that_was_not_judged_closes_the_gate_in_every_class(safety_class: str) -> None:
    fedora = replace(DEBIAN, name="fedora", version="40", judged=False, why="Trivy has none for fedora 40")
    assert reasons(with_ecosystems(fedora, GO), safety_class) == (
        "not-judged: the packages of fedora 40 were not judged (120 found): Trivy has none for fedora 40",
    )


def test_an_image_without_a_system_passes_when_its_packages_were_judged() -> None:
    for safety_class in "ABC":
        assert reasons(with_ecosystems(GO), safety_class) == ()


def test_packages_of_a_kind_that_was_not_judged_close_the_gate() -> None:
    assert reasons(with_ecosystems(DEBIAN, GO, CONDA)) == (
        "not-judged: the conda packages were not judged (3 found): Trivy has no advisories for conda",
    )


def test_a_system_of_which_no_package_was_found_was_not_judged() -> None:
    assert reasons(with_ecosystems(replace(DEBIAN, packages=0), GO)) == (
        "not-judged: debian 12 was recognised, but none of its packages was found",
    )


def test_an_image_in_which_nothing_was_found_was_not_scanned() -> None:
    assert reasons(with_ecosystems()) == (
        "no-packages: nothing was scanned: the scanner found no packages in the image",
    )


def test_the_end_of_a_systems_life_closes_the_gate_from_class_b_on() -> None:
    ended = with_ecosystems(replace(DEBIAN, end_of_life=True))
    said = "end-of-life: debian 12 is past its end of life: nobody publishes advisories for it any more"
    assert [reasons(ended, each) for each in "ABC"] == [(), (said,), (said,)]
    # Not blocking is not hidden.
    assert [each.id for each in gaps.complete(ended).findings] == [Gap.END_OF_LIFE]


def test_a_package_database_that_cannot_be_relied_on_closes_the_gate() -> None:
    assert reasons(with_database(defect="is missing, but its files are there")) == (
        "package-database: the package database var/lib/dpkg/status is missing, but its files are there",
    )
    lost = LostPackage(
        name="curl", version="7.88.1-10", why="a lower layer lists it, and its files are there"
    )
    assert reasons(with_database(lost=(lost,))) == (
        "lost-package: curl 7.88.1-10 is in the image, but not in var/lib/dpkg/status as it is: "
        "a lower layer lists it, and its files are there",
    )


def test_layers_that_nobody_read_close_the_gate() -> None:
    (reason,) = reasons(replace(SCAN, contents=None))
    assert reason.startswith("package-database: the layers of the image were not read")


def test_what_was_not_judged_is_shown_before_what_was_found() -> None:
    many = tuple(vulnerability(Severity.CRITICAL, name=f"CVE-2026-{n}") for n in range(20))
    facts = replace(with_ecosystems(CONDA), findings=many)
    assert reasons(facts)[0].startswith("not-judged: ")


def test_findings_about_the_scan_are_added_once() -> None:
    once = gaps.complete(with_ecosystems(CONDA))
    assert len(once.findings) == 1
    assert gaps.complete(once) == once


def test_packages_that_the_scanner_did_not_see_close_the_gate() -> None:
    (reason,) = reasons(with_database(packages=121))
    assert reason == (
        "not-judged: 121 packages are listed in var/lib/dpkg/status, but the scanner saw 120 of them"
    )
    assert reasons(with_database(packages=120)) == ()
    others = replace(DEBIAN, packages=1, is_system=False, of_system=True)
    seen = replace(with_database(packages=121), ecosystems=(DEBIAN, others))
    assert reasons(seen) == ()


@pytest.mark.parametrize("safety_class", "ABC")
def test_packages_of_a_system_that_the_scanner_did_not_recognise_close_the_gate(safety_class: str) -> None:
    # No os-release, and a package of a language that was judged.
    facts = replace(with_database(packages=300), ecosystems=(GO,))
    assert reasons(facts, safety_class) == (
        "not-judged: 300 packages are listed in var/lib/dpkg/status, but the scanner saw 0 of them",
    )
    assert reasons(replace(with_database(packages=0), ecosystems=(GO,)), safety_class) == ()


def test_a_database_that_nobody_counted_closes_the_gate_when_no_system_was_seen() -> None:
    path = "var/lib/rpm/rpmdb.sqlite"
    rpm = Contents(databases=(PackageDatabase(kind="rpm", path=path),))
    assert reasons(replace(SCAN, ecosystems=(GO,), contents=rpm)) == (
        f"not-judged: there is a package database {path}, but the scanner saw no package of a system",
    )
    rocky = replace(DEBIAN, name="rocky", version="9.4")
    assert reasons(replace(SCAN, ecosystems=(rocky, GO), contents=rpm)) == ()


@pytest.mark.parametrize(
    ("releases", "passes"),
    [
        ((), True),
        (("3.20",), True),
        (("3.20", "edge"), False),
        (("9.9",), False),
        (("latest-stable",), False),
    ],
)
def test_an_alpine_with_repositories_of_another_release_was_not_judged(
    releases: tuple[str, ...], passes: bool
) -> None:
    alpine = replace(DEBIAN, name="alpine", version="3.20.3")
    facts = replace(with_ecosystems(alpine), contents=Contents(releases=releases))
    assert (reasons(facts) == ()) is passes
    assert reasons(replace(facts, ecosystems=(DEBIAN,))) == ()  # no Alpine: nobody asks apk
