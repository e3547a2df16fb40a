"""pytest plugin: tests name with `@pytest.mark.requirement("SRS-1")` the requirements that they verify.

The ids go into the JUnit report as properties called `requirement`. This one file needs nothing but pytest:
Autoclave copies it into the test container, and is installed with it as a plugin.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

_PROPERTY = "requirement"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "requirement(*ids): the ids of the requirements that the test verifies, for the JUnit report",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test its ids before it runs: all its reports carry them, from any worker and any phase."""
    for item in items:
        named = {value for name, value in item.user_properties if name == _PROPERTY}
        for one in dict.fromkeys(_ids(item)):
            if one not in named:
                item.user_properties.append((_PROPERTY, one))


def _ids(item: pytest.Item) -> Iterator[str]:
    """Return the ids of a test, its class's and module's last. Raises UsageError for an invalid id."""
    for mark in item.iter_markers("requirement"):
        if not mark.args or mark.kwargs:
            raise pytest.UsageError(f"{item.nodeid}: requirement() needs at least one id")
        for one in mark.args:
            if not isinstance(one, str) or not one.strip() or "," in one:
                raise pytest.UsageError(
                    f"{item.nodeid}: {one!r} is not a requirement id (a text without commas)"
                )
            yield one.strip()
