"""Java with Maven: pom.xml. Modules below the first pom.xml belong to it."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from autoclave.actions.starter import texts
from autoclave.actions.starter.facts import Project, left
from autoclave.actions.starter.stacks import java
from autoclave.actions.starter.stacks.base import Sources, Stack

_LIBRARIES = "target/test-lib"
_JUNIT = "org.junit.platform,org.junit.jupiter,org.junit.vintage,org.opentest4j,org.apiguardian"


def read(sources: Sources) -> Project | None:
    """Return the project of a folder."""
    source = sources.path("pom.xml")
    text = sources.text("pom.xml")
    root = texts.parse_xml(text, source)
    if str(root.tag).rpartition("}")[2] != "project":
        return None
    has_tests = any("src/test/" in path for path in sources.below())
    module = sources.folder != "." and any(
        sources.repository.has(f"{above}/pom.xml".removeprefix("./")) for above in _above(sources.folder)
    )
    remarks = () if has_tests or module else (left(f"no src/test was found beside {source}"),)
    return Project(
        stack="maven",
        title="Java with Maven",
        folder=sources.folder,
        source=source,
        name=texts.child_text(root, "artifactId"),
        version=_version(root),
        port=java.port(text),
        health=java.health(text),
        tests=java.tests(
            "maven:3-eclipse-temurin-21",
            _builder(),
            "{workdir}/target/classes",
            "{workdir}/target/test-classes",
            f"{{workdir}}/{_LIBRARIES}",
        )
        if has_tests
        else None,
        outputs=(sources.path("target"),),
        ignored=("**/target",),
        remarks=remarks,
    )


def _above(folder: str) -> list[str]:
    parts = folder.split("/")
    return ["/".join(parts[:count]) or "." for count in range(len(parts))]


def _builder() -> tuple[str, ...]:
    return (
        "RUN mvn --batch-mode test-compile dependency:copy-dependencies "
        f"-DoutputDirectory={_LIBRARIES} -DexcludeGroupIds={_JUNIT} && \\",
        f"    mvn --batch-mode dependency:copy -Dartifact={java.LAUNCHER} -DoutputDirectory={_LIBRARIES}",
    )


def _version(root: Element) -> str:
    """Return the version, its parent's when it has none, with properties put in."""
    written = texts.child_text(root, "version") or texts.child_text(root, "parent", "version")
    if written.startswith("${") and written.endswith("}"):
        written = texts.child_text(root, "properties", written[2:-1])
    return texts.to_version(written)


STACK = Stack(files=("pom.xml",), bases=java.BASES, read=read)
