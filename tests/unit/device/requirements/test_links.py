"""Links from tests to requirements, in a file; and who ran them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from autoclave.device.requirements import links
from autoclave.errors import ConfigError, SourceError


def read_links(folder: Path, content: str, test: str) -> tuple[str, ...]:
    (folder / "links.toml").write_text(content)
    return links.read(folder, "links.toml")(test)


def link(test: str, *ids: str) -> str:
    return f"[[link]]\ntest = {test!r}\nrequirements = {list(ids)}\n"


@pytest.mark.parametrize(
    ("pattern", "test"),
    [
        ("Pump::Stops", "Pump::Stops"),
        ("Stops", "Pump::Stops"),
        ("Pump::*", "Pump::Stops"),
        ("*::St?ps", "Pump::Stops"),
        ("test_a[1-x]", "t::test_a[1-x]"),
        ("bounded*", "pump.PumpTest::bounded(int)[1]"),
    ],
)
def test_a_pattern_meets_the_whole_name_or_the_last_part(tmp_path: Path, pattern: str, test: str) -> None:
    assert read_links(tmp_path, link(pattern, "R-1"), test) == ("R-1",)
    assert read_links(tmp_path, link(pattern, "R-1"), "other::thing") == ()


def test_all_links_of_a_test_count_once(tmp_path: Path) -> None:
    content = link("a::*", "R-1", "R-2") + link("a::b", "R-2", "R-3") + link("b", "R-4")
    assert read_links(tmp_path, content, "a::b") == ("R-2", "R-3", "R-4", "R-1")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "link is missing"),
        ("[[link]\n", "not valid TOML"),
        ('[[link]]\ntest = "a"\n', "link[0].requirements is missing"),
        (link("a"), "requirements is an empty list"),
        (link("", "R-1"), 'test is ""'),
        (link("a", ""), 'requirements[0] is ""'),
        ('[[link]]\ntest = "a"\nrequirement = ["R"]\n', "unknown key"),
        ("".join(link(f"{n}*", "R") for n in range(1001)), "more than 1000 patterns"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, content: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_links(tmp_path, content, "a")
    assert what in caught.value.what
    assert "links.toml" in caught.value.what


def test_a_links_file_outside_of_the_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="leaves the device folder"):
        links.read(tmp_path, "../links.toml")


def test_a_hostile_pattern_takes_no_time(tmp_path: Path) -> None:
    began = time.monotonic()
    assert read_links(tmp_path, link("*a" * 100 + "b", "R-1"), "a" * 500) == ()
    assert time.monotonic() - began < 2
