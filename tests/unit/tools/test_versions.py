"""Versions of programs: read out of what they print, and compared with a range."""

from __future__ import annotations

import pytest

from autoclave.tools.versions import Range, find_version


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("Version: 0.74.0\nVulnerability DB:\n  Version: 2\n", "0.74.0"),
        ("grype 0.119.0\n", "0.119.0"),
        ("Docker version 28.2.2, build e6534b4\n", "28.2.2"),
        ("Docker version 20.10.24+dfsg1, build 297e128\n", "20.10.24+dfsg1"),
        ("v3.22.0+g144ca65\n", "3.22.0+g144ca65"),
        ('{"clientVersion": {"major": "1", "gitVersion": "v1.34.4"}}', "1.34.4"),
        ("git version 2.39.5 (Apple Git-154)\n", "2.39.5"),
        ("OpenSSL 3.0.19 27 Jan 2026 (Library: OpenSSL 3.0.19 27 Jan 2026)\n", "3.0.19"),
        ("OpenSSL 1.1.1w  11 Sep 2023\n", "1.1.1w"),
        ("LibreSSL 3.3.6\n", "3.3.6"),
        ("GitVersion:    v3.1.3\n", "3.1.3"),
        ("go1.26.3", ""),
        ("no version here", ""),
        ("", ""),
        ("x" * (1 << 17) + " 1.2.3", ""),
    ],
)
def test_the_version_is_found_in_what_programs_print(printed: str, version: str) -> None:
    assert find_version(printed) == version


@pytest.mark.parametrize("version", ["0.74.0", "0.74.9", "0.74.10", "0.74.0+build", "v0.74.1"])
def test_patches_of_a_tested_version_are_accepted(version: str) -> None:
    assert Range("0.74.0", "0.75").has(version)


OTHERS = """0.73.9 0.75.0 0.75.0-rc.1 0.74.1-rc1 0.74.0-SNAPSHOT-abc 0.74.0~beta1 0.7.40 0.740.0 74 dev"""


@pytest.mark.parametrize(
    "version", [*OTHERS.split(), "", "0.74.0 ", "0.74.0\n", "\u0660.\u0667\u0664.\u0660"]
)
def test_others_and_what_is_before_a_release_are_not(version: str) -> None:
    assert not Range("0.74.0", "0.75").has(version)


def test_a_short_version_has_zeros_behind_it() -> None:
    assert Range("1.33", "1.36").has("1.33")
    assert not Range("1.33", "1.36").has("1.36.0")
    assert Range("20.10", "30").has("29.9.9")
    assert str(Range("1.33", "1.36")) == "1.33 to below 1.36"


def test_a_number_without_end_is_no_version() -> None:
    assert find_version("1" * 60_000 + ".1") == ""
