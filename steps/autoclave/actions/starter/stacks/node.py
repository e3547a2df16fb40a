"""Node.js: package.json; tests by the runner that its test script starts, with that runner's JUnit reporter.

Options and variables were read in the documentation of mocha-junit-reporter, jest-junit, Vitest, Playwright
and Node.js. Where npm looks for programs and Node.js for modules: @npmcli/run-script, lib/set-path.js, and
nodejs.org/api/modules.html (loading from node_modules folders).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from autoclave.actions.starter import texts
from autoclave.actions.starter.facts import Project, Tests, left
from autoclave.actions.starter.stacks.base import RESULTS, Sources, Stack

_REPORT = f"{RESULTS}/junit.xml"
_NO_TESTS = "no test specified"  # what `npm init` writes


class _Runner(Struct, frozen=True):
    """A test runner: what its name is in a script, and how it writes JUnit."""

    word: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = {}
    reporter: str = ""


_RUNNERS = (
    _Runner("vitest", ("npm", "test", "--", "--run", "--reporter=junit", f"--outputFile={_REPORT}")),
    _Runner(
        "jest",
        ("npm", "test", "--", "--ci", "--reporters=default", "--reporters=jest-junit"),
        {"JEST_JUNIT_OUTPUT_FILE": _REPORT},
        "jest-junit",
    ),
    _Runner(
        "mocha",
        ("npm", "test", "--", "--reporter=mocha-junit-reporter"),
        {"MOCHA_FILE": _REPORT},
        "mocha-junit-reporter",
    ),
    _Runner(
        "playwright",
        ("npx", "playwright", "test", "--reporter=junit"),
        {"PLAYWRIGHT_JUNIT_OUTPUT_FILE": _REPORT},
    ),
    _Runner(
        "node --test",
        ("node", "--test", "--test-reporter=junit", f"--test-reporter-destination={_REPORT}"),
    ),
)


def read(sources: Sources) -> Project | None:
    """Return the project of a folder."""
    source = sources.path("package.json")
    data = texts.parse_json(sources.text("package.json"), source)
    script = str(texts.table(data, "scripts").get("test", ""))[:2000]
    tests = _tests(sources, data, script)
    remarks = []
    if tests is None and script and _NO_TESTS not in script:
        remarks.append(left(f"{source}: the test script starts no known runner: give it a JUnit reporter"))
    elif tests is None:
        remarks.append(left(f"{source} has no test script: no tests were found for it"))
    return Project(
        stack="node",
        title="Node.js",
        folder=sources.folder,
        source=source,
        name=texts.word(data, "name").rpartition("/")[2],
        version=texts.to_version(data.get("version")),
        tests=tests,
        ignored=("node_modules",),
        remarks=tuple(remarks),
    )


def _tests(sources: Sources, data: dict[str, Any], script: str) -> Tests | None:
    wanted = texts.table(data, "dependencies") | texts.table(data, "devDependencies")
    runner = next((each for each in _RUNNERS if re.search(rf"(?<![\w-]){each.word}(?![\w-])", script)), None)
    if runner is None and (not script or _NO_TESTS in script):
        return None
    # `npm test` may start a script that starts the runner.
    runner = runner or next((each for each in _RUNNERS if each.word in wanted), None)
    if runner is None:
        return None
    released = texts.table(data, "dependencies")
    is_there = " " in runner.word or {runner.word, runner.reporter} - {""} <= released.keys()
    return Tests(
        tool=runner.word.title() if " " not in runner.word else "node:test",
        command=runner.command,
        environment=runner.environment,
        stage=() if is_there else _stage(sources, runner.reporter if runner.reporter not in wanted else ""),
    )


def _stage(sources: Sources, reporter: str) -> tuple[str, ...]:
    locked = sources.has("package-lock.json")
    copied = "@/package.json @/package-lock.json /" if locked else "@/package.json /"
    install = "npm ci" if locked else "npm install"
    lines = [
        "# Only adds: Node.js and npm look into /node_modules for what the released folder lacks.",
        f"COPY {copied}",
        f"RUN cd / && {install} --include=dev --ignore-scripts",
    ]
    if reporter:
        lines.append(f"RUN cd / && npm install --no-save --ignore-scripts {reporter}")
    folder = sources.first("tests", "test", "__tests__", "spec")
    if folder:
        name = folder.rpartition("/")[2]
        lines.append(f"COPY @/{name} ./{name}")
    return tuple(lines)


STACK = Stack(files=("package.json",), bases=("node", "nginx", "bun"), read=read)
