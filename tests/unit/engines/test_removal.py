"""A container is removed at the end, and an error on the way out is the one that is seen."""

from __future__ import annotations

from typing import cast

import pytest

from autoclave.engines import removal
from autoclave.engines.base import Engine
from autoclave.errors import EngineError


class Absent:
    def remove(self, container: str) -> None:
        raise EngineError("the engine does not answer")


def use(error: BaseException | None) -> None:
    try:
        if error:
            raise error
    finally:
        removal.remove(cast(Engine, Absent()), "app")


@pytest.mark.parametrize("error", [ValueError("the cause"), KeyboardInterrupt("the cause")])
def test_an_error_is_not_hidden_by_the_engine_s(error: BaseException) -> None:
    with pytest.raises(type(error), match="the cause"):
        use(error)


def test_without_another_error_the_engine_s_is_raised() -> None:
    with pytest.raises(EngineError):
        use(None)
