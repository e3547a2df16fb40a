"""Package URLs: spellings of one package, and what a general one covers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoclave.model import purl

BSDUTILS = "pkg:deb/debian/bsdutils@2.38.1-5%2Bdeb12u1?arch=amd64&distro=debian-12.5&epoch=1"


@pytest.mark.parametrize(
    ("text", "package", "version"),
    [
        ("pkg:pypi/Jinja2@2.10", "pkg:pypi/jinja2", "2.10"),
        ("pkg:pypi/jinja_2@2.10", "pkg:pypi/jinja-2", "2.10"),
        ("pkg:npm/@angular/core@12.3.1", "pkg:npm/%40angular/core", "12.3.1"),
        ("pkg:npm/%40angular/core@12.3.1", "pkg:npm/%40angular/core", "12.3.1"),
        (BSDUTILS, "pkg:deb/debian/bsdutils", "2.38.1-5+deb12u1"),
        ("pkg:deb/debian/libstdc++6@12", "pkg:deb/debian/libstdc%2B%2B6", "12"),
        ("pkg:golang/github.com/a/b@v1.0.0#sub/dir", "pkg:golang/github.com/a/b", "v1.0.0"),
        ("pkg:oci/app@sha256%3Aabc?repository_url=r.example%2Fa", "pkg:oci/app", "sha256:abc"),
        ("pkg:pypi/jinja2", "pkg:pypi/jinja2", ""),
    ],
)
def test_a_package_has_one_name_in_every_spelling(text: str, package: str, version: str) -> None:
    assert (purl.package_of(text), purl.version_of(text)) == (package, version)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "jinja2",
        "pkg:",
        "pkg:pypi",
        "pkg:pypi/",
        "pkg:pypi/jin\nja2@2.10",
        "pkg:pypi/jinja2@2.10\n",
        "pkg:pypi/jin\tja2",
        "pkg:pypi/jin\u200bja2",
        "pkg:pypi/a%2Fb",
        "pkg:pypi/x?a",
        "pkg:pypi/" + "x" * 5000,
        "PKG:pypi/jinja2",
    ],
)
def test_what_is_no_package_url_names_nothing(text: str) -> None:
    assert purl.parse(text) is None
    assert (purl.package_of(text), purl.type_of(text), purl.spellings(text)) == ("", "", ())


@pytest.mark.parametrize(
    ("general", "specific", "covered"),
    [
        ("pkg:pypi/jinja2", "pkg:pypi/jinja2@2.10", True),
        ("pkg:pypi/Jinja2@2.10", "pkg:pypi/jinja2@2.10", True),
        ("pkg:pypi/jinja2@2.10", "pkg:pypi/jinja2", False),
        ("pkg:pypi/jinja2@2.10", "pkg:pypi/jinja2@2.10.1", False),
        ("pkg:npm/jinja2@2.10", "pkg:pypi/jinja2@2.10", False),
        ("pkg:deb/ubuntu/bsdutils", BSDUTILS, False),
        ("pkg:deb/debian/bsdutils@2.38.1-5+deb12u1", BSDUTILS, True),
        ("pkg:deb/debian/bsdutils@1:2.38.1-5+deb12u1", BSDUTILS, True),
        ("pkg:deb/debian/bsdutils@2:2.38.1-5+deb12u1", BSDUTILS, False),
        ("pkg:deb/debian/bsdutils@2.38.1-5+deb12u1?epoch=2", BSDUTILS, False),
        ("pkg:deb/debian/bsdutils?arch=amd64", BSDUTILS, True),
        ("pkg:deb/debian/bsdutils?arch=arm64", BSDUTILS, False),
        ("pkg:deb/debian/bsdutils?distro=debian-12.5", BSDUTILS, True),
        ("pkg:deb/debian/bsdutils?distro=debian-12", BSDUTILS, True),
        ("pkg:deb/debian/bsdutils?distro=debian-1", BSDUTILS, False),
        ("pkg:deb/debian/bsdutils?distro=debian-11", BSDUTILS, False),
        ("pkg:deb/debian/bsdutils?upstream=util-linux", BSDUTILS, False),
        ("pkg:golang/github.com/a/b#c", "pkg:golang/github.com/a/b", False),
        ("nothing", "nothing", False),
    ],
)
def test_a_general_name_covers_what_it_says_and_no_more(general: str, specific: str, covered: bool) -> None:
    assert purl.covers(general, specific) is covered


@pytest.mark.parametrize(
    ("text", "patterns", "listed"),
    [
        ("pkg:pypi/Jinja2@2.10", ["pkg:pypi/jinja2"], True),
        ("pkg:pypi/jinja2", ["pkg:pypi/Jinja2"], True),
        ("pkg:pypi/jinja2-sandbox", ["pkg:pypi/jinja2"], False),
        ("pkg:npm/%40acme/pump", ["pkg:npm/@acme/*"], True),
        ("pkg:npm/%40acme/pump", ["pkg:npm/%40acme/*"], True),
        ("pkg:npm/acme", ["pkg:npm/@acme/*"], False),
        ("pkg:pypi/jinja2\n", ["pkg:pypi/jinja2*"], False),
        ("", ["pkg:*"], False),
    ],
)
def test_patterns_name_packages_in_any_spelling(text: str, patterns: list[str], listed: bool) -> None:
    assert purl.is_listed(text, patterns) is listed


def test_scanners_spellings_of_one_version() -> None:
    assert purl.spellings(BSDUTILS) == (
        "pkg:deb/debian/bsdutils@2.38.1-5%2Bdeb12u1",
        "pkg:deb/debian/bsdutils@1:2.38.1-5%2Bdeb12u1",
    )
    assert purl.spellings("pkg:golang/stdlib@v1.22.0") == (
        "pkg:golang/stdlib@v1.22.0",
        "pkg:golang/stdlib@1.22.0",
    )


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    found = purl.package_of(f"pkg:{text}")
    assert not found or purl.package_of(found) == found
