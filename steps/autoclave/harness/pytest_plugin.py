"""pytest plugin: tests say with `@pytest.mark.requirement("SRS-1")` which requirements they show.

The ids go into the JUnit report as properties called `requirement`. This one file needs nothing but pytest:
Autoclave puts it into the test container, and installs it as a plugin beside itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

_PROPERTY = "requirement"


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest about the marker."""
    config.addinivalue_line(
        "markers", "requirement(*ids): the ids of the requirements that the test shows, for the JUnit report"
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test its ids before it runs: all its reports carry them, from any worker and any phase."""
    for item in items:
        told = {value for name, value in item.user_properties if name == _PROPERTY}
        for one in dict.fromkeys(_ids(item)):
            if one not in told:
                item.user_properties.append((_PROPERTY, one))


def _ids(item: pytest.Item) -> Iterator[str]:
    """Return the ids of a test, its class's and module's last. Raises UsageError for what is no id."""
    for mark in item.iter_markers("requirement"):
        if not mark.args or mark.kwargs:
            raise pytest.UsageError(f"{item.nodeid}: requirement() takes ids, and at least one")
        for one in mark.args:
            if not isinstance(one, str) or not one.strip() or "," in one:
                raise pytest.UsageError(
                    f"{item.nodeid}: {one!r} is no requirement id (a text without commas)"
                )
            yield one.strip()
