"""GitLab: its jobs, its log, its report of findings. The modules here use its server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoclave.console.base import Screen
from autoclave.hosts.base import Command, File, Job
from autoclave.model.facts import ScanFacts

_STARTER = """\
include:
  - project: platform/autoclave
    ref: v{version}
    file: /pipelines/gitlab/autoclave.yml
"""


def create() -> GitLabHost:
    """Return the host."""
    return GitLabHost()


class GitLabHost:
    """A job of GitLab CI (source: docs.gitlab.com/ci/variables/predefined_variables)."""

    name = "gitlab"

    def detect(self, environ: Mapping[str, str]) -> bool:
        """Return whether this is a job of GitLab CI."""
        return environ.get("GITLAB_CI") == "true"

    def job(self, environ: Mapping[str, str]) -> Job:
        """Return the job's page, and the user who started the pipeline."""
        return Job(url=environ.get("CI_JOB_URL", ""), user=environ.get("GITLAB_USER_LOGIN", ""))

    def console(self) -> Screen:
        """Return stamped lines, with the output of tools in sections that are folded."""
        from autoclave.hosts.gitlab.console import GitLabScreen

        return GitLabScreen()

    def scan_report(self, scanned: Sequence[tuple[str, ScanFacts]]) -> File | None:
        """Return one container-scanning report of all images: GitLab takes one file from a job."""
        from autoclave.hosts.gitlab.container_scanning import merge, render

        return File(
            "gl-container-scanning.json",
            merge([render(facts, image=image) for image, facts in scanned]),
        )

    def starter(self, version: str) -> File | None:
        """Return the CI file that includes the template."""
        return File(".gitlab-ci.yml", _STARTER.format(version=version).encode())

    def commands(self) -> tuple[Command, ...]:
        """Return the commands for a project, and for all repositories of a group."""
        return (
            Command("gitlab", "gitlab", "write to a GitLab project: note, statuses, release, deployment"),
            Command(
                "fleet", "gitlab.fleet", "show which repositories of a GitLab group use Autoclave, and how"
            ),
        )
