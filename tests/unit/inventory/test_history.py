"""What is kept of a layer's files is what a container sees of them."""

from __future__ import annotations

import pytest

from autoclave.inventory.history import History
from autoclave.store.archive.layers import read_layer
from builders.layers import Content, archive, history

STATUS = "var/lib/dpkg/status"
HARMLESS, TRUE = "Package: a\nVersion: 1\n\n", "Package: openssl\nVersion: 3\n\n"
ELF = b"\x7fELF" + bytes(100)


def read(*entries: tuple[str, Content]) -> History:
    made = History()
    made.add(read_layer([archive(entries)], made.watch)[1], "RUN something")
    return made


def test_a_path_that_is_twice_in_a_layer_has_the_last_content() -> None:
    for first, last in ((HARMLESS, TRUE), (TRUE, HARMLESS)):
        found = read((STATUS, first), (f"./{STATUS}", last))
        assert found.body(STATUS) == last.encode()
        (state,) = found.states["dpkg"]
        assert len(state.found) == 1


def test_a_path_whose_last_content_is_too_large_has_none_of_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("autoclave.inventory.history.LARGEST", 100)
    found = read((STATUS, HARMLESS), (STATUS, TRUE + "\n" * 100))
    assert found.body(STATUS) is None


def test_a_hard_link_over_a_file_does_not_keep_the_files_content() -> None:
    found = read(("opt/status", TRUE), (STATUS, HARMLESS), (STATUS, "=>opt/status"))
    assert found.body(STATUS) is None  # which is reported: it cannot be read
    assert found.states["dpkg"][0].found == {}


@pytest.mark.parametrize("last", ["text", "->elsewhere"])
def test_a_program_that_something_else_replaced_in_its_layer_is_none(last: str) -> None:
    assert read(("app/tool", ELF), ("app/tool", last)).programs == {}
    assert list(read(("app/tool", last), ("app/tool", ELF)).programs.values()) == [len(ELF)]


def test_only_a_layer_that_changes_a_database_makes_a_state_of_it() -> None:
    found = history({STATUS: HARMLESS}, {"app/x": "y"}, {STATUS: HARMLESS}, {STATUS: TRUE}, {STATUS: None})
    assert [each.layer for each in found.states["dpkg"]] == [1, 4, 5]
    assert found.states["apk"] == found.states["rpm"] == []
