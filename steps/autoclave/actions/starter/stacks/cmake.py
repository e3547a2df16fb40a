"""C and C++ with CMake: CMakeLists.txt, of which project() and the test program are read."""

from __future__ import annotations

import re

from autoclave.actions.starter import texts
from autoclave.actions.starter.facts import Project, Tests, left
from autoclave.actions.starter.stacks.base import RESULTS, TESTS, Sources, Stack

_PROJECT = re.compile(
    r"(?im)^[ \t]*project[ \t]*\(\s*(?P<name>[A-Za-z0-9_.+-]{1,100})(?P<more>[^()]{0,2000})\)"
)
_VERSION = re.compile(r"\bVERSION\s+\"?(?P<version>[0-9][0-9A-Za-z.+-]{0,63})")
_PROGRAM = re.compile(r"(?im)^[ \t]*add_executable[ \t]*\(\s*(?P<name>[A-Za-z0-9_.+-]{0,99}tests?)\b")
_REPORT = f"{RESULTS}/junit.xml"
_FRAMEWORKS = {
    "gtest": ("GoogleTest", (f"--gtest_output=xml:{_REPORT}",)),
    "googletest": ("GoogleTest", (f"--gtest_output=xml:{_REPORT}",)),
    "catch2": ("Catch2", ("--reporter", f"junit::out={_REPORT}")),
    "doctest": ("doctest", ("--reporters=junit", f"--out={_REPORT}")),
}


def read(sources: Sources) -> Project | None:
    """Return the project of a folder; a CMakeLists.txt without project() is a part of another one."""
    source = sources.path("CMakeLists.txt")
    text = sources.text("CMakeLists.txt")
    seen = _PROJECT.search(text)
    if seen is None:
        return None
    version = _VERSION.search(seen["more"])
    tests = _tests(sources, text)
    return Project(
        stack="cmake",
        title="C or C++ with CMake",
        folder=sources.folder,
        source=source,
        name=seen["name"],
        version=texts.to_version(version["version"]) if version else "",
        tests=tests,
        outputs=(sources.path("build"),),
        ignored=("build",),
        remarks=() if tests else (left(f"no test program was found in {source} or below it"),),
    )


def _tests(sources: Sources, text: str) -> Tests | None:
    below = set(sources.below())
    parts = [text] + [
        raw.decode("utf-8", "replace")
        for path, raw in sources.repository.contents.items()
        if path.endswith("/CMakeLists.txt") and path in below
    ]
    whole = "\n".join(parts)
    program = _PROGRAM.search(whole)
    if program is None:
        return None
    folded = whole.lower()
    tool, options = next((each for word, each in _FRAMEWORKS.items() if word in folded), ("CTest", ()))
    return Tests(
        tool=tool,
        command=(f"{TESTS}/{program['name']}", *options)
        if options
        else ("ctest", "--test-dir", f"{TESTS}/build", "--output-junit", _REPORT),
        image="debian:12",
        builder=(
            "RUN cmake -S . -B /build -DBUILD_TESTING=ON && cmake --build /build --parallel && \\",
            f"    mkdir -p {TESTS} && cp -r /build {TESTS}/build && \\",
            f"    find /build -name '{program['name']}' -type f -exec cp {{}} {TESTS}/ ';'",
        ),
        stage=(f"COPY --from=test-build {TESTS} {TESTS}",),
    )


STACK = Stack(files=("CMakeLists.txt",), bases=("gcc", "clang", "cmake"), read=read)
