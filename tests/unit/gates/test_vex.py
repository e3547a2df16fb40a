"""Which statements open a gate: the name that is the finding's says the version, no other one."""

from __future__ import annotations

import pytest

from autoclave.gates.vex import explain_open_version, may_sign, opens, warns
from autoclave.model.facts import Finding, Kind, Severity
from autoclave.model.vex import Named, Product, Statement

FOUND = Finding(
    id="CVE-2024-1",
    kind=Kind.VULNERABILITY,
    severity=Severity.HIGH,
    title="x",
    target="os",
    package="openssl",
    version="3.0.11-1",
    purl="pkg:deb/debian/openssl@3.0.11-1",
)
DIGEST, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
PRODUCT = Product(digest=DIGEST, names=("pump",))
OPEN, EXACT = "pkg:deb/debian/openssl", "pkg:deb/debian/openssl@3.0.11-1"
IMAGE = "pkg:oci/pump"


def say(product: Named, part: Named | None = None) -> Statement:
    return Statement(names=(FOUND.id,), product=product, part=part)


def named(*purls: str, versions: str = "", digests: tuple[str, ...] = ()) -> Named:
    return Named(purls=purls, versions=versions, digests=digests)


@pytest.mark.parametrize(
    ("said", "is_opening"),
    [
        (say(named(EXACT)), True),
        (say(named(OPEN, EXACT)), True),
        (say(named(OPEN, "pkg:deb/debian/libssl3@3.0.11-1")), False),
        (say(named("pkg:rpm/fedora/openssl@3", OPEN)), False),
        (say(named(IMAGE), named(OPEN, "pkg:deb/debian/libssl3@3.0.11-1")), False),
        (say(named(IMAGE), named(EXACT, "pkg:deb/debian/libssl3")), True),
        (say(named(IMAGE, "pkg:deb/debian/libssl3@3.0.11-1")), False),
        (say(named(IMAGE, EXACT)), True),
        (say(named(OPEN, digests=(DIGEST,))), True),
        (say(named(OPEN, digests=(OTHER,))), False),
    ],
)
def test_the_name_that_matches_says_the_version(said: Statement, is_opening: bool) -> None:
    assert opens(said, FOUND, PRODUCT) is is_opening
    assert warns(said, FOUND, PRODUCT)
    why = explain_open_version(said, FOUND, PRODUCT)
    assert why == ("" if is_opening else "its scope names a package, but no versions")


@pytest.mark.parametrize(
    "versions", ["vers:deb/*", "vers:deb/ *", "vers:deb/!=1", "vers:all/*", "vers:deb/>=0"]
)
def test_a_range_of_all_versions_opens_nothing(versions: str) -> None:
    for said in (say(named(OPEN, versions=versions)), say(named(IMAGE), named(OPEN, versions=versions))):
        assert not opens(said, FOUND, PRODUCT)
        assert warns(said, FOUND, PRODUCT)
        assert explain_open_version(said, FOUND, PRODUCT) == "its scope names a package, but no versions"


def test_a_range_by_the_rules_of_another_ecosystem_opens_nothing() -> None:
    assert opens(say(named(OPEN, versions="vers:deb/<3.1")), FOUND, PRODUCT)
    other = say(named(OPEN, versions="vers:lexicographic/<4"))
    assert not opens(other, FOUND, PRODUCT)
    assert warns(other, FOUND, PRODUCT)


@pytest.mark.parametrize(
    "versions", ["vers:oci/<2", "vers:semver/<2", "vers:deb/*", "vers:all/*", "vers:none/*"]
)
def test_a_range_of_versions_of_an_image_opens_nothing_without_its_digest(versions: str) -> None:
    for said in (say(named(IMAGE, versions=versions)), say(named(IMAGE, versions=versions), named(EXACT))):
        assert not opens(said, FOUND, PRODUCT)
        assert warns(said, FOUND, PRODUCT)
        assert explain_open_version(said, FOUND, PRODUCT).startswith("its range is of versions of the image")
        assert may_sign(said, FOUND, PRODUCT, [IMAGE]), "who warns of the image may sign for it all the same"
    pinned = say(named(IMAGE, versions=versions, digests=(DIGEST,)), named(OPEN))
    assert opens(pinned, FOUND, PRODUCT)
