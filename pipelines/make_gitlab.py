"""Write pipelines/gitlab/*.yml and templates/ from the steps' options: an option is an input and a variable.

    python pipelines/make_gitlab.py            writes the templates
    python pipelines/make_gitlab.py --check    exits with 1 when a template differs from what would be written

`autoclave.yml` includes one template per step. `autoclave-single.yml` is the same flow in one file, for
`include: remote`, where GitLab allows no nested `include: local`. `templates/` has the same as CI/CD
components, each in one file: a component that includes nothing depends on nothing else in its project.
"""

from __future__ import annotations

import sys
from pathlib import Path

from autoclave import __version__
from autoclave.runtime.options import Field, fields

sys.path.append(str(Path(__file__).parent))  # this file is also run by its path
from gitlab_jobs import (
    BUILD_CACHE,
    DEFAULTS,
    DEPLOY,
    ENGINES,
    EXPANDED,
    FLOW,
    HOST,
    MERGE_REQUEST_STORE,
    NOT_INPUTS,
    PLACE,
    RELEASE,
    REPORT,
    RETRY,
    ROLLBACK_RULES,
    STAGE,
    STEPS,
    TELLING,
    TEMPLATES,
    Input,
    Step,
)

FOLDER = Path(__file__).parent / "gitlab"
COMPONENTS = Path(__file__).parents[1] / "templates"
"""Where GitLab looks for a project's components (docs.gitlab.com/ci/components)."""


def inputs_of(step: Step) -> list[Input]:
    """Return a template's inputs: those of the host, then one for each option of the step."""
    own = [_input(each) for each in fields(step.options) if each.name not in NOT_INPUTS]
    early = [MERGE_REQUEST_STORE] if "merge_request_event" in step.body else []
    cache = [BUILD_CACHE] if "inputs.build-cache" in step.body else []
    return [Input("stage", "string", STAGE, step.stage), *HOST, *step.more, *early, *cache, *own]


def _input(option: Field) -> Input:
    kind = "boolean" if option.kind is bool else "number" if option.kind in {int, float} else "string"
    default = DEFAULTS.get(option.name, option.default if not option.multiple else "")
    text = option.description + (" (several: separated by spaces)" if option.multiple else "")
    name = option.name.replace("_", "-")
    choices = () if option.multiple else option.choices
    if choices and default == "":
        choices = ("", *choices)  # GitLab wants a default to be one of the options
    pattern = words_of(option.choices) if option.multiple and option.choices else ""
    return Input(name, kind, text, None if option.required else default, choices, pattern)


def words_of(choices: tuple[str, ...]) -> str:
    """Return the pattern of some of these words, or none, separated by single spaces."""
    word = f"({'|'.join(choices)})"
    return f"^({word}( {word})*)?$"


def jobs(step: Step) -> str:
    """Return the job (and for deploy its rollback) as YAML."""
    text = _job(step, step.job_name, step.body, f"{step.name}", step.takes)
    if step.name == "deploy":
        body = ROLLBACK_RULES + PLACE + RETRY
        name = step.job_name.replace("deploy", "rollback")
        text += "\n" + _job(step, name, body, "rollback", ())
    return text


def _job(step: Step, name: str, body: str, kind: str, takes: tuple[str, ...]) -> str:
    lines = [
        f"{name}:",
        "  extends: .autoclave-engine-$[[ inputs.engine-access ]]",
        # The repository chooses the runners of the job, but not its image or script.
        "  inherit:",
        "    default: [tags]",
        "  stage: $[[ inputs.stage ]]",
        "  image: $[[ inputs.job-image ]]",
        "  variables:",
        f'    AUTOCLAVE_TEMPLATE: "{__version__}"',
    ]
    if step.name == "deploy":
        # What was signed is deployed: the job needs no commit, and would use none.
        lines.append("    GIT_STRATEGY: none")
    if takes:
        lines.append(
            f'    AUTOCLAVE_TAKE_FROM: "{" ".join(f".autoclave/handover/{each}" for each in takes)}"'
        )
    if kind == "rollback":
        lines.append("    AUTOCLAVE_DIGEST: $AUTOCLAVE_ROLLBACK_TO")
    elif step.name not in TELLING:
        left = step.name if step.name != "deploy" else "deploy-$[[ inputs.environment ]]"
        lines.append(f'    AUTOCLAVE_HAND_ON: ".autoclave/handover/{left}"')
    for option in fields(step.options):
        if option.name not in NOT_INPUTS:
            lines += _variable(option)
    if "approvals" in step.tells:
        lines.append('    AUTOCLAVE_RECORD: "true"')
    script = "".join(f"    - {command}\n" for command in step.script)
    return "\n".join(lines) + f"\n  script:\n{script}" + body


def _variable(option: Field) -> list[str]:
    name = option.name.replace("_", "-")
    if option.name in EXPANDED:
        return [f'    {option.variable}: "$[[ inputs.{name} ]]"']
    if option.kind is bool:
        return [f"    {option.variable}: $[[ inputs.{name} ]]"]
    # Not expanded: a value with $ in it is a value, not the name of a variable.
    return [f"    {option.variable}:", f'      value: "$[[ inputs.{name} ]]"', "      expand: false"]


def template(step: Step) -> str:
    """Return one step's template."""
    spec = "\n".join(line for each in inputs_of(step) for line in each.spec())
    return f"{_head(f'One job, {step.name}')}spec:\n  inputs:\n{spec}\n---\n{ENGINES}\n{jobs(step)}"


def flow_inputs() -> list[Input]:
    """Return the inputs of the whole flow: every step's, once, without what the flow itself decides."""
    found: dict[str, Input] = {}
    for step in TEMPLATES:
        for each in inputs_of(step):
            if each.name not in {"stage", "environment", "when"}:
                found.setdefault(each.name, each)
    return [*FLOW, *found.values()]


def flow() -> str:
    """Return the whole flow: one include per step, every input passed on by name."""
    spec = "\n".join(line for each in flow_inputs() for line in each.spec())
    parts = [
        f"{_head('The whole flow')}spec:\n  inputs:\n{spec}\n---\n",
        "stages: [build, verify, sign, deploy]\n\ninclude:\n",
    ]
    for step, given in _include():
        parts.append(f"  - local: /pipelines/gitlab/{step.name}.yml\n    inputs:\n")
        parts += [f"      {name}: {value}\n" for name, value in given.items()]
    return "".join(parts)


def single(use: str) -> str:
    """Return the whole flow as one file, which needs no other one."""
    spec = "\n".join(line for each in flow_inputs() for line in each.spec())
    text = f"{_head(f'The whole flow in one file, for include: {use}')}spec:\n  inputs:\n{spec}\n---\n"
    text += f"stages: [build, verify, sign, deploy]\n\n{ENGINES}"
    for step, given in _include():
        body = jobs(step)
        for name, value in given.items():
            body = body.replace(f"$[[ inputs.{name} ]]", value)
        text += "\n" + body
    return text


def _include() -> list[tuple[Step, dict[str, str]]]:
    found = [(step, {"stage": step.stage} | _forward_inputs(step)) for step in STEPS]
    for environment, when in (("staging", "on_success"), ("production", "manual")):
        own = {"stage": "deploy", "environment": f"$[[ inputs.{environment} ]]", "when": when}
        found.append((DEPLOY, own | _forward_inputs(DEPLOY)))
    return found + [(step, {"stage": step.stage} | _forward_inputs(step)) for step in (REPORT, RELEASE)]


def _forward_inputs(step: Step) -> dict[str, str]:
    names = [each.name for each in inputs_of(step) if each.name not in {"stage", "environment", "when"}]
    return {name: f"$[[ inputs.{name} ]]" for name in names}


def _head(what: str) -> str:
    return (
        f"# {what}, for Autoclave {__version__}.\n"
        "# Written by pipelines/make_gitlab.py from the steps' options.\n"
        "# Values reach the steps as variables, never as text of a script. A variable of the group with the\n"
        "# same AUTOCLAVE_* name overrides an input: there an organisation pins policy and trust.\n"
    )


def pages() -> dict[Path, str]:
    """Return every template and its text."""
    found = {FOLDER / f"{step.name}.yml": template(step) for step in TEMPLATES}
    found |= {COMPONENTS / step.name / "template.yml": template(step) for step in TEMPLATES}
    found[COMPONENTS / "autoclave" / "template.yml"] = single("component")
    return found | {FOLDER / "autoclave.yml": flow(), FOLDER / "autoclave-single.yml": single("remote")}


if __name__ == "__main__":
    wrong = [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        sys.exit(f"outdated, run python pipelines/make_gitlab.py: {wrong}" if wrong else 0)
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
