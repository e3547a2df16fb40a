"""Inputs are data: what a repository writes into its include never becomes text of a script."""

from __future__ import annotations

import functools
import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator

import pytest

from builders.devices import ROOT, Repository
from pipelines.gitlab_local import COMPONENT, TEMPLATES, VERSION, WHOLE_FLOW, GitLab

Device = Callable[[str, str], Repository]

HOSTILE = [
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned #",
    "' ; touch pwned ; '",
    '" ; touch pwned ; "',
    "${HOME}",
    "$HOME",
    "--help",
    "-v",
    "$[[ inputs.folder ]]",
    "\\",
    "%s {0} *",
]


def flow_with(**inputs: str) -> str:
    """Return a CI file that hands these inputs to the whole flow."""
    lines = [f"      {name.replace('_', '-')}: {json.dumps(value)}" for name, value in inputs.items()]
    return WHOLE_FLOW + "    inputs:\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_reaches_the_command_as_it_is(
    gitlab: GitLab, control: Repository, value: str
) -> None:
    pipeline = gitlab.run(control, "autoclave-build", ci=flow_with(policy=value))
    # A policy of that very name would be in the repository: the message quotes what arrived.
    assert pipeline.jobs == {"autoclave-build": "FAIL"}, pipeline.log
    said = pipeline.log_of("autoclave-build")
    assert f"autoclave: the policy {value} is in the device repository" in said, said
    assert list(control.folder.rglob("pwned")) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("policy", "a\nb"),
        ("folder", "../elsewhere"),
        ("folder", "/etc"),
        ("folder", "$(touch pwned)"),
        ("store", "oci://registry.example/x; touch pwned"),
        ("staging", "Staging; true"),
        ("job-image", "image && touch pwned"),
        ("engine-access", "podman"),
        ("again", "perhaps"),
    ],
)
def test_a_value_that_does_not_fit_its_input_starts_no_pipeline(
    gitlab: GitLab, control: Repository, name: str, value: str
) -> None:
    pipeline = gitlab.run(control, "autoclave-build", ci=flow_with(**{name: value}))
    assert pipeline.code != 0
    assert pipeline.jobs == {}, pipeline.log
    assert name in pipeline.log
    assert list(control.folder.rglob("pwned")) == []


def test_a_template_of_another_version_is_refused_with_both_versions(
    gitlab: GitLab, control: Repository
) -> None:
    pipeline = gitlab.run(control, "autoclave-build", AUTOCLAVE_TEMPLATE="9.8.7")
    assert pipeline.jobs == {"autoclave-build": "FAIL"}
    assert "the template is of version 9.8.7, but this is Autoclave 0.1.0" in pipeline.log_of(
        "autoclave-build"
    )


@pytest.fixture
def web() -> Iterator[str]:
    """The templates on a web server."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(ROOT / "pipelines"))
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def jobs_of(gitlab: GitLab, repository: Repository, ci: str = "") -> str:
    """Return every job, expanded: what GitLab would run."""
    done = gitlab.run(repository, "--preview", ci=ci)
    assert done.code == 0, done.log
    return done.log[done.log.index("autoclave-build:") : done.log.index("Using fallback git")]


def test_the_one_file_for_remote_is_the_same_flow(gitlab: GitLab, control: Repository, web: str) -> None:
    inputs = "    inputs: {production: hospital, verbose: true}\n"
    by_project = jobs_of(gitlab, control, WHOLE_FLOW + inputs)
    remote = f"include:\n  - remote: {web}/gitlab/autoclave-single.yml\n{inputs}"
    assert jobs_of(gitlab, control, remote) == by_project
    assert "autoclave-deploy-hospital" in by_project


def test_a_local_copy_is_the_same_flow(gitlab: GitLab, control: Repository, device: Device) -> None:
    by_project = jobs_of(gitlab, control)
    repository = device("control", "include:\n  - local: /pipelines/gitlab/autoclave.yml\n")
    for path in (ROOT / "pipelines" / "gitlab").iterdir():
        copy = repository.folder / "pipelines" / "gitlab" / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    repository.commit()
    assert jobs_of(gitlab, repository) == by_project


def test_the_component_is_the_same_flow(gitlab: GitLab, control: Repository) -> None:
    """GitLab resolves a component to `templates/NAME.yml` or `templates/NAME/template.yml` at its version."""
    inputs = "    inputs: {production: hospital, verbose: true}\n"
    by_project = jobs_of(gitlab, control, WHOLE_FLOW + inputs)
    component = f"include:\n  - component: {COMPONENT}\n{inputs}"
    assert jobs_of(gitlab, control, component) == by_project


def test_the_components_of_the_page_are_the_same_steps(gitlab: GitLab, control: Repository) -> None:
    page = (ROOT / "templates" / "README.md").read_text("utf-8")
    (steps,) = [each for each in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "/deploy@" in each]
    by_component = jobs_of(gitlab, control, steps)
    whole = jobs_of(gitlab, control, WHOLE_FLOW)
    assert re.findall(r"^autoclave-[a-z-]+:$", by_component, re.M) == [
        each
        for each in re.findall(r"^autoclave-[a-z-]+:$", whole, re.M)
        if each not in {"autoclave-report:", "autoclave-release:"} and "none" not in each
    ]


def test_one_step_alone_can_be_included(gitlab: GitLab, control: Repository) -> None:
    include = f"  - project: {TEMPLATES}\n    ref: {VERSION}\n    file: /pipelines/gitlab"
    ci = f"include:\n{include}/build.yml\n{include}/scan.yml\nstages: [build, verify]\n"
    pipeline = gitlab.run(control, ci=ci)
    assert pipeline.jobs == {"autoclave-build": "PASS", "autoclave-scan": "PASS"}, pipeline.log


def test_no_job_may_fail_and_scripts_are_the_steps_alone() -> None:
    files = [*(ROOT / "pipelines" / "gitlab").iterdir(), *(ROOT / "templates").glob("*/template.yml")]
    text = "".join(path.read_text("utf-8") for path in files)
    assert "allow_failure" not in text
    scripts = set(re.findall(r"^  script:\n((?:    .*\n)+)", text, re.MULTILINE))
    lines = {line.strip() for script in scripts for line in script.splitlines()}
    steps = {f"- autoclave {step}" for step in ("build", "unit-test", "scan", "sign", "deploy")}
    output = {
        f"- autoclave gitlab {each}" for each in ("status", "note", "deployment", "approvals", "release")
    }
    assert lines == steps | output | {"- autoclave database update --older-than 12"}
