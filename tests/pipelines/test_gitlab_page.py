"""What docs/gitlab.md shows works, and what it says was run."""

from __future__ import annotations

import re

import pytest

from autoclave.hosts.gitlab import permissions
from builders.devices import ROOT, Repository
from pipelines.gitlab_local import GitLab
from pipelines.gitlab_page import PAGE, part

SNIPPETS = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet_makes_a_pipeline(gitlab: GitLab, control: Repository, snippet: str) -> None:
    pipeline = gitlab.run(control, "--list", ci=snippet)
    assert pipeline.code == 0, pipeline.log
    for job in ("build", "unit-test", "scan", "sign", "deploy-staging"):
        assert f"autoclave-{job} " in pipeline.log
    if "production" in snippet:
        (line,) = [
            line for line in pipeline.log.splitlines() if line.startswith("autoclave-deploy-hospital ")
        ]
        assert "manual" in line
        assert "false" in line  # it blocks, and may not fail


def test_every_job_of_the_table_is_in_the_templates() -> None:
    text = (ROOT / "pipelines" / "gitlab" / "autoclave-single.yml").read_text("utf-8")
    jobs = set(re.findall(r"`(autoclave-[a-z-]+)`", PAGE.read_text("utf-8")))
    assert {job for job in jobs if f"\n{job}:" not in text} == {"autoclave-deploy-staging"}
    assert "\nautoclave-deploy-$[[ inputs.staging ]]:" in text


def test_the_table_of_tokens_is_the_one_in_the_code() -> None:
    assert part("needs") == permissions.table()
