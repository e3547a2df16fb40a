"""GitHub Actions: its jobs, its log, its summary of a job, and the file that calls the workflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoclave.console.base import Screen
from autoclave.hosts.base import Command, File, Job
from autoclave.model.facts import ScanFacts

_STARTER = """\
name: autoclave
on:
  push:
    branches: [main]
    tags: ["v*"]
  pull_request:
permissions:
  contents: read
jobs:
  autoclave:
    uses: platform/autoclave/.github/workflows/autoclave.yml@v{version}
    with:
      job-image: registry.example/autoclave:{version}
"""


def create() -> GitHubHost:
    """Return the host."""
    return GitHubHost()


class GitHubHost:
    """A job of GitHub Actions (source: docs.github.com/en/actions/reference/variables-reference)."""

    name = "github"

    def detect(self, environ: Mapping[str, str]) -> bool:
        """Return whether this is a job of GitHub Actions."""
        return environ.get("GITHUB_ACTIONS") == "true"

    def job(self, environ: Mapping[str, str]) -> Job:
        """Return the attempt's page, and the user who started it, which need not be who pushed."""
        server, repository, run = (
            environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")
        )
        if not (server and repository and run):
            return Job(user=_user(environ))
        attempt = environ.get("GITHUB_RUN_ATTEMPT", "1")
        return Job(url=f"{server}/{repository}/actions/runs/{run}/attempts/{attempt}", user=_user(environ))

    def console(self) -> Screen:
        """Return stamped lines with the output of tools in groups, and annotations for closed gates."""
        from autoclave.hosts.github.console import GitHubScreen

        return GitHubScreen()

    def scan_report(self, scanned: Sequence[tuple[str, ScanFacts]]) -> File | None:
        """Return the findings of all images as one file for code scanning."""
        from autoclave.hosts.github.code_scanning import render

        return File("github-code-scanning.sarif", render(scanned))

    def starter(self, version: str) -> File | None:
        """Return the workflow that calls ours."""
        return File(".github/workflows/autoclave.yml", _STARTER.format(version=version).encode())

    def commands(self) -> tuple[Command, ...]:
        """Return the command that writes a job's summary: it speaks to no server."""
        return (Command("github", "github", "write the verdicts to the summary of a GitHub Actions job"),)


def _user(environ: Mapping[str, str]) -> str:
    return environ.get("GITHUB_TRIGGERING_ACTOR") or environ.get("GITHUB_ACTOR", "")
