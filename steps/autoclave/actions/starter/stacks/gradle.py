"""Java or Kotlin with Gradle: build.gradle and build.gradle.kts, of which plain assignments are read."""

from __future__ import annotations

import re

from autoclave.actions.starter import texts
from autoclave.actions.starter.facts import Project, left
from autoclave.actions.starter.stacks import java
from autoclave.actions.starter.stacks.base import Sources, Stack

_FILES = ("build.gradle", "build.gradle.kts")
_VERSION = re.compile(r"^\s*version\s*=?\s*[\"'](?P<value>[^\"'$]{1,64})[\"']", re.MULTILINE)
_PROPERTY = re.compile(r"^\s*version\s*[=:]\s*(?P<value>\S{1,64})\s*$", re.MULTILINE)
_NAME = re.compile(r"^\s*rootProject\.name\s*=\s*[\"'](?P<value>[^\"'$]{1,100})[\"']", re.MULTILINE)


def read(sources: Sources) -> Project | None:
    """Return the project of a folder."""
    name = next((each for each in _FILES if each in sources.names), "")
    if not name:
        return None
    text = sources.text(name)
    settings = sources.text("settings.gradle") or sources.text("settings.gradle.kts")
    written = _VERSION.search(text) or _PROPERTY.search(sources.text("gradle.properties"))
    named = _NAME.search(settings)
    has_tests = any("src/test/" in path for path in sources.below())
    remarks = [left(f"no src/test was found beside {sources.path(name)}")] if not has_tests else []
    if has_tests:
        remarks.append(
            left(
                f"{sources.path(name)}: add a task for the test stage: tasks.register('testLibraries', "
                "Copy) { from configurations.testRuntimeClasspath; into 'build/test-lib' }"
            )
        )
    return Project(
        stack="gradle",
        title="Java with Gradle",
        folder=sources.folder,
        source=sources.path(name),
        name=named["value"] if named else "",
        version=texts.to_version(written["value"]) if written else "",
        port=java.port(text),
        health=java.health(text),
        tests=java.tests(
            "gradle:8-jdk21",
            ("RUN gradle --no-daemon testClasses testLibraries",),
            "{workdir}/build/classes/java/main",
            "{workdir}/build/classes/java/test",
            "{workdir}/build/test-lib",
        )
        if has_tests
        else None,
        outputs=(sources.path("build"),),
        ignored=("**/build", ".gradle"),
        remarks=tuple(remarks),
    )


STACK = Stack(
    files=(*_FILES, "settings.gradle", "settings.gradle.kts", "gradle.properties"),
    bases=java.BASES,
    read=read,
)
