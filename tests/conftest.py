"""What all tests share: workers that do not disturb each other, and their results, collected."""

from __future__ import annotations

import contextlib
import ctypes
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import pages
import scheduling
import worker_results
from builders import real_trivy
from shared_folders import SharedFolders
from timings import Timings

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

_NEW_HOST_NAME = 0x04000000  # CLONE_NEWUTS of unshare(2)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the choice between tests that share the machine and those that need it for themselves."""
    choices = ("with", "without", "only")
    parser.addoption("--alone", choices=choices, default="with", help="tests marked `alone` (default: with)")
    parser.addoption("--timings", type=Path, help="write what each test took, see tests/timings.py")


def pytest_configure(config: pytest.Config) -> None:
    """Give each worker a host name of its own; elsewhere, prepare to share the tests out.

    A run removes what dead runs of the same host left in the engine. Workers are hosts of their own, so that
    one's runs do not remove what another's test is about to examine.
    """
    config.addinivalue_line("markers", "alone: needs the machine for itself; runs last, beside nothing")
    config.pluginmanager.register(Timings(config.getoption("timings")), "timings")
    config.pluginmanager.register(SharedFolders(), "shared-folders")
    if not worker_results.worker():
        groups = Path(tempfile.mkdtemp(prefix="autoclave-tests-")) / "groups.json"
        config.add_cleanup(lambda: shutil.rmtree(groups.parent))
        known = scheduling.seconds(config.getoption("timings"))
        config.pluginmanager.register(scheduling.Scheduling(groups, known), "scheduling")
    else:
        _rename_host(f"{socket.gethostname()}-{worker_results.worker()}")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Call bytes by their parameter: content may hold a time or a key, and workers must agree on names."""
    return argname if isinstance(val, bytes) else None


def _rename_host(name: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_HOST_NAME) == 0:  # not as a user without rights: then engine tests cannot run either
        socket.sethostname(name)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose the tests, and put them into the order in which workers take them."""
    chosen = {"with": (True, False), "without": (False,), "only": (True,)}[config.getoption("alone")]
    items[:] = [each for each in items if (each.get_closest_marker("alone") is not None) in chosen]
    given = getattr(config, "workerinput", None)
    if given:
        items[:] = scheduling.longest_first(items, given["known"])
        if worker_results.worker() == "w0":
            scheduling.write_groups(items, Path(given["groups"]))


@pytest.fixture(scope="session")
def tmp_path_factory(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> pytest.TempPathFactory:
    """Return pytest's own factory, watched."""
    watcher: Any = pytestconfig.pluginmanager.get_plugin("shared-folders")
    watcher.watch(tmp_path_factory)
    return tmp_path_factory


@pytest.fixture(scope="session", autouse=True)
def _own_database(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Copy the small advisory database for this worker: scans that share a folder wait for its lock."""
    shared = real_trivy.read_setting("AUTOCLAVE_SCANNER_CACHE")
    if not worker_results.worker() or not shared:
        yield
        return
    own = tmp_path_factory.mktemp("database") / "trivy"
    shutil.copytree(Path(shared) / "db", own / "db")
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("AUTOCLAVE_SCANNER_CACHE", f"trivy={own}")
        yield


class Gatherer:
    """Passes the workers' results to the process that started them, and compares the pages there."""

    def __init__(self) -> None:
        self.complaints: list[str] = []

    def pytest_testnodedown(self, node: Any) -> None:
        """Collect the results of a worker."""
        found = getattr(node, "workeroutput", {})
        worker_results.LINES.extend(found.get("lines", []))
        for page, rows in found.get("rows", {}).items():
            worker_results.ROWS.setdefault(page, {}).update(rows)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Pass on this worker's results; in the process that started it, compare or write the pages."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["lines"], output["rows"] = worker_results.LINES, worker_results.ROWS
            return
        if exitstatus not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
            return
        whole = exitstatus == pytest.ExitCode.OK and _is_whole(session.config)
        self.complaints = pages.judge(worker_results.ROWS, whole=whole)
        if self.complaints and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the collected lines, and the pages that differ."""
        for title, lines in (("run for real", worker_results.LINES), ("pages", self.complaints)):
            if lines:
                terminalreporter.section(title)
                for line in lines:
                    terminalreporter.line(line)


def _is_whole(config: pytest.Config) -> bool:
    """Return whether whole folders were run, so that no row of a page is missing."""
    chosen = config.option.keyword or config.option.markexpr or config.option.alone == "only"
    return not chosen and all(Path(each.partition("::")[0]).is_dir() for each in config.args)


def pytest_plugin_registered(plugin: object, manager: pytest.PytestPluginManager) -> None:
    """Register the gatherer once, with the first plug-in that comes."""
    if not manager.has_plugin("gatherer"):
        manager.register(Gatherer(), "gatherer")
