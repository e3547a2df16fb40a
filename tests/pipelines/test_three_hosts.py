"""The sample device on a laptop, and on the three CI hosts: the same plans, digest and verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from builders import real_trivy
from builders.devices import SAMPLE, Repository, copy_device, git
from pipelines import github_act, jenkins_unit
from pipelines.gitlab_local import WHOLE_FLOW, GitLab, records
from pipelines.jenkins_unit import IMPORT, Scenario
from worker_results import report

pytestmark = pytest.mark.timeout(1800)  # whole pipelines, on a machine that others use too
HOSTS = ("laptop", "GitLab", "GitHub", "Jenkins")
CHECKOUT = "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd"
PLAN = "\nplan:\n  stage: build\n  script: [autoclave plan]\n"
JENKINSFILE = IMPORT + "node {\n  checkout scm\n  sh 'autoclave plan'\n}\nautoclavePipeline()\n"
SAME = ("digest", "passed", "reasons", "policy", "safetyClass", "device", "deviceVersion", "image")


@dataclass
class Walked:
    """What a host made of the commit: the hash over all plans, and what each record says."""

    plan: str
    made: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def walked(gitlab: GitLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Walked]]:
    """One commit of the pulse oximeter, brought from source to staging by every host for itself."""
    folder = tmp_path_factory.mktemp("three")
    repository = copy_device(SAMPLE, folder, name="t-three-hosts")
    gitlab.device(repository, WHOLE_FLOW + PLAN)
    try:
        yield {
            "GitLab": _gitlab(gitlab, repository),
            "GitHub": _github(repository, tmp_path_factory),
            "Jenkins": _jenkins(repository, tmp_path_factory),
            "laptop": _laptop(repository, tmp_path_factory),
        }
    finally:
        repository.remove()


def _gitlab(gitlab: GitLab, repository: Repository) -> Walked:
    pipeline = gitlab.run(repository)
    assert pipeline.code == 0, pipeline.log
    store = pipeline.handover_folder("autoclave-deploy-staging", "deploy-staging") / "store"
    done = Walked(_plan(pipeline.log_of("plan")), records(store))
    repository.remove()  # the next host finds nothing running
    return done


def _github(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    folder = tmp_path_factory.mktemp("github")
    git(folder, "clone", "-q", "-b", "main", str(repository.folder), "clone")
    clone = Repository(folder / "clone", folder / "home", repository.port)
    run = github_act.run(folder, clone, _workflow())
    assert run.jobs["deploy-staging"] == "success", run.log
    done = Walked(_plan(run.logs["plan"]), records(run.artifact("autoclave-deploy-staging") / "store"))
    repository.remove()
    return done


def _workflow() -> str:
    """Return the one call of our workflow, beside a job that prints the plan."""
    job = {
        "runs-on": "ubuntu-latest",
        "env": real_trivy.job_settings(),
        "steps": [{"uses": CHECKOUT}, {"run": "autoclave plan"}],
    }
    called = github_act.call(job_image="", job_user="")
    return called.replace("jobs:\n", f"jobs:\n  plan: {json.dumps(job)}\n")


def _jenkins(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    (build,) = jenkins_unit.run(tmp_path_factory.mktemp("jenkins"), Scenario(repository, JENKINSFILE))
    assert build.said["result"] == "SUCCESS", build.log
    store = build.folder / "stashes/autoclave-deploy-staging/deploy-staging/store"
    done = Walked(_plan(build.log), records(store))
    repository.remove()
    return done


def _laptop(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    folder = tmp_path_factory.mktemp("laptop")
    git(folder, "clone", "-q", str(repository.folder), "clone")
    laptop = Repository(folder / "clone", folder / "home", repository.port)
    planned = laptop.run("plan")
    done = laptop.run("run", "--environment", "staging")
    assert (planned.code, done.code) == (0, 0), planned.err + done.err
    return Walked(_plan(planned.out), records(laptop.store))


def _plan(text: str) -> str:
    (line,) = [line.strip() for line in text.splitlines() if line.strip().startswith("plan sha256:")]
    return line


def test_the_plan_has_one_hash(walked: dict[str, Walked]) -> None:
    assert len({each.plan for each in walked.values()}) == 1
    report(f"a laptop and three hosts, whole {walked['laptop'].plan}")


@pytest.mark.parametrize("step", ["build", "unit-test", "scan", "sign", "deploy"])
def test_digest_verdict_and_inputs_of_a_step_are_the_same(walked: dict[str, Walked], step: str) -> None:
    made = {host: walked[host].made[step] for host in HOSTS}
    for key in SAME:
        assert len({str(each[key]) for each in made.values()}) == 1, key
    # The release gate's own inputs name the very records that it read, which are each host's own.
    if step != "sign":
        assert len({each["inputs"] for each in made.values()}) == 1
    cells = [
        f"{host} {'passed' if each['passed'] else 'CLOSED'} {each['digest'][7:17]} by {each['inputs'][7:17]}"
        for host, each in made.items()
    ]
    report(f"{step:<9} {' | '.join(cells)}")
