"""One workflow gives a repository on GitHub what `autoclave run` gives on a laptop, run by act."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builders import real_trivy
from builders.devices import KNOWN_BAD, ROOT, Repository, copy_device
from builders.flow import make_keys
from pipelines import github_act, own_project
from pipelines.github_act import Run, call
from pipelines.gitlab_local import records
from worker_results import report

pytestmark = pytest.mark.timeout(1200)
HERE = {"job_image": "", "job_user": ""}
SECRET = "s3cret-of-the-organisation-0815"
PAGE = (ROOT / "docs" / "github.md").read_text("utf-8")
CHECKS = {"build", "unit-test", "scan"}
Make = Callable[[str], Repository]


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Make]:
    """Make a repository of a known-bad device, or of the good one, `control`."""
    made: list[Repository] = []

    def make(sample: str) -> Repository:
        repository = copy_device(KNOWN_BAD / sample, tmp_path / f"{len(made)}", name=f"t-act-{sample}"[:40])
        subprocess.run(["git", "-C", str(repository.folder), "branch", "-M", "main"], check=True)
        made.append(repository)
        return repository

    yield make
    for repository in made:
        repository.remove()


def succeeded(run: Run) -> set[str]:
    return {name for name, result in run.jobs.items() if result == "success"} - {"autoclave"}


def organisation(folder: Path) -> tuple[str, str, str]:
    """Return an organisation's private keys, and its trust file with the public ones as text."""
    make_keys(folder)
    trust = (folder / "trust.toml").read_text("utf-8")
    for public in folder.glob("*.pub"):
        trust = trust.replace(f'"{public.name}"', f'"""\n{public.read_text("utf-8")}"""')
    return (folder / "steps.pem").read_text("utf-8"), (folder / "release.pem").read_text("utf-8"), trust


def test_a_release_goes_from_the_commit_to_staging(device: Make, tmp_path: Path) -> None:
    repository = device("control")
    steps, release, trust = organisation(tmp_path / "organisation")
    secrets = {"AUTOCLAVE_KEY": steps, "AUTOCLAVE_RELEASE_KEY": release, "AUTOCLAVE_TRUST": trust}
    secrets["AUTOCLAVE_REGISTRY_PASSWORD"] = SECRET
    run = github_act.run(tmp_path / "act", repository, call(**HERE, code_scanning="true"), secrets=secrets)
    assert succeeded(run) == {*CHECKS, "sign", "deploy-staging"}, run.log
    made = records(run.artifact("autoclave-deploy-staging") / "store")
    assert all(made[step]["passed"] for step in ("sign", "deploy")), made
    assert [each.status for each in repository.containers()] == ["running"]
    # The keys were the organisation's, and neither they nor a password is in any log.
    assert "development" not in run.logs["sign"]
    assert SECRET not in run.log
    assert base64.b64encode(SECRET.encode()).decode() not in run.log
    assert steps.splitlines()[1] not in run.log
    # What GitHub shows of it.
    assert json.loads((run.folder / "code-scanning.json").read_text()) == ["autoclave/app/trivy"]
    assert "h old" in run.logs["scan"]
    assert (run.artifact("autoclave-reports-unit-test") / "app").is_dir()
    size = sum(each.stat().st_size for each in run.artifact("autoclave-build").rglob("*") if each.is_file())
    report(
        f"GitHub's workflow under act: {', '.join(sorted(run.jobs))}; handover of the build {size:,} bytes"
    )


@pytest.fixture
def image(tmp_path: Path) -> Iterator[str]:
    """The step image, of the layers that the tests of our own pipelines build too."""
    with own_project.step_image(tmp_path / "image") as tag:
        yield tag


def test_jobs_in_the_step_image_fetch_the_database_and_keep_it(
    device: Make, image: str, tmp_path: Path
) -> None:
    """As on GitHub's own runners: each job in a container of its own, as root, with the engine's socket."""
    repository, folder = device("control"), tmp_path / "act"
    kept = github_act.kept_folder(folder)
    saved = repository.run("database", "update", "--from", "none", "--save", str(kept / "mirror.tar.gz"))
    assert saved.code == 0, saved.err
    inputs = {"job_image": image, "job_user": f"--user 0 --volume {kept}:{kept}"}
    variables = {"AUTOCLAVE_DATABASE_FROM": f"{kept}/mirror.tar.gz"}
    workflow = call(**inputs)
    run = github_act.run(folder, repository, workflow, variables=variables)
    assert succeeded(run) == {*CHECKS, "sign", "deploy-staging"}, run.log
    assert re.search(r"trivy: of \d{4}-\d\d-\d\d \d\d:\d\d UTC, [\d.]+ h old", run.logs["scan"])
    (cache,) = (kept / "caches").iterdir()
    assert (cache / "trivy" / "db" / "trivy.db").is_file()
    # Nothing but the handover passes from container to container.
    made = records(run.artifact("autoclave-deploy-staging") / "store")
    assert all(made[step]["passed"] for step in ("sign", "deploy")), made
    report(f"GitHub's workflow under act, in the step image: {', '.join(sorted(succeeded(run)))}")


def test_the_action_runs_one_step_after_the_other_in_a_job(device: Make, tmp_path: Path) -> None:
    """The job of the page, on the machine itself: variables of the job count before the action's inputs."""
    (text,) = [each for each in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "step: build" in each]
    image = re.search(r" +container:\n +image: .*\n +options: .*\n", text)
    assert image
    env = json.dumps(real_trivy.job_settings())
    run = github_act.run(tmp_path / "act", device("control"), text.replace(image[0], f"    env: {env}\n"))
    assert run.jobs == {"check": "success"}, run.log
    for step in ("build", "unit-test", "scan"):
        assert re.search(rf"{step} +✔ passed app", run.log), run.log
    assert run.log.count("written to the summary of this job") == 3
    assert "h old" in run.log


def test_a_closed_gate_ends_the_flow_with_its_exit_code(device: Make, tmp_path: Path) -> None:
    run = github_act.run(tmp_path / "act", device("vulnerable-package"), call(**HERE))
    assert run.jobs["scan"] == "failure"
    assert "exit status 23" in run.log or "exitcode '23'" in run.log, run.log
    assert "::error title=autoclave scan::" in run.logs["scan"] or "CLOSED" in run.logs["scan"]
    assert not {"sign", "deploy-staging"} & succeeded(run)
    # The findings of a closed gate are kept.
    assert (run.artifact("autoclave-reports-scan") / "github-code-scanning.sarif").is_file()


def test_a_pull_request_gets_no_key_and_releases_nothing(device: Make, tmp_path: Path) -> None:
    title = '"; touch "$HOME/injected"; echo "'
    payload = {
        "pull_request": {"title": title, "body": "$(touch $HOME/injected)", "head": {"ref": "a`id`b"}},
        "action": "opened",
    }
    # Each of them would end the step that got it.
    secrets = {
        "AUTOCLAVE_KEY": "file:/nonexistent/key.pem",
        "AUTOCLAVE_RELEASE_KEY": "file:/nonexistent/key.pem",
    }
    run = github_act.run(
        tmp_path / "act", device("control"), call(**HERE, store="oci://127.0.0.1:1/never"),
        event="pull_request", payload=payload, secrets=secrets,
    )  # fmt: skip
    assert succeeded(run) == CHECKS, run.log
    assert not (tmp_path / "act" / "home" / "injected").exists()


@pytest.mark.parametrize("event", ["pull_request_target"])
def test_an_event_that_brings_secrets_and_strangers_together_is_refused(
    event: str, device: Make, tmp_path: Path
) -> None:
    run = github_act.run(tmp_path / "act", device("control"), call(**HERE), event=event)
    assert run.code != 0
    assert succeeded(run) == set()
    assert "does not start this flow" in run.log
