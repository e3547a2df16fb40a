"""The error tree: one exit code, one meaning."""

from __future__ import annotations

from autoclave.errors import AutoclaveError, tree


def test_every_exit_code_has_one_meaning() -> None:
    found = tree(AutoclaveError)
    assert len({error.code for error in found}) == len(found)
    assert len({error.meaning for error in found}) == len(found)
    assert all(0 < error.code < 256 for error in found)
