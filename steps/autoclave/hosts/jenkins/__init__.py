"""Jenkins: its builds, and the file that loads the shared library. The modules here use its server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoclave.console.base import Screen
from autoclave.console.plain import PlainScreen
from autoclave.hosts.base import Command, File, Job
from autoclave.model.facts import ScanFacts

_STARTER = """\
@Library('autoclave@v{version}') _

autoclavePipeline(staging: 'staging')
"""


def create() -> JenkinsHost:
    """Return the host."""
    return JenkinsHost()


class JenkinsHost:
    """A build of Jenkins (source: jenkins.io/doc/book/pipeline/jenkinsfile, "Using environment variables").

    A build has BUILD_TAG always, and BUILD_URL when the administrator has set the server's address.
    JENKINS_URL proves nothing: people set it for `autoclave jenkins`.
    """

    name = "jenkins"

    def detect(self, environ: Mapping[str, str]) -> bool:
        """Return whether this is a build of Jenkins."""
        return bool(environ.get("BUILD_URL")) or environ.get("BUILD_TAG", "").startswith("jenkins-")

    def job(self, environ: Mapping[str, str]) -> Job:
        """Return the build's page, and the user who started it, where a plugin sets it."""
        return Job(url=environ.get("BUILD_URL", ""), user=environ.get("BUILD_USER_ID", ""))

    def console(self) -> Screen:
        """Return plain lines."""
        return PlainScreen()

    def scan_report(self, scanned: Sequence[tuple[str, ScanFacts]]) -> File | None:
        """Return None: Jenkins reads the scanner's SARIF."""

    def starter(self, version: str) -> File | None:
        """Return the Jenkinsfile that loads the shared library."""
        return File("Jenkinsfile", _STARTER.format(version=version).encode())

    def commands(self) -> tuple[Command, ...]:
        """Return the commands for a server, its jobs and builds."""
        return (
            Command("jenkins", "jenkins", "create a Jenkins job, run it, describe its builds, check plugins"),
        )
