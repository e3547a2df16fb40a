"""Ranges of versions: by the rules of the package's own ecosystem, and no text ends in a traceback."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoclave.gates.version_ranges import in_range, in_vers, is_open

KINDS = ("deb", "rpm", "apk", "alpm", "pypi", "npm", "nuget", "maven", "gem", "golang", "conan", "generic")


@pytest.mark.parametrize(
    ("versions", "purl", "inside"),
    [
        ("vers:deb/<3.0.11-2", "pkg:deb/debian/openssl", True),
        ("vers:deb/<3.0.11-1", "pkg:deb/debian/openssl", False),
        ("vers:DEB/ < 3.0.11-2", "pkg:deb/debian/openssl", True),
        ("vers:npm/<4", "pkg:deb/debian/openssl", None),  # another ecosystem orders versions in another way
        ("vers:lexicographic/<4", "pkg:deb/debian/openssl", None),
        ("vers:all/*", "pkg:deb/debian/openssl", None),
        ("vers:semver/<4", "pkg:deb/debian/openssl", None),
        ("vers:deb/<4", "pkg:generic/openssl", True),  # has no rules of its own
        ("vers:deb/<4", "pkg:bitnami/openssl", True),
        ("vers:deb/>=1|>=2", "pkg:deb/debian/openssl", None),
        ("vers:deb/1|*", "pkg:deb/debian/openssl", None),
        ("no range", "pkg:deb/debian/openssl", None),
    ],
)
def test_a_version_is_in_a_range_of_its_ecosystem(versions: str, purl: str, inside: bool | None) -> None:
    assert in_vers("3.0.11-1", versions, purl) is inside


def test_no_version_is_in_no_range() -> None:
    assert in_vers("", "vers:deb/<4", "pkg:deb/debian/openssl") is None


@pytest.mark.parametrize(
    ("versions", "is_all"),
    [
        ("vers:deb/*", True),
        ("vers:deb/ *", True),
        ("vers:deb/ * ", True),
        ("VERS:deb/*", True),
        ("vers:all/*", True),
        ("vers:deb/!=5", True),
        ("vers:deb/>=0", True),
        ("vers:deb/>0.0", True),
        ("vers:deb/>=1", False),
        ("vers:deb/>=0|<5", False),
        ("vers:deb/5", False),
        ("vers:deb/5*", False),
        ("vers:none/*", False),
        ("vers:unknown/*", False),
        ("/*", False),
        ("", False),
    ],
)
def test_a_range_of_all_versions_names_none(versions: str, is_all: bool) -> None:
    assert is_open(versions) is is_all


@pytest.mark.parametrize(
    ("version", "versions", "purl"),
    [
        ("preview", "<2", "pkg:nuget/x"),  # InvalidNuGetVersion
        ("1", "<preview", "pkg:nuget/x"),
        ("a:1", "<2", "pkg:rpm/x"),
    ],
)
def test_a_version_that_its_ecosystem_cannot_read_is_in_no_range(
    version: str, versions: str, purl: str
) -> None:
    assert in_range(version, versions, purl) is False
    assert in_vers(version, f"vers:{purl[4:-2]}/{versions}", purl) is None


_TEXT = st.text("0123456789.-_+~:abrv<>=!*| ", max_size=20)


@given(_TEXT, _TEXT, st.sampled_from(KINDS))
def test_no_text_ends_in_an_error_of_the_library(version: str, versions: str, kind: str) -> None:
    assert in_vers(version, f"vers:{kind}/{versions}", f"pkg:{kind}/x") in {True, False, None}
    assert in_range(version, versions, f"pkg:{kind}/x") in {True, False}
    assert is_open(f"vers:{kind}/{versions}") in {True, False}
