"""The hosts' files are written from the steps' options: they cannot differ, and are safe by their form."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from autoclave import __version__, hosts
from autoclave.runtime.options import fields

ROOT = Path(__file__).resolve().parents[2]
GITLAB: dict[str, Any] = runpy.run_path(str(ROOT / "pipelines" / "make_gitlab.py"))
GITHUB: dict[str, Any] = runpy.run_path(str(ROOT / "pipelines" / "make_github.py"))
GITHUB_JOBS: dict[str, Any] = runpy.run_path(str(ROOT / "pipelines" / "github_jobs.py"))
WORKFLOW: dict[str, Any] = YAML(typ="safe").load(GITHUB["WORKFLOW"])
ACTION: dict[str, Any] = YAML(typ="safe").load(GITHUB["ACTION"])
STARTER_FILE = hosts.create("github").starter("0.1.0")
STARTER_TEXT = STARTER_FILE.content.decode() if STARTER_FILE else ""
STARTER: dict[str, Any] = YAML(typ="safe").load(STARTER_TEXT)
PAGE = (ROOT / "docs" / "github.md").read_text("utf-8")
COMPONENTS = ROOT / "templates"


def github_steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every step of the workflow and of the action, with the name of its job."""
    for name, job in WORKFLOW["jobs"].items():
        yield from ((name, step) for step in job["steps"])
    yield from (("action", step) for step in ACTION["runs"]["steps"])


@pytest.mark.parametrize("maker", [GITLAB, GITHUB], ids=["gitlab", "github"])
def test_the_files_are_what_the_options_say(maker: dict[str, Any]) -> None:
    for path, text in maker["pages"]().items():
        assert path.read_text("utf-8") == text, f"run python pipelines/make_*.py: {path} differs"


def test_no_file_is_left_of_a_step_that_is_gone() -> None:
    pages = {path for each in (GITLAB, GITHUB) for path in each["pages"]()}
    there = {*GITLAB["FOLDER"].iterdir(), *COMPONENTS.glob("*/*.yml"), *GITHUB["ACTION"].parent.iterdir()}
    assert there == {each for each in pages if each != GITHUB["WORKFLOW"]}


def test_a_component_is_the_template_of_its_step_and_includes_nothing() -> None:
    for folder in COMPONENTS.iterdir():
        if folder.is_dir() and folder.name != "autoclave":
            same = ROOT / "pipelines" / "gitlab" / f"{folder.name}.yml"
            assert (folder / "template.yml").read_bytes() == same.read_bytes()
    for path in COMPONENTS.glob("*/template.yml"):
        assert not re.search(r"^include:", path.read_text("utf-8"), re.MULTILINE)


def test_the_page_of_the_components_names_each_with_this_version() -> None:
    page = (COMPONENTS / "README.md").read_text("utf-8")
    named = set(
        re.findall(r"component: \$CI_SERVER_FQDN/platform/autoclave/([a-z-]+)@([0-9.]+)$", page, re.M)
    )
    headings = set(re.findall(r"^### `([a-z-]+)`$", page, re.MULTILINE))
    there = {folder.name for folder in COMPONENTS.iterdir() if folder.is_dir()}
    assert headings == there
    assert {version for _, version in named} == {__version__}
    assert {name for name, _ in named} <= there


def test_no_script_on_github_has_an_expression_in_it() -> None:
    for where, step in github_steps():
        assert "${{" not in step.get("run", ""), where


def test_actions_of_others_are_named_by_their_commit() -> None:
    used = {step["uses"] for _, step in github_steps() if "uses" in step}
    assert len(used) == 5
    for each in used:
        assert re.fullmatch(r"(actions|github)/[a-z/-]+@[0-9a-f]{40}", each), each
    text = GITHUB["WORKFLOW"].read_text("utf-8") + GITHUB["ACTION"].read_text("utf-8")
    for line in re.findall(r"uses: (.*)", text):
        assert re.search(r"@[0-9a-f]{40} # v[0-9]+\.[0-9]+\.[0-9]+$", line), line


def test_a_key_reaches_a_job_only_on_what_is_released() -> None:
    release = GITHUB_JOBS["RELEASE"]
    open_to_all = {
        "secrets.AUTOCLAVE_POLICY",
        "secrets.AUTOCLAVE_TRUST",
    }  # what gates demand, and public keys
    for job in WORKFLOW["jobs"].values():
        values = [*job["env"].values(), *(v for step in job["steps"] for v in step.get("env", {}).values())]
        for value in map(str, values):
            for secret in set(re.findall(r"secrets\.\w+", value)) - open_to_all:
                assert value.startswith(f"${{{{ {release} && {secret}"), value


@pytest.mark.parametrize("variable", ["AUTOCLAVE_KEY", "AUTOCLAVE_PUBLIC_KEY", "AUTOCLAVE_RELEASE_KEY"])
def test_the_address_of_a_key_counts_on_releases_alone(variable: str) -> None:
    name = variable.removeprefix("AUTOCLAVE_").lower().replace("_", "-")
    value = f"${{{{ {GITHUB_JOBS['RELEASE']} && (vars.{variable} || inputs.{name}) || '' }}}}"
    given = [job["env"][variable] for job in WORKFLOW["jobs"].values() if variable in job["env"]]
    assert set(given) == {value}


def test_the_release_key_reaches_the_job_that_signs_alone() -> None:
    for name, job in WORKFLOW["jobs"].items():
        held = "secrets.AUTOCLAVE_RELEASE_KEY" in str(job)
        assert held is (name == "sign"), name
        assert ("environment" in job) is (name not in {"build", "unit-test", "scan"}), name


def test_only_releases_are_signed_and_deployed() -> None:
    release = GITHUB_JOBS["RELEASE"]
    jobs = WORKFLOW["jobs"]
    assert jobs["sign"]["if"] == release
    assert release in jobs["rollback"]["if"]
    for name in ("deploy-staging", "deploy-production"):
        assert "sign" in jobs[name]["needs"]
        assert "always()" not in jobs[name]["if"]
        assert "actions/checkout" not in str(jobs[name]["steps"])


def test_every_job_but_the_first_waits_for_the_one_that_refuses_other_events() -> None:
    for name, job in WORKFLOW["jobs"].items():
        refuses = job["steps"][0].get("name") == "refuse other events"
        assert refuses or "build" in job["needs"], name


def test_only_the_callers_permissions_are_used() -> None:
    assert "permissions" not in WORKFLOW
    assert not [name for name, job in WORKFLOW["jobs"].items() if "permissions" in job]
    assert STARTER["permissions"] == {"contents": "read"}


def test_the_workflow_has_every_option_of_a_step_as_a_variable() -> None:
    for job in (*GITHUB["JOBS"], GITHUB["ROLLBACK_JOB"]):
        env = WORKFLOW["jobs"][job.name]["env"]
        for option in fields(job.options):
            name = option.name.replace("_", "-")
            if option.name in GITHUB_JOBS["NOT_INPUTS"]:
                continue
            given = env[option.variable]
            assert f"inputs.{name}" in given or name == "environment", given


def test_gitlab_and_github_take_the_same_inputs() -> None:
    """An input that only one host has is named here, with what the other one has instead."""
    gitlab = {each.name for each in GITLAB["flow_inputs"]()}
    github = {each.name for each in GITHUB["flow_inputs"]()}
    assert gitlab - github == {
        "engine-access",  # a job's container gets the runner's socket
        "artifacts-expire",  # retention-days
        "merge-request-store",  # pull-request-store
    }
    assert github - gitlab == {
        *("runs-on", "job-user"),  # tags, and the runner's own configuration
        *("rollback-to", "rollback-in"),  # variables of a pipeline
        *("registry", "code-scanning", "retention-days", "pull-request-store"),
    }


def test_the_starter_calls_the_workflow_with_inputs_that_it_has() -> None:
    job = STARTER["jobs"]["autoclave"]
    assert job["uses"] == "platform/autoclave/.github/workflows/autoclave.yml@v0.1.0"
    assert set(job["with"]) <= {each.name for each in GITHUB["flow_inputs"]()}
    assert set(STARTER["on"]) <= set(GITHUB_JOBS["EVENTS"])
    assert f"```yaml\n{STARTER_TEXT}```" in PAGE


def test_the_page_of_github_shows_workflows_with_inputs_and_secrets_that_there_are() -> None:
    inputs = {each.name for each in GITHUB["flow_inputs"]()}
    own = {each.name for each in GITHUB["action_inputs"]()}
    found = 0
    for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        for job in YAML(typ="safe").load(text).get("jobs", {}).values():
            if "uses" in job:
                found += 1
                assert set(job.get("with", {})) <= inputs
            for step in job.get("steps", ()):
                if "pipelines/github" in step.get("uses", ""):
                    found += 1
                    assert set(step["with"]) <= own
    assert found >= 3


def yaml_of(page: str) -> list[Any]:
    """Return what the blocks of YAML on a page say."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    return [YAML(typ="safe").load(each) for each in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


@pytest.mark.parametrize("page", ["gitlab.md", "gitlab-runners.md"])
def test_the_pages_of_gitlab_include_what_there_is_with_inputs_that_it_has(page: str) -> None:
    inputs = {each.name for each in GITLAB["flow_inputs"]()}
    includes = [each for block in yaml_of(page) for each in block.get("include", ())]
    assert len(includes) >= 2
    for each in includes:
        assert set(each.get("inputs", {})) <= inputs, each
        if "component" in each:
            name, _, version = each["component"].rpartition("/")[2].partition("@")
            assert (COMPONENTS / name / "template.yml").is_file()
            assert version == __version__
        else:
            assert (ROOT / each["file"].lstrip("/")).is_file()
            assert each["ref"] == f"v{__version__}"


def test_the_policy_of_the_page_lets_no_project_replace_or_skip_the_jobs() -> None:
    """Keys and values: docs.gitlab.com/user/application_security/policies/pipeline_execution_policies."""
    (policy,) = [
        each["pipeline_execution_policy"][0]
        for each in yaml_of("gitlab-runners.md")
        if "pipeline_execution_policy" in each
    ]
    assert policy["enabled"] is True
    assert policy["pipeline_config_strategy"] == "override_project_ci"
    assert policy["skip_ci"] == {"allowed": False}
    assert set(policy["content"]["include"][0]) == {"project", "file", "ref"}


def test_the_library_of_the_page_is_locked_to_this_version() -> None:
    """Names: LibraryConfiguration and SCMBasedRetriever of Jenkins' pipeline-groovy-lib plugin."""
    (block,) = yaml_of("jenkins.md")
    (library,) = block["unclassified"]["globalLibraries"]["libraries"]
    assert (library["name"], library["defaultVersion"]) == ("autoclave", f"v{__version__}")
    assert library["allowVersionOverride"] is False
    assert library["implicit"] is False
    assert (ROOT / library["retriever"]["modernSCM"]["libraryPath"] / "vars").is_dir()
