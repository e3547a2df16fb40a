"""Links are drafted: what a test's name says is linked, the judgement is left to a person."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from autoclave.actions import link_draft
from autoclave.device.requirements import links
from autoclave.errors import ConfigError, SourceError
from autoclave.model.declared import Requirement


def requirement(id_: str) -> Requirement:
    return Requirement(id=id_, text="The pump stops.")


IDS = [requirement("SRS-1"), requirement("SRS-14"), requirement("RC-3.1")]


@pytest.mark.parametrize(
    ("test", "ids"),
    [
        ("pump::test_srs_14_stops", ["SRS-14"]),
        ("pump::SRS14Test", ["SRS-14"]),
        ("PumpTest::SRS-1: it stops", ["SRS-1"]),
        ("pump::test_rc_3_1_and_srs_1", ["SRS-1", "RC-3.1"]),
        ("pump::test_it_stops", []),
        ("pump::test_srs_141", []),
        ("pump::test_measrs_14", []),
    ],
)
def test_a_test_that_names_an_id_is_linked_and_no_other_one(test: str, ids: list[str]) -> None:
    made = link_draft.draft([test], IDS, "")
    assert (made.linked, made.open) == (bool(ids), not ids)
    data = tomllib.loads(made.text)
    if ids:
        assert data == {"link": [{"test": test, "requirements": ids}]}
    else:
        assert data == {}
        assert "# requirements = []" in made.text


def test_the_parameters_of_a_test_are_one_entry_that_matches_all(tmp_path: Path) -> None:
    tests = ["p::test_srs_1_x[a]", "p::test_srs_1_x[b*]", "p::test_srs_1[only]"]
    made = link_draft.draft(tests, IDS, "")
    assert made.linked == 2
    links.append(tmp_path, "links.toml", lambda text: link_draft.append(text, made, {}))
    find = links.read(tmp_path, "links.toml")
    assert [find(each) for each in tests] == [("SRS-1",)] * 3
    assert find("p::test_srs_1_xy") == ()


def test_a_second_time_nothing_is_added_and_comments_stay(tmp_path: Path) -> None:
    tests = ["p::test_srs_1", "p::test_it_stops"]

    def change(text: str) -> str:
        made = link_draft.draft(tests, IDS, text)
        return link_draft.append(text, made, {"SRS-14": "The pump\nstops."}) if made.text else text

    path = links.append(tmp_path, "links.toml", change)
    once = path.read_text()
    assert once.startswith(link_draft.HEADER)
    assert "#   SRS-14: The pump?stops." in once
    path.write_text(once.replace("# Which", "# Ours: which"))
    links.append(tmp_path, "links.toml", change)
    assert path.read_text() == once.replace("# Which", "# Ours: which")


def test_a_file_that_is_broken_or_elsewhere_is_left_alone(tmp_path: Path) -> None:
    made = link_draft.draft(["p::test_srs_1"], IDS, "")
    (tmp_path / "links.toml").write_text("[[link]]\ntest = 1\n")
    with pytest.raises(ConfigError):
        links.append(tmp_path, "links.toml", lambda text: link_draft.append(text, made, {}))
    assert (tmp_path / "links.toml").read_text() == "[[link]]\ntest = 1\n"
    (tmp_path / "link.toml").symlink_to(tmp_path / "target.toml")
    for name in ("../links.toml", "link.toml"):
        with pytest.raises(SourceError):
            links.append(tmp_path, name, lambda text: link_draft.append("", made, {}))
    assert not (tmp_path / "target.toml").exists()


@given(st.lists(st.text(max_size=30), max_size=10), st.text(min_size=1, max_size=20))
def test_no_name_writes_anything_but_itself(tests: list[str], id_: str) -> None:
    made = link_draft.draft(tests, [structs.replace(IDS[0], id=id_)], "")
    data = tomllib.loads(link_draft.append("", made, {id_: id_}))
    assert len(data.get("link", ())) == made.linked
