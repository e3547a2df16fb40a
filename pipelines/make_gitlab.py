"""Write pipelines/gitlab/*.yml from the steps' options: an input is an option is an AUTOCLAVE_* variable.

    python pipelines/make_gitlab.py            writes the templates
    python pipelines/make_gitlab.py --check    exits with 1 when one of them is not what would be written

`autoclave.yml` includes one template per step. `autoclave-single.yml` is the same flow in one file, for
`include: remote`, where GitLab allows no nested `include: local`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoclave import __version__, build, deploy, scan, sign, unit_test
from autoclave.commands import hosted
from autoclave.options import Field, fields

FOLDER = Path(__file__).parent / "gitlab"

# What the flow itself sets, what only makes sense at a terminal, and what is a secret's place.
_NOT_INPUTS = {
    *("digest", "take_from", "hand_on", "template", "cache_from", "cache_to"),
    *("json", "dry_run", "debug", "shell", "keep"),
    *("gitlab_url", "gitlab_project", "commit", "strict"),
}
_TELLING = ("report", "release")
# Only the address of a store may be put together from GitLab's own variables.
_EXPANDED = {"store"}
_TEXT = r"^[^\x00-\x1f\x7f]*$"
_PATTERNS = {
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

    def spec(self) -> list[str]:
        """Return the lines below `inputs:`."""
        lines = [f"    {self.name}:", f"      type: {self.kind}"]
        if self.default is not None:
            lines.append(f"      default: {json.dumps(self.default)}")
        if self.options:
            lines.append(f"      options: {json.dumps(list(self.options))}")
        elif self.kind == "string":
            lines.append(f"      regex: '{_PATTERNS.get(self.name, _TEXT)}'")
        return [*lines, f"      description: {json.dumps(self.description)}"]


@dataclass(frozen=True)
class Step:
    """One step's template: which options it has, how its job is wired."""

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
        """The commands: the step itself, then what tells GitLab about it, which changes no verdict."""
        own = () if self.name in _TELLING else (f"autoclave {self.name}",)
        return (*own, *(f"autoclave gitlab {each}" for each in self.tells))

    @property
    def job_name(self) -> str:
        """The job's name."""
        return self.job or f"autoclave-{self.name}"


HOST = (
    Input(
        "job-image",
        "string",
        f"image in which the job runs: it holds Autoclave {__version__}, a docker client and Trivy",
        f"autoclave:{__version__}",
    ),
    Input(
        "engine",
        "string",
        "socket: mounted by the runner; dind: Docker-in-Docker; remote: the DOCKER_HOST of the project",
        "socket",
        ("socket", "dind", "remote"),
    ),
    Input("artifacts-expire", "string", "how long GitLab keeps what the jobs leave", "1 year"),
)
_MERGE_REQUEST_STORE = Input(
    "merge-request-store",
    "string",
    "store of merge requests, never the release's; none: the jobs pass a folder as artifact",
)

_BUILD_CACHE = Input(
    "build-cache",
    "string",
    "image that releases leave their layers in and merge requests take them from (BuildKit); none: no cache",
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
_RETRY = """\
  retry:
    max: 2
    when: [runner_system_failure, scheduler_failure, data_integrity_failure]
"""
_ENGINES = """\
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
_LEFT = "$[[ inputs.folder ]]/.autoclave"


def _artifacts(step: str, reports: str = "") -> str:
    paths = f"      - {_LEFT}/handover/{step}\n"
    if reports:
        paths += f"      - {_LEFT}/reports\n"
        reports = f"    reports:\n{reports}"
    expire = "    expire_in: $[[ inputs.artifacts-expire ]]\n"
    return f"  artifacts:\n    when: always\n{expire}    paths:\n{paths}{reports}"


_STAGE = "stage of the job"
STEPS = (
    Step(
        "build",
        build.Options,
        "build",
        # A release takes no layer out of a cache that somebody else could have filled.
        _EARLY_RULES.replace(
            "        AUTOCLAVE_STORE:",
            '        AUTOCLAVE_CACHE_FROM: "$[[ inputs.build-cache ]]"\n        AUTOCLAVE_STORE:',
        )
        + '      variables:\n        AUTOCLAVE_CACHE_TO: "$[[ inputs.build-cache ]]"\n'
        + "  interruptible: true\n"
        + _RETRY
        + _artifacts("build", f"      dotenv: {_LEFT}/handover/build/digests.env\n"),
    ),
    Step(
        "unit-test",
        unit_test.Options,
        "verify",
        "  needs: [autoclave-build]\n"
        + _EARLY_RULES
        + "  interruptible: true\n"
        + _RETRY
        + _artifacts(
            "unit-test",
            f"      junit: {_LEFT}/reports/*/junit.xml\n"
            "      coverage_report:\n"
            "        coverage_format: cobertura\n"
            f"        path: {_LEFT}/reports/*/coverage.xml\n",
        ),
        takes=("build",),
    ),
    Step(
        "scan",
        scan.Options,
        "verify",
        "  needs: [autoclave-build]\n"
        + _EARLY_RULES
        + "  interruptible: true\n"
        + _RETRY
        + _artifacts(
            "scan",
            f"      container_scanning: {_LEFT}/reports/*/gl-container-scanning.json\n"
            f"      cyclonedx: {_LEFT}/reports/*/sbom.cdx.json\n",
        ),
        takes=("build",),
    ),
    Step(
        "sign",
        sign.Options,
        "sign",
        "  needs: [autoclave-build, autoclave-unit-test, autoclave-scan]\n"
        + _RELEASE_RULES
        # Variables scoped to this environment, the release key first, reach no other job.
        + "  environment:\n    name: $[[ inputs.release-environment ]]\n    action: access\n"
        + "  interruptible: true\n"
        + _RETRY
        + _artifacts("sign"),
        takes=("build", "unit-test", "scan"),
        more=(
            Input(
                "release-environment", "string", "environment that the release key is scoped to", "release"
            ),
        ),
    ),
)
_DEPLOY_RULES = f"""\
  rules:
    - if: '$AUTOCLAVE_ROLLBACK_TO || "$[[ inputs.environment ]]" == "none"'
      when: never
    - if: {_RELEASE}
      when: $[[ inputs.when ]]
"""
_ROLLBACK_RULES = """\
  rules:
    - if: '$AUTOCLAVE_ROLLBACK_TO && $AUTOCLAVE_ROLLBACK_IN == "$[[ inputs.environment ]]"'
      when: $[[ inputs.when ]]
"""
_PLACE = """\
  environment:
    name: $[[ inputs.environment ]]
  resource_group: autoclave-$[[ inputs.environment ]]
  interruptible: false
"""
DEPLOY = Step(
    "deploy",
    deploy.Options,
    "deploy",
    "  needs: [autoclave-build, autoclave-unit-test, autoclave-scan, autoclave-sign]\n"
    + _DEPLOY_RULES
    + _PLACE
    + _RETRY
    + _artifacts("deploy-$[[ inputs.environment ]]"),
    takes=("build", "unit-test", "scan", "sign"),
    tells=("deployment", "approvals"),
    more=(
        Input(
            "when",
            "string",
            "on_success deploys by itself, manual waits for a person",
            "manual",
            ("on_success", "manual"),
        ),
    ),
    job="autoclave-deploy-$[[ inputs.environment ]]",
)
REPORT = Step(
    "report",
    hosted.Telling,
    ".post",
    f"""\
  needs: [autoclave-build, autoclave-unit-test, autoclave-scan]
  rules:
    - if: $AUTOCLAVE_GITLAB_TOKEN == null || $AUTOCLAVE_ROLLBACK_TO
      when: never
    - if: {_MERGE_REQUEST}
      variables:
        AUTOCLAVE_STORE: "$[[ inputs.merge-request-store ]]"
      when: always
  interruptible: true
"""
    + _RETRY,
    takes=("build", "unit-test", "scan"),
    tells=("status", "note"),
)
RELEASE = Step(
    "release",
    hosted.Hosted,
    "deploy",
    "  needs: [autoclave-build, autoclave-unit-test, autoclave-scan, autoclave-sign]\n"
    "  rules:\n    - if: $AUTOCLAVE_ROLLBACK_TO\n      when: never\n    - if: $CI_COMMIT_TAG\n"
    "  interruptible: false\n" + _RETRY,
    takes=("build", "unit-test", "scan", "sign"),
    tells=("release",),
)
TEMPLATES = (*STEPS, DEPLOY, REPORT, RELEASE)
_FLOW = (
    Input("staging", "string", "environment that every release goes to by itself, or none", "staging"),
    Input("production", "string", "environment that a person releases to, or none", "none"),
)
_PATTERNS |= dict.fromkeys(("staging", "production", "release-environment"), _PATTERNS["environment"])


def inputs_of(step: Step) -> list[Input]:
    """Return a template's inputs: those of the host, then one for each option of the step."""
    own = [_input(each) for each in fields(step.options) if each.name not in _NOT_INPUTS]
    early = [_MERGE_REQUEST_STORE] if "merge_request_event" in step.body else []
    cache = [_BUILD_CACHE] if "inputs.build-cache" in step.body else []
    return [Input("stage", "string", _STAGE, step.stage), *HOST, *step.more, *early, *cache, *own]


def _input(option: Field) -> Input:
    kind = "boolean" if option.kind is bool else "number" if option.kind in {int, float} else "string"
    default = option.default if not option.multiple else ""
    text = option.description + (" (several: separated by spaces)" if option.multiple else "")
    name = option.name.replace("_", "-")
    return Input(name, kind, text, None if option.required else default)


def jobs(step: Step) -> str:
    """Return the job (and for deploy its rollback) as YAML."""
    text = _job(step, step.job_name, step.body, f"{step.name}", step.takes)
    if step.name == "deploy":
        body = _ROLLBACK_RULES + _PLACE + _RETRY
        name = step.job_name.replace("deploy", "rollback")
        text += "\n" + _job(step, name, body, "rollback", ())
    return text


def _job(step: Step, name: str, body: str, kind: str, takes: tuple[str, ...]) -> str:
    lines = [
        f"{name}:",
        "  extends: .autoclave-engine-$[[ inputs.engine ]]",
        # Which runners take the job is the repository's to say; an image or script of its own is not.
        "  inherit:",
        "    default: [tags]",
        "  stage: $[[ inputs.stage ]]",
        "  image: $[[ inputs.job-image ]]",
        "  variables:",
        f'    AUTOCLAVE_TEMPLATE: "{__version__}"',
    ]
    if takes:
        lines.append(
            f'    AUTOCLAVE_TAKE_FROM: "{" ".join(f".autoclave/handover/{each}" for each in takes)}"'
        )
    if kind == "rollback":
        lines.append("    AUTOCLAVE_DIGEST: $AUTOCLAVE_ROLLBACK_TO")
    elif step.name not in _TELLING:
        left = step.name if step.name != "deploy" else "deploy-$[[ inputs.environment ]]"
        lines.append(f'    AUTOCLAVE_HAND_ON: ".autoclave/handover/{left}"')
    for option in fields(step.options):
        if option.name not in _NOT_INPUTS:
            lines += _variable(option)
    if "approvals" in step.tells:
        lines.append('    AUTOCLAVE_RECORD: "true"')
    script = "".join(f"    - {command}\n" for command in step.script)
    return "\n".join(lines) + f"\n  script:\n{script}" + body


def _variable(option: Field) -> list[str]:
    name = option.name.replace("_", "-")
    if option.name in _EXPANDED:
        return [f'    {option.variable}: "$[[ inputs.{name} ]]"']
    if option.kind is bool:
        return [f"    {option.variable}: $[[ inputs.{name} ]]"]
    # Not expanded: a value with $ in it is a value, not the name of a variable.
    return [f"    {option.variable}:", f'      value: "$[[ inputs.{name} ]]"', "      expand: false"]


def template(step: Step) -> str:
    """Return one step's template."""
    spec = "\n".join(line for each in inputs_of(step) for line in each.spec())
    return f"{_head(f'One job, {step.name}')}spec:\n  inputs:\n{spec}\n---\n{_ENGINES}\n{jobs(step)}"


def flow_inputs() -> list[Input]:
    """Return the inputs of the whole flow: every step's, once, without what the flow itself decides."""
    found: dict[str, Input] = {}
    for step in TEMPLATES:
        for each in inputs_of(step):
            if each.name not in {"stage", "environment", "when"}:
                found.setdefault(each.name, each)
    return [*_FLOW, *found.values()]


def flow() -> str:
    """Return the whole flow: one include per step, every input handed on by name."""
    spec = "\n".join(line for each in flow_inputs() for line in each.spec())
    parts = [
        f"{_head('The whole flow')}spec:\n  inputs:\n{spec}\n---\n",
        "stages: [build, verify, sign, deploy]\n\ninclude:\n",
    ]
    for step, given in _included():
        parts.append(f"  - local: /pipelines/gitlab/{step.name}.yml\n    inputs:\n")
        parts += [f"      {name}: {value}\n" for name, value in given.items()]
    return "".join(parts)


def single() -> str:
    """Return the whole flow as one file."""
    spec = "\n".join(line for each in flow_inputs() for line in each.spec())
    text = f"{_head('The whole flow in one file, for include: remote')}spec:\n  inputs:\n{spec}\n---\n"
    text += f"stages: [build, verify, sign, deploy]\n\n{_ENGINES}"
    for step, given in _included():
        body = jobs(step)
        for name, value in given.items():
            body = body.replace(f"$[[ inputs.{name} ]]", value)
        text += "\n" + body
    return text


def _included() -> list[tuple[Step, dict[str, str]]]:
    found = [(step, {"stage": step.stage} | _handed(step)) for step in STEPS]
    for environment, when in (("staging", "on_success"), ("production", "manual")):
        own = {"stage": "deploy", "environment": f"$[[ inputs.{environment} ]]", "when": when}
        found.append((DEPLOY, own | _handed(DEPLOY)))
    return found + [(step, {"stage": step.stage} | _handed(step)) for step in (REPORT, RELEASE)]


def _handed(step: Step) -> dict[str, str]:
    names = [each.name for each in inputs_of(step) if each.name not in {"stage", "environment", "when"}]
    return {name: f"$[[ inputs.{name} ]]" for name in names}


def _head(what: str) -> str:
    return (
        f"# {what}, for Autoclave {__version__}.\n"
        "# Written by pipelines/make_gitlab.py from the steps' options.\n"
        "# Values reach the steps as variables, never as text of a script. A variable of the group with the\n"
        "# same AUTOCLAVE_* name wins over an input: there an organisation pins policy and trust.\n"
    )


def pages() -> dict[Path, str]:
    """Return every template and its text."""
    found = {FOLDER / f"{step.name}.yml": template(step) for step in TEMPLATES}
    return found | {FOLDER / "autoclave.yml": flow(), FOLDER / "autoclave-single.yml": single()}


if __name__ == "__main__":
    wrong = [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        sys.exit(f"not as written from the options: {wrong}" if wrong else 0)
    for path, text in pages().items():
        path.write_text(text, "utf-8")
