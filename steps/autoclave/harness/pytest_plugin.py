"""pytest plugin: tests name with `@pytest.mark.requirement("SRS-1")` the requirements that they verify.

The ids go into the JUnit report as properties called `requirement`; with `test_type=` and
`derivation_technique=` the mark says of what kind the test is and how it was derived. The report also lists
the plug-ins that pytest ran with: some repeat failed tests without a trace. This one file needs nothing but
pytest: Autoclave copies it into the test container, and is installed with it as a plugin.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

_PROPERTY = "requirement"
_PLUGINS = "pytest-plugins"
_NOTES = {"test_type": "TestType", "derivation_technique": "DerivationTechnique"}


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "requirement(*ids, test_type, derivation_technique): the ids of the requirements that the test "
        "verifies, its kind and how it was derived, for the JUnit report",
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    """List the plug-ins in the report, which only the process that writes it has."""
    manager = session.config.pluginmanager
    listed = ", ".join(_plugins(manager))
    for plugin in manager.get_plugins():
        if hasattr(type(plugin), "add_global_property"):  # LogXML, behind record_testsuite_property
            plugin.add_global_property(_PLUGINS, listed)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test its ids before it runs: all its reports carry them, from any worker and any phase."""
    for item in items:
        named = {value for name, value in item.user_properties if name == _PROPERTY}
        for one in dict.fromkeys(_ids(item)):
            if one not in named:
                item.user_properties.append((_PROPERTY, one))
        for name, value in _notes(item).items():
            item.user_properties.append((name, value))


def _ids(item: pytest.Item) -> Iterator[str]:
    """Return the ids of a test, its class's and module's last. Raises UsageError for an invalid id."""
    for mark in item.iter_markers("requirement"):
        if not mark.args:
            raise pytest.UsageError(f"{item.nodeid}: requirement() needs at least one id")
        for one in mark.args:
            if not isinstance(one, str) or not one.strip() or "," in one:
                raise pytest.UsageError(
                    f"{item.nodeid}: {one!r} is not a requirement id (a text without commas)"
                )
            yield one.strip()


def _notes(item: pytest.Item) -> dict[str, str]:
    """Return a test's kind and technique, the closest mark's. Raises UsageError for anything else."""
    notes: dict[str, str] = {}
    for mark in item.iter_markers("requirement"):
        for key, value in mark.kwargs.items():
            if key not in _NOTES or not isinstance(value, str) or not value.strip():
                raise pytest.UsageError(
                    f"{item.nodeid}: requirement() takes ids, test_type and derivation_technique, "
                    f"not {key}={value!r}"
                )
            notes.setdefault(_NOTES[key], value.strip())
    return notes


def _plugins(manager: pytest.PytestPluginManager) -> Iterator[str]:
    """Return the installed plug-ins with their versions, and the modules that were loaded besides."""
    installed = {dist.metadata["name"]: dist.version for _, dist in manager.list_plugin_distinfo()}
    yield from (f"{name} {version}" for name, version in sorted(installed.items()))
    known = {_plain(name) for name in installed}
    loaded = [each.__name__ for each in manager.get_plugins() if isinstance(each, ModuleType)]
    modules = {name.partition(".")[0] for name in loaded}
    yield from sorted(name for name in modules - {"_pytest", "conftest"} if _plain(name) not in known)


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")
