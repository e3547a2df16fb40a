"""Engines are found by name, and only the one that is used is imported."""

from __future__ import annotations

import sys

import pytest

from autoclave import engines
from autoclave.errors import UsageError
from autoclave.runtime.shell import Shell


def test_the_engines_are_the_modules_of_the_package() -> None:
    assert engines.names() == ("docker",)


@pytest.mark.parametrize("name", ["podman", "base", "removal", "", "docker.build", "../docker"])
def test_an_engine_that_is_not_there_is_an_error_that_names_those_that_are(name: str) -> None:
    before = set(sys.modules)
    with pytest.raises(UsageError, match="there is no engine") as caught:
        engines.create(name, Shell())
    assert "docker" in caught.value.next
    assert set(sys.modules) == before
