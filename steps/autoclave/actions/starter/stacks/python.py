"""Python: pyproject.toml, setup.cfg, requirements files; tests by pytest, which runs unittest's too."""

from __future__ import annotations

import configparser
import posixpath
import re

from autoclave.actions.starter import texts
from autoclave.actions.starter.facts import Project, Tests, left
from autoclave.actions.starter.repository import below, is_plain, matches, relative
from autoclave.actions.starter.stacks.base import RESULTS, Sources, Stack, arrives

_REQUIREMENTS = ("requirements*.txt", "*-requirements.txt")
_MODULES = ("__init__.py", "__about__.py", "_version.py")
_FOR_TESTS = re.compile(r"(?i)test|dev")
_VERSION = re.compile(r"^__version__\s*(?::\s*str\s*)?=\s*[\"'](?P<version>[^\"']{1,64})[\"']", re.MULTILINE)
_PYTEST = re.compile(r"(?im)^\s*[\"']?pytest(?![\w-])")


def read(sources: Sources) -> Project | None:
    """Return the project of a folder."""
    data = texts.read_toml(sources.text("pyproject.toml"), sources.path("pyproject.toml"))
    project, poetry = texts.table(data, "project"), texts.table(data, "tool", "poetry")
    setup = _setup(sources.text("setup.cfg"))
    if not (project or poetry or setup or _lists(sources) or sources.has("setup.py")):
        return None  # settings of a formatter, say
    source = next((each for each in ("pyproject.toml", "setup.cfg", "setup.py") if each in sources.names), "")
    tests = _tests(sources, project, poetry)
    version = texts.to_version(project.get("version") or poetry.get("version") or setup.get("version"))
    written, where = ("", "") if version else _written_version(sources)
    return Project(
        stack="python",
        title="Python",
        folder=sources.folder,
        source=sources.path(source or sources.names[0]),
        name=texts.word(project, "name") or texts.word(poetry, "name") or setup.get("name", ""),
        version=version or written,
        version_source=where,
        tests=tests,
        ignored=("**/__pycache__", ".venv", "venv", ".pytest_cache"),
        remarks=()
        if tests
        else (left(f"no tests were found for {sources.path(source or sources.names[0])}"),),
    )


def _setup(text: str) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
        section = dict(parser["metadata"]) if parser.has_section("metadata") else {}
    except configparser.Error:
        return {}
    return {key: value for key, value in section.items() if texts.to_version(value) or texts.to_name(value)}


def _written_version(sources: Sources) -> tuple[str, str]:
    """Return the version that the first module with one writes down, and the module."""
    for path, raw in sources.repository.contents.items():
        is_module = matches(path, _MODULES) and below(path, sources.folder)
        if is_module and (seen := _VERSION.search(raw.decode("utf-8", "replace"))):
            return texts.to_version(seen["version"]), path
    return "", ""


def _lists(sources: Sources) -> list[str]:
    return [name for name in sources.names if matches(name, _REQUIREMENTS)]


def _tests(sources: Sources, project: dict[str, object], poetry: dict[str, object]) -> Tests | None:
    files = [path for path in sources.below() if matches(path, ("test_*.py", "*_test.py"))]
    if not files:
        return None
    folder = sources.first("tests", "test") or posixpath.dirname(files[0]) or sources.folder
    name = posixpath.basename(folder) if folder != "." else ""
    command = (
        "python",
        "-m",
        "pytest",
        "-p",
        "autoclave_requirements",
        "-p",
        "no:cacheprovider",
        arrives(folder) if name else "/autoclave",
    )
    return Tests(
        tool="pytest",
        command=(*command, f"--junit-xml={RESULTS}/junit.xml"),
        copy=(folder,) if name else tuple(path for path in files if "/" not in path),
        stage=() if _is_released(sources, project, poetry) else _stage(sources),
        marker=True,
    )


def _is_released(sources: Sources, project: dict[str, object], poetry: dict[str, object]) -> bool:
    """Return whether pytest is among what the released image installs."""
    lists = [sources.text(name) for name in _lists(sources) if not _FOR_TESTS.search(name)]
    listed = project.get("dependencies")
    lists += [str(each) for each in listed] if isinstance(listed, list) else []
    return any(_PYTEST.search(each) for each in lists) or "pytest" in texts.table(poetry, "dependencies")


def _stage(sources: Sources) -> tuple[str, ...]:
    named = sorted(name for name in _lists(sources) if _FOR_TESTS.search(name) and is_plain(name))
    nested = sources.first("requirements/test.txt", "requirements/tests.txt", "requirements/dev.txt")
    listed = named[0] if named else relative(nested, sources.folder) if nested else ""
    if not listed:
        return ("RUN pip install --no-cache-dir pytest==9.0.1",)
    return (
        f"COPY @/{listed} /opt/tests/",
        f"RUN pip install --no-cache-dir -r /opt/tests/{posixpath.basename(listed)}",
    )


STACK = Stack(
    files=("pyproject.toml", "setup.cfg", "setup.py", "Pipfile", *_REQUIREMENTS, *_MODULES),
    bases=("python", "uv", "conda"),
    read=read,
)
