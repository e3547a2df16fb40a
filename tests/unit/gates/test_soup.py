"""The SOUP gate and register: what is not known, not reviewed or not supported closes it by class."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from autoclave.actions import soup_draft
from autoclave.actions.starter import registers
from autoclave.device import soup_register
from autoclave.errors import ConfigError, SourceError
from autoclave.gates import release
from autoclave.gates.soup import defect, judge, match_components
from autoclave.model.declared import Component
from builders.sample_facts import COMPONENT, ENTRY, EVIDENCE, NOW, POLICY

TODAY = date(2026, 11, 24)
NEW = Component(name="flask", version="3.1.3", purl="pkg:pypi/flask@3.1.3")
CURL = Component(
    name="curl", version="7.88.1", purl="pkg:deb/debian/curl@7.88.1?distro=debian-12.5", distro="debian-12.5"
)


def test_a_component_without_an_entry_closes_by_class() -> None:
    evidence = replace(EVIDENCE, components=(COMPONENT, NEW))
    for name in "BC":
        (reason,) = release.judge(evidence, POLICY[name], NOW).reasons
        assert reason.startswith("1 of 2 components have no entry in the SOUP register: pkg:pypi/flask 3.1.3")
    assert release.judge(evidence, POLICY["A"], NOW).passed


def test_a_changed_component_is_called_changed() -> None:
    changed = replace(COMPONENT, version="4.0", purl="pkg:pypi/jinja2@4.0")
    (reason,) = judge([changed], [ENTRY], POLICY["B"].soup, TODAY)
    assert "pkg:pypi/jinja2 4.0 (changed: the register has 3.1.*)" in reason


def test_a_pattern_does_not_let_a_changed_version_through_that_has_an_entry_of_its_own() -> None:
    changed = replace(COMPONENT, version="4.0", purl="pkg:pypi/jinja2@4.0")
    pattern = replace(ENTRY, component="pkg:pypi/*", version="4*")
    assert judge([changed], [pattern], POLICY["C"].soup, TODAY) == ()
    assert judge([changed], [pattern, ENTRY], POLICY["C"].soup, TODAY) != ()


FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"manufacturer": " "}, "BC", "'manufacturer' is not filled in"),
    ({"why": ""}, "BC", "'why' is not filled in"),
    ({"version": "*"}, "C", "any version"),
    ({"support_end": date(2026, 11, 23)}, "BC", "its support ended on 2026-11-23"),
    ({"anomalies": ""}, "BC", "nobody has reviewed"),
    ({"reviewed_by": ""}, "BC", "nobody has reviewed"),
    ({"reviewed_on": None}, "BC", "nobody has reviewed"),
    ({"reviewed_on": TODAY + timedelta(days=1)}, "BC", "dated in the future"),
    ({"reviewed_on": TODAY - timedelta(days=366)}, "C", "reviewed 366 days ago"),
]


@pytest.mark.parametrize(("fields", "classes", "says"), FAULTS)
def test_every_defect_of_an_entry_has_a_reason(fields: dict[str, Any], classes: str, says: str) -> None:
    output = {name: judge([COMPONENT], [replace(ENTRY, **fields)], POLICY[name].soup, TODAY) for name in "BC"}
    assert "".join(name for name, reasons in output.items() if reasons) == classes
    assert all(says in reason for reasons in output.values() for reason in reasons)


def test_no_register_and_no_component_are_reasons_of_their_own() -> None:
    assert "names no SOUP register" in judge([COMPONENT], None, POLICY["B"].soup, TODAY)[0]
    assert "names no component" in judge([], [ENTRY], POLICY["B"].soup, TODAY)[0]
    assert judge([COMPONENT], None, POLICY["A"].soup, TODAY) == ()


def test_a_distribution_is_known_by_its_own_version() -> None:
    entry = replace(ENTRY, component="pkg:deb/debian/*", version="debian-12*")
    assert judge([CURL], [entry], POLICY["C"].soup, TODAY) == ()
    assert judge([replace(CURL, distro="debian-13.1")], [entry], POLICY["C"].soup, TODAY) != ()


def test_fifty_thousand_components_are_matched_one_by_one() -> None:
    many = [Component(name=f"p{n}", version="1", purl=f"pkg:npm/p{n}@1") for n in range(50_000)]
    register = [replace(ENTRY, component=f"pkg:npm/p{n}", version="1") for n in range(0, 50_000, 2)]
    assert sum(each.entry is None for each in match_components(many, register)) == 25_000


GOOD = """[[soup]]
title = "Jinja2"
component = "pkg:pypi/jinja2"
version = "3.1.*"
manufacturer = "Pallets"
why = "renders the printed report"
support-end = 2030-01-01
anomalies = "https://github.com/pallets/jinja/issues"
reviewed-by = "Ada Quality"
reviewed-on = 2026-11-01
"""


def test_the_register_is_read_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "soup.toml").write_text(GOOD)
    assert soup_register.read(tmp_path, "soup.toml") == (ENTRY,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace("why =", "because ="), "unknown key"),
        (GOOD.replace('"Jinja2"', '""'), "title"),
        (GOOD.replace("2030-01-01", '"soon"'), "support-end"),
        ("sop = []", "sop"),
        ("soup = 7", "soup"),
        ("[[soup]", "not valid TOML"),
    ],
)
def test_a_register_that_cannot_be_read_is_an_error(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "soup.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        soup_register.read(tmp_path, "soup.toml")
    assert says in caught.value.reason


def test_a_register_without_entries_is_a_beginning_in_which_every_component_is_missing(
    tmp_path: Path,
) -> None:
    (tmp_path / "soup.toml").write_text(registers.NEW_SOUP)
    assert soup_register.read(tmp_path, "soup.toml") == ()
    assert [each.entry for each in match_components([NEW], ())] == [None]


def test_a_register_outside_of_the_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        soup_register.read(tmp_path, "../soup.toml")


def test_a_register_is_a_file_and_no_pipe_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder", "missing"):
        with pytest.raises(SourceError, match="is not a file"):
            soup_register.read(tmp_path, name)


def test_missing_entries_are_drafted_as_toml_that_still_closes_the_gate(tmp_path: Path) -> None:
    hostile = replace(NEW, name='a"b\n[[soup]]', purl="", version='1"\x00')
    text = "\n".join(soup_draft.draft(match_components([NEW, CURL, hostile], ()), named=False))
    (tmp_path / "soup.toml").write_text(text)
    entries = soup_register.read(tmp_path, "soup.toml")
    assert {each.component for each in entries} >= {"pkg:pypi/flask", "pkg:deb/debian/*"}
    reasons = judge([NEW, CURL], entries, POLICY["B"].soup, TODAY)
    assert len(reasons) == 2 and all("is not filled in" in each for each in reasons)


@pytest.mark.parametrize(
    "version",
    ["*", "**", "?*", "*.*", "[!x]*", "[!x]?*", "[0-9]*", "*[0-9]*", "v[0-9]*", "[!0-9]2*", "?", "v*", "a?"],
)
def test_a_pattern_for_any_version_names_none(version: str) -> None:
    found = defect(replace(ENTRY, version=version), POLICY["C"].soup, TODAY)
    assert "the policy demands that one is named" in found
    assert not defect(replace(ENTRY, version=version), POLICY["B"].soup, TODAY)


@pytest.mark.parametrize(
    "version", ["2.10", "2.10.*", "2[3-9].*", "debian-12*", "12*", "v0.74.*", "bookworm", "1~rc1"]
)
def test_a_version_or_its_beginning_names_one(version: str) -> None:
    assert not defect(replace(ENTRY, version=version), POLICY["C"].soup, TODAY)


@pytest.mark.parametrize(
    "line", ['component = "pkg:pypi/jinja2\\n"', 'version = "2.10\\n"', 'title = "a\\u202e"']
)
def test_what_is_compared_has_no_line_end(line: str, tmp_path: Path) -> None:
    fields = {"title": "t", "component": "c", "version": "1", "manufacturer": "m", "why": "w"}
    fields.pop(line.partition(" ")[0])
    text = "[[soup]]\n" + "".join(f'{key} = "{value}"\n' for key, value in fields.items()) + line + "\n"
    (tmp_path / "soup.toml").write_text(text)
    with pytest.raises(ConfigError, match=line.partition(" ")[0]):
        soup_register.read(tmp_path, "soup.toml")


def test_an_entry_names_a_package_in_any_spelling() -> None:
    angular = Component(name="@angular/core", version="12.3.1", purl="pkg:npm/%40angular/core@12.3.1")
    for name in ("pkg:npm/@angular/core", "pkg:npm/%40angular/core", "pkg:npm/@angular/*"):
        entry = replace(ENTRY, component=name, version="12.3.1")
        (found,) = match_components([angular], [entry])
        assert found.entry == entry, name
