"""What the jobs on GitHub are: inputs, conditions, variables, steps. `make_github.py` writes them as YAML.

No `${{ }}` is in a script: a value reaches it as a variable, so that none can be read as a command
(docs.github.com/en/actions/concepts/security/script-injections). Actions of others are named by their commit.
"""

from __future__ import annotations

import runpy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoclave import __version__
from autoclave.cli.commands import database
from autoclave.model import steps
from autoclave.pipeline import load_module
from autoclave.runtime.options import Field, fields

_GITLAB = runpy.run_path(str(Path(__file__).parent / "gitlab_jobs.py"))
NOT_INPUTS: set[str] = _GITLAB["NOT_INPUTS"]
DATABASES: str = _GITLAB["DATABASES"]
_DEFAULTS: dict[str, str] = _GITLAB["DEFAULTS"]

# Each release by its commit: a tag can be moved. Node 24, so a runner from 2.327.1 on.
CHECKOUT = "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2"
UPLOAD = "actions/upload-artifact@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0"
DOWNLOAD = "actions/download-artifact@37930b1c2abaa49bbe596cd826c3c89aef350131 # v7.0.0"
CACHE = "actions/cache@cdf6c1fa76f9f475f3d7449005a359c84ca0f306 # v5.0.3"
UPLOAD_SARIF = "github/codeql-action/upload-sarif@99df26d4f13ea111d4ec1a7dddef6063f76b97e9 # v4.37.0"

EVENTS = ("push", "pull_request", "merge_group", "schedule", "workflow_dispatch")
"""What may start the flow. Others run with secrets on what a stranger wrote (`pull_request_target`)."""
RELEASE = (
    "(github.event_name == 'push' || github.event_name == 'workflow_dispatch') && "
    "(github.ref_type == 'tag' || github.ref_name == github.event.repository.default_branch)"
)
OF_RELEASES = ("key", "public-key", "release-key", "release-public-key")
"""Options that count on releases alone: a runner's own rights may be all that a key service requires."""
REQUEST = f"!({RELEASE})"
"""A pull request, a merge queue, another branch: nothing that was reviewed and is to be released."""
ROLLBACK = "inputs.rollback-to != ''"


@dataclass(frozen=True)
class Input:
    """One input of the workflow or of the action."""

    name: str
    kind: str
    description: str
    default: Any = ""
    required: bool = False


@dataclass(frozen=True)
class Secret:
    """One secret of the workflow, and the variable in which it ends up."""

    name: str
    description: str


@dataclass(frozen=True)
class Job:
    """One job: its step, the name of its handover, when it runs, and its variables besides the options."""

    step: str
    name: str
    options: type
    condition: str
    takes: tuple[str, ...] = ()
    environment: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ("AUTOCLAVE_KEY",)

    @property
    def hands_on(self) -> str:
        """The folder of its handover, and the end of its artifact's name."""
        return self.name


FLOW = (
    Input("staging", "string", "environment that gets every release automatically, or none", "staging"),
    Input("production", "string", "environment that gets a release when it is approved, or none", "none"),
    Input("runs-on", "string", "label of the runner", "ubuntu-latest"),
    Input(
        "job-image",
        "string",
        f"image in which the jobs run: it has Autoclave {__version__}, a docker client and the scanner; "
        "empty: the runner itself, which has them",
        f"autoclave:{__version__}",
    ),
    Input(
        "job-user",
        "string",
        "options of the job's container; the user that owns the runner's files, or root",
        "--user 0",
    ),
    Input("registry", "string", "host of the registry that the job's token or the secrets open", "ghcr.io"),
    Input(
        "pull-request-store",
        "string",
        "store of pull requests, never the release's; empty: the jobs pass a folder as artifact",
    ),
    Input(
        "build-cache",
        "string",
        "image to which releases write their layers, for pull requests to read (BuildKit); empty: no cache",
    ),
    Input("code-scanning", "boolean", "upload the findings (with the permission security-events)", False),
    Input("release-environment", "string", "environment to which the release key is scoped", "release"),
    Input("retention-days", "number", "how long GitHub keeps the jobs' artifacts", 90),
    Input("rollback-to", "string", "NAME=DIGEST of a release to go back to, held by the store; empty: none"),
    Input("rollback-in", "string", "environment in which to go back", "none"),
)  # fmt: skip
SECRETS = (
    Secret("AUTOCLAVE_KEY", "URI of the key that signs records, or the private key itself (PEM)"),
    Secret("AUTOCLAVE_RELEASE_KEY", "the same of the release key: a secret of the environment `release`"),
    Secret("AUTOCLAVE_POLICY", "the organisation's policy: the text of the file"),
    Secret("AUTOCLAVE_TRUST", "the organisation's trust file: its text, with the public keys in it"),
    Secret("AUTOCLAVE_REGISTRY_USER", "user of the registry; none: who started the run"),
    Secret("AUTOCLAVE_REGISTRY_PASSWORD", "password of the registry; none: the job's token"),
)
CHECKS = tuple(each.name for each in steps.CHECKS)


def options_of(job: Job) -> list[Field]:
    """Return the options of a job's step that are inputs."""
    return [each for each in fields(job.options) if each.name not in NOT_INPUTS]


def input_of(option: Field) -> Input:
    """Return the input of an option."""
    kind = "boolean" if option.kind is bool else "number" if option.kind in {int, float} else "string"
    default = _DEFAULTS.get(option.name, option.default if not option.multiple else "")
    text = option.description + (" (several: separated by spaces)" if option.multiple else "")
    if option.choices:
        text += f": {', '.join(option.choices)}"
    return Input(option.name.replace("_", "-"), kind, text, default, required=option.required)


def _takes(step: str) -> tuple[str, ...]:
    return tuple(each.name for each in steps.find_prerequisites(step))


def _options(step: steps.Step) -> type:
    return database.JobOptions if step.name == "scan" else load_module(step).Options


_CACHE = {
    "AUTOCLAVE_CACHE_FROM": f"{REQUEST} && inputs.build-cache || ''",
    # A release uses no layer of a cache that others can write to.
    "AUTOCLAVE_CACHE_TO": f"{RELEASE} && inputs.build-cache || ''",
}
CHECK_JOBS = tuple(
    Job(
        each.name,
        each.name,
        _options(each),
        "inputs.rollback-to == ''",
        _takes(each.name),
        variables=_CACHE if each.name == "build" else {},
    )
    for each in steps.CHECKS
)
SIGN = Job(
    "sign",
    "sign",
    _options(steps.SIGN),
    RELEASE,
    CHECKS,
    environment="inputs.release-environment",
    keys=("AUTOCLAVE_KEY", "AUTOCLAVE_RELEASE_KEY"),
)


def _deploy(environment: str) -> Job:
    return Job(
        "deploy",
        f"deploy-{environment}",
        _options(steps.DEPLOY),
        f"inputs.{environment} != 'none'",
        _takes("deploy"),
        environment=f"inputs.{environment}",
    )


JOBS = (*CHECK_JOBS, SIGN, _deploy("staging"), _deploy("production"))
ROLLBACK_JOB = Job(
    "deploy",
    "rollback",
    _options(steps.DEPLOY),
    f"{ROLLBACK} && {RELEASE}",
    environment="inputs.rollback-in",
    variables={"AUTOCLAVE_DIGEST": "inputs.rollback-to"},
)

# --- scripts: constant text, whose values are variables ---

REFUSE = f"""\
case "$GITHUB_EVENT_NAME" in
  {" | ".join(EVENTS)}) ;;
  *)
    echo "::error::autoclave: the event $GITHUB_EVENT_NAME does not start this flow: {", ".join(EVENTS)} do"
    exit 2
    ;;
esac
"""
FILES = """\
umask 077
for name in AUTOCLAVE_KEY AUTOCLAVE_RELEASE_KEY AUTOCLAVE_POLICY AUTOCLAVE_TRUST; do
  given="GIVEN_$name"
  value="${!given-}"
  case "$value" in
    "") continue ;;
    *$'\\n'*)
      printf '%s\\n' "$value" >"$RUNNER_TEMP/$name"
      value="$RUNNER_TEMP/$name"
      case "$name" in *_KEY) value="file:$value" ;; esac
      ;;
  esac
  printf '%s=%s\\n' "$name" "$value" >>"$GITHUB_ENV"
done
"""
OUTPUTS = """\
file="$AUTOCLAVE_FOLDER/$AUTOCLAVE_HAND_ON/digests.env"
if [ -f "$file" ]; then
  sed -n 's/^AUTOCLAVE_DIGEST=/digest=/p; s/^AUTOCLAVE_RELEASE=/release=/p' "$file" >>"$GITHUB_OUTPUT"
fi
"""
SUMMARY = "autoclave github summary\n"


def commands(step: str) -> str:
    """Return the commands of a step."""
    return (f"{database.JOB}\n" if step == "scan" else "") + f"autoclave {step}\n"
