"""Plug-ins are the modules of a package, by name."""

from __future__ import annotations

import pytest

from autoclave import runtime
from autoclave.errors import ConfigError
from autoclave.runtime import modules
from autoclave.runtime.modules import Plugins

PLUGINS = Plugins(
    package="autoclave.runtime",
    folders=runtime.__path__,
    kind="tool",
    helpers=frozenset({"owner"}),
    error=ConfigError,
)


def test_every_module_but_the_helpers_is_listed_and_loaded() -> None:
    assert "modules" in PLUGINS.names()
    assert "owner" not in PLUGINS.names()
    assert PLUGINS.load("modules") is modules


@pytest.mark.parametrize("name", ["owner", "modulez", "", "../modules", "modules.x", "autoclave"])
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"there is no tool '{name}'") as refused:
        PLUGINS.load(name)
    assert refused.value.next
