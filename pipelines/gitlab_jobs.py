"""What the GitLab jobs are: inputs, scripts, rules, artifacts. `make_gitlab.py` writes them as YAML."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from autoclave import __version__, scanners
from autoclave.cli.commands import database
from autoclave.cli.commands.gitlab import shared
from autoclave.model import steps
from autoclave.pipeline import load_module

# Options that the flow itself sets, that are for a terminal, or that name a secret's place.
NOT_INPUTS = {
    *("digest", "release", "take_from", "hand_on", "template", "cache_from", "cache_to"),
    *("json", "dry_run", "debug", "shell", "keep", "worktree"),
    "secrets",  # where a machine has them is for its owner to say, by AUTOCLAVE_SECRETS
    *("gitlab_url", "gitlab_project", "commit", "strict"),
}
TELLING = ("report", "release")
DATABASES = ".autoclave-database"
"""Where jobs keep the scanners' databases: below the workspace, since hosts keep no other folder."""
# Options whose default in a job is not the one on a person's machine.
DEFAULTS = {"scanner_cache": ",".join(f"{each}={DATABASES}/{each}" for each in scanners.names())}
# Only the address of a store may contain GitLab's own variables.
EXPANDED = {"store"}
TEXT = r"^[^\x00-\x1f\x7f]*$"
PATTERNS = {
    "folder": r"^(\.|[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)$",
    "store": r"^(oci(\+http)?://[A-Za-z0-9$._:/-]+)?$",
    "merge-request-store": r"^(oci(\+http)?://[A-Za-z0-9$._:/-]+)?$",
    "build-cache": r"^([A-Za-z0-9$._:/-]+:[A-Za-z0-9$._-]+)?$",
    "environment": r"^[a-z0-9]+(-[a-z0-9]+)*$",
    "stage": r"^[A-Za-z0-9._-]+( [A-Za-z0-9._-]+)*$",
    "job-image": r"^[A-Za-z0-9$._:/@-]+$",
    "artifacts-expire": r"^[a-z0-9 ]+$",
}


@dataclass(frozen=True)
class Input:
    """One input of a template: its YAML `spec` and nothing else."""

    name: str
    kind: str
    description: str
    default: Any = ""
    options: tuple[str, ...] = ()
    pattern: str = ""

    def spec(self) -> list[str]:
        """Return the lines below `inputs:`."""
        lines = [f"    {self.name}:", f"      type: {self.kind}"]
        if self.default is not None:
            lines.append(f"      default: {json.dumps(self.default)}")
        if self.options:
            lines.append(f"      options: {json.dumps(list(self.options))}")
        elif self.kind == "string":
            lines.append(f"      regex: '{self.pattern or PATTERNS.get(self.name, TEXT)}'")
        return [*lines, f"      description: {json.dumps(self.description)}"]


@dataclass(frozen=True)
class Step:
    """One step's template: its options, and the rules, needs and artifacts of its job."""

    name: str
    options: type
    stage: str
    body: str
    takes: tuple[str, ...] = ()
    more: tuple[Input, ...] = field(default=())
    job: str = ""
    tells: tuple[str, ...] = ()

    @property
    def script(self) -> tuple[str, ...]:
        """The commands: the step itself, then those that report to GitLab, which change no verdict."""
        own = () if self.name in TELLING else (f"autoclave {self.name}",)
        own = (*((database.JOB,) if self.name == "scan" else ()), *own)
        return (*own, *(f"autoclave gitlab {each}" for each in self.tells))

    @property
    def job_name(self) -> str:
        """The job's name."""
        return self.job or f"autoclave-{self.name}"


HOST = (
    Input(
        "job-image",
        "string",
        f"image in which the job runs: it has Autoclave {__version__}, a docker client and the scanner",
        f"autoclave:{__version__}",
    ),
    Input(
        "engine-access",
        "string",
        "socket: mounted by the runner; dind: Docker-in-Docker; remote: the DOCKER_HOST of the project",
        "socket",
        ("socket", "dind", "remote"),
    ),
    Input("artifacts-expire", "string", "how long GitLab keeps the jobs' artifacts", "1 year"),
)
MERGE_REQUEST_STORE = Input(
    "merge-request-store",
    "string",
    "store of merge requests, never the release's; empty: the jobs pass a folder as artifact",
)

BUILD_CACHE = Input(
    "build-cache",
    "string",
    "image to which releases write their layers, for merge requests to read (BuildKit); empty: no cache",
)

_RELEASE = "$CI_COMMIT_TAG || $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"
_MERGE_REQUEST = '$CI_PIPELINE_SOURCE == "merge_request_event"'

_EARLY_RULES = f"""\
  rules:
    - if: $AUTOCLAVE_ROLLBACK_TO
      when: never
    - if: {_MERGE_REQUEST}
      variables:
        AUTOCLAVE_STORE: "$[[ inputs.merge-request-store ]]"
    - if: {_RELEASE}
"""
_RELEASE_RULES = f"""\
  rules:
    - if: $AUTOCLAVE_ROLLBACK_TO
      when: never
    - if: {_RELEASE}
"""
RETRY = """\
  retry:
    max: 2
    when: [runner_system_failure, scheduler_failure, data_integrity_failure]
"""
ENGINES = """\
.autoclave-engine-socket:
  variables: {}

.autoclave-engine-dind:
  services:
    - name: docker:28-dind
      alias: docker
  variables:
    DOCKER_HOST: tcp://docker:2376
    DOCKER_TLS_CERTDIR: /certs
    DOCKER_TLS_VERIFY: "1"
    DOCKER_CERT_PATH: /certs/client

# DOCKER_HOST, and the paths of its certificates, are variables of the project or group.
.autoclave-engine-remote:
  variables: {}
"""
# GitLab keeps one cache for protected branches, and another one for all others (docs.gitlab.com/ci/caching).
_DATABASE_CACHE = f"""\
  cache:
    key: autoclave-database
    when: always
    paths:
      - {DATABASES}
"""
_LEFT = "$[[ inputs.folder ]]/.autoclave"


def _artifacts(step: str, reports: str = "") -> str:
    paths = f"      - {_LEFT}/handover/{step}\n"
    if reports:
        paths += f"      - {_LEFT}/reports\n"
        reports = f"    reports:\n{reports}"
    expire = "    expire_in: $[[ inputs.artifacts-expire ]]\n"
    return f"  artifacts:\n    when: always\n{expire}    paths:\n{paths}{reports}"


STAGE = "stage of the job"
# What GitLab shows of what a step leaves in its reports.
_REPORTS = {
    "build": f"      dotenv: {_LEFT}/handover/build/digests.env\n",
    "unit-test": f"      junit: {_LEFT}/reports/*/junit*.xml\n"
    "      coverage_report:\n"
    "        coverage_format: cobertura\n"
    f"        path: {_LEFT}/reports/*/coverage.xml\n",
    "scan": f"      container_scanning: {_LEFT}/reports/gl-container-scanning.json\n"
    f"      cyclonedx: {_LEFT}/reports/**/sbom.cdx.json\n",
}
# A release uses no layer of a cache that others can write to.
_BUILD_RULES = (
    _EARLY_RULES.replace(
        "        AUTOCLAVE_STORE:",
        '        AUTOCLAVE_CACHE_FROM: "$[[ inputs.build-cache ]]"\n        AUTOCLAVE_STORE:',
    )
    + '      variables:\n        AUTOCLAVE_CACHE_TO: "$[[ inputs.build-cache ]]"\n'
)
CHECKS = tuple(each.name for each in steps.CHECKS)


def _needs(names: tuple[str, ...]) -> str:
    return f"  needs: [{', '.join(f'autoclave-{each}' for each in names)}]\n" if names else ""


def _takes(step: str) -> tuple[str, ...]:
    return tuple(each.name for each in steps.find_prerequisites(step))


def _check(step: steps.Step) -> Step:
    """Return the template of a step that merge requests run as well."""
    takes = _takes(step.name)
    return Step(
        step.name,
        database.JobOptions if step.name == "scan" else load_module(step).Options,
        "verify" if takes else "build",
        _needs(takes)
        + (_BUILD_RULES if step.name == "build" else _EARLY_RULES)
        + "  interruptible: true\n"
        + RETRY
        + (_DATABASE_CACHE if step.name == "scan" else "")
        + _artifacts(step.name, _REPORTS.get(step.name, "")),
        takes=takes,
    )


SIGN = Step(
    "sign",
    load_module(steps.SIGN).Options,
    "sign",
    _needs(CHECKS)
    + _RELEASE_RULES
    # Variables scoped to this environment, such as the release key, reach no other job.
    + "  environment:\n    name: $[[ inputs.release-environment ]]\n    action: access\n"
    + "  interruptible: true\n"
    + RETRY
    # The digest of the release, which the deploy jobs take as a variable.
    + _artifacts("sign", f"      dotenv: {_LEFT}/handover/sign/digests.env\n"),
    takes=CHECKS,
    more=(
        Input("release-environment", "string", "environment to which the release key is scoped", "release"),
    ),
)
STEPS = (*map(_check, steps.CHECKS), SIGN)
_DEPLOY_RULES = f"""\
  rules:
    - if: '$AUTOCLAVE_ROLLBACK_TO || "$[[ inputs.environment ]]" == "none"'
      when: never
    - if: {_RELEASE}
      when: $[[ inputs.when ]]
"""
ROLLBACK_RULES = """\
  rules:
    - if: '$AUTOCLAVE_ROLLBACK_TO && $AUTOCLAVE_ROLLBACK_IN == "$[[ inputs.environment ]]"'
      when: $[[ inputs.when ]]
"""
PLACE = """\
  environment:
    name: $[[ inputs.environment ]]
  resource_group: autoclave-$[[ inputs.environment ]]
  interruptible: false
"""
DEPLOY = Step(
    "deploy",
    load_module(steps.DEPLOY).Options,
    "deploy",
    _needs(_takes("deploy")) + _DEPLOY_RULES + PLACE + RETRY + _artifacts("deploy-$[[ inputs.environment ]]"),
    takes=_takes("deploy"),
    tells=("deployment", "approvals"),
    more=(
        Input(
            "when",
            "string",
            "on_success deploys automatically, manual waits for a person",
            "manual",
            ("on_success", "manual"),
        ),
    ),
    job="autoclave-deploy-$[[ inputs.environment ]]",
)
REPORT = Step(
    "report",
    shared.ReportOptions,
    ".post",
    _needs(CHECKS)
    + f"""\
  rules:
    - if: $AUTOCLAVE_GITLAB_TOKEN == null || $AUTOCLAVE_ROLLBACK_TO
      when: never
    - if: {_MERGE_REQUEST}
      variables:
        AUTOCLAVE_STORE: "$[[ inputs.merge-request-store ]]"
      when: always
  interruptible: true
"""
    + RETRY,
    takes=CHECKS,
    tells=("status", "note"),
)
RELEASE = Step(
    "release",
    shared.ProjectOptions,
    "deploy",
    _needs((*CHECKS, "sign"))
    + "  rules:\n    - if: $AUTOCLAVE_ROLLBACK_TO\n      when: never\n    - if: $CI_COMMIT_TAG\n"
    "  interruptible: false\n" + RETRY,
    takes=(*CHECKS, "sign"),
    tells=("release",),
)
TEMPLATES = (*STEPS, DEPLOY, REPORT, RELEASE)
FLOW = (
    Input("staging", "string", "environment that gets every release automatically, or none", "staging"),
    Input("production", "string", "environment that gets a release when a person starts it, or none", "none"),
)
PATTERNS |= dict.fromkeys(("staging", "production", "release-environment"), PATTERNS["environment"])
