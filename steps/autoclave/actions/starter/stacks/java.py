"""What Maven and Gradle have in common: frameworks, and tests that a JVM alone can run.

JUnit's console launcher needs nothing but `java`, so it runs in a distroless image too. It writes
`TEST-*.xml`, as Surefire does (docs.junit.org, Console Launcher: --reports-dir).
"""

from __future__ import annotations

from autoclave.actions.starter.facts import Tests
from autoclave.actions.starter.stacks.base import RESULTS, TESTS

LAUNCHER = "org.junit.platform:junit-platform-console-standalone:1.13.4"
BASES = (
    "maven",
    "gradle",
    "jdk",
    "jre",
    "java",
    "temurin",
    "corretto",
    "zulu",
    "tomcat",
    "jetty",
    "wildfly",
    "quarkus",
)
_HEALTH = {
    "spring-boot-starter-actuator": "/actuator/health",
    "quarkus-smallrye-health": "/q/health",
    "micronaut-management": "/health",
}


def health(text: str) -> str:
    """Return the health path of the framework that a build file names; empty without one."""
    return next((path for artifact, path in _HEALTH.items() if artifact in text), "")


def port(text: str) -> int:
    """Return the port that the framework listens on by default; 0 without one."""
    return 8080 if any(each in text for each in ("spring-boot", "quarkus", "micronaut")) else 0


def tests(image: str, builder: tuple[str, ...], classes: str, test_classes: str, libraries: str) -> Tests:
    """Return tests by JUnit's console launcher; the paths are those of the builder stage."""
    return Tests(
        tool="JUnit",
        command=(
            "java",
            "-cp",
            f"{TESTS}/lib/*:{TESTS}/classes:{TESTS}/test-classes",
            "org.junit.platform.console.ConsoleLauncher",
            "execute",
            f"--scan-classpath={TESTS}/test-classes",
            f"--reports-dir={RESULTS}",
        ),
        junit=("TEST-*.xml",),
        image=image,
        builder=builder,
        stage=(
            f"COPY --from=test-build {classes} {TESTS}/classes",
            f"COPY --from=test-build {test_classes} {TESTS}/test-classes",
            f"COPY --from=test-build {libraries} {TESTS}/lib",
        ),
        memory="2g",
    )
