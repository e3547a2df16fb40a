"""Write GitHub's files from the steps' options: each option is an input and an AUTOCLAVE_* variable.

    python pipelines/make_github.py            writes them
    python pipelines/make_github.py --check    exits with 1 when a file differs from what would be written

`.github/workflows/autoclave.yml` is the reusable workflow, where GitHub looks for one;
`pipelines/github/action.yml` is the action for one step in a job of one's own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from autoclave import __version__

sys.path.append(str(Path(__file__).parent))  # this file is also run by its path
from github_jobs import (
    CHECK_JOBS,
    FLOW,
    JOBS,
    OF_RELEASES,
    OUTPUTS,
    REFUSE,
    RELEASE,
    REQUEST,
    ROLLBACK_JOB,
    SECRETS,
    SUMMARY,
    Input,
    Job,
    commands,
    input_of,
    options_of,
)
from github_steps import cache, run, steps_of

ROOT = Path(__file__).parents[1]
OUTPUT_OF = {
    "digest": ("the digests of the images", "build"),
    "release": ("the digest of the release", "sign"),
}
_ABOUT = "Run one gated step of a delivery pipeline for medical-device containers"
WORKFLOW = ROOT / ".github" / "workflows" / "autoclave.yml"
ACTION = ROOT / "pipelines" / "github" / "action.yml"


def _head(what: str) -> str:
    return (
        f"# {what}, for Autoclave {__version__}.\n"
        "# Written by pipelines/make_github.py from the steps' options.\n"
        "# Values reach the steps as variables, never as text of a script. A variable of the organisation,\n"
        "# repository or environment with the same AUTOCLAVE_* name overrides an input.\n"
    )


def flow_inputs() -> list[Input]:
    """Return the inputs of the workflow: every step's, once, without what the flow itself decides."""
    found = {each.name: each for each in FLOW}
    for job in JOBS:
        for option in options_of(job):
            each = input_of(option)
            if each.name != "environment":
                found.setdefault(each.name, each)
    return list(found.values())


def action_inputs() -> list[Input]:
    """Return the inputs of the action: the step, then every option of any step, as text."""
    found = {"step": Input("step", "string", ", ".join(_choices()), required=True)}
    for job in JOBS:
        for option in options_of(job):
            each = input_of(option)
            found.setdefault(each.name, each)
    return list(found.values())


def workflow() -> str:
    """Return the reusable workflow."""
    lines = ["name: autoclave", "on:", "  workflow_call:", "    inputs:"]
    for each in flow_inputs():
        lines += [f"      {each.name}:", f"        type: {each.kind}", *_described(each.description, 8)]
        lines.append(
            "        required: true" if each.required else f"        default: {json.dumps(each.default)}"
        )
    lines.append("    secrets:")
    for secret in SECRETS:
        lines += [f"      {secret.name}:", *_described(secret.description, 8), "        required: false"]
    lines.append("    outputs:")
    for name, (text, job) in OUTPUT_OF.items():
        lines += [f"      {name}:", *_described(text, 8)]
        lines.append(f"        value: ${{{{ jobs.{job}.outputs.{name} }}}}")
    # No permissions here: a workflow that names one which its caller lacks does not start at all.
    jobs = "\n".join(_job(each) for each in (*JOBS, ROLLBACK_JOB))
    return _head("The whole flow, as a reusable workflow") + "\n".join(lines) + "\njobs:\n" + jobs


def _described(text: str, indent: int) -> list[str]:
    return [f"{' ' * indent}description: {json.dumps(text)}"]


def _job(job: Job) -> str:
    lines = [f"  {job.name}:", f"    name: autoclave {job.name}"]
    if job.takes:
        lines.append(f"    needs: [{', '.join(job.takes)}]")
    lines += [
        f"    if: {json.dumps(job.condition)}" if "'" not in job.condition else f"    if: {job.condition}",
        "    runs-on: ${{ inputs.runs-on }}",
        "    container:",
        "      image: ${{ inputs.job-image }}",
        "      options: ${{ inputs.job-user }}",
    ]
    if job.environment:
        lines.append(f"    environment: ${{{{ {job.environment} }}}}")
    if job.step == "deploy":
        # One at a time, and none is cancelled half-way.
        lines += [
            "    concurrency:",
            f"      group: autoclave-${{{{ {job.environment} }}}}",
            "      cancel-in-progress: false",
        ]
    outputs = [name for name, (_, by) in OUTPUT_OF.items() if by == job.name]
    if outputs:
        lines.append("    outputs:")
        lines += [f"      {each}: ${{{{ steps.outputs.outputs.{each} }}}}" for each in outputs]
    lines += [
        "    env:",
        *(f"      {name}: {value}" for name, value in _variables(job).items()),
        "    steps:",
    ]
    return "\n".join(lines) + "\n" + "".join(steps_of(job))


def _variables(job: Job) -> dict[str, str]:
    found = {"AUTOCLAVE_TEMPLATE": f'"{__version__}"'}
    if job.takes:
        found["AUTOCLAVE_TAKE_FROM"] = " ".join(f".autoclave/handover/{each}" for each in job.takes)
    found["AUTOCLAVE_HAND_ON"] = f".autoclave/handover/{job.hands_on}"
    if "build" in job.takes:
        found["AUTOCLAVE_DIGEST"] = "${{ needs.build.outputs.digest }}"
    if "sign" in job.takes:
        found["AUTOCLAVE_RELEASE"] = "${{ needs.sign.outputs.release }}"
    for option in options_of(job):
        found[option.variable] = _value(option.variable, option.name.replace("_", "-"), job)
    found |= {name: f"${{{{ {value} }}}}" for name, value in job.variables.items()}
    if job.step == "deploy":  # which one is the job's own matter
        found["AUTOCLAVE_ENVIRONMENT"] = f"${{{{ {job.environment} }}}}"
    found["CI_REGISTRY"] = "${{ inputs.registry }}"
    for name, otherwise in (("USER", "github.actor"), ("PASSWORD", "github.token")):
        found[f"CI_REGISTRY_{name}"] = (
            f"${{{{ {RELEASE} && secrets.AUTOCLAVE_REGISTRY_{name} || {otherwise} }}}}"
        )
    return found


def _value(variable: str, name: str, job: Job) -> str:
    """Return the expression of an option's value: the organisation's variable, else the input."""
    given = f"vars.{variable} || inputs.{name}"
    if name in {"folder", "environment"}:
        return f"${{{{ inputs.{name} }}}}"  # other keys of the workflow name them as well
    if variable == "AUTOCLAVE_STORE" and job in CHECK_JOBS:
        # `a && b || c` gives c where b is empty: each side names its own condition.
        return f"${{{{ {REQUEST} && inputs.pull-request-store || {RELEASE} && ({given}) || '' }}}}"
    if name in OF_RELEASES:
        return f"${{{{ {RELEASE} && ({given}) || '' }}}}"
    return f"${{{{ {given} }}}}"


def action() -> str:
    """Return the action for one step."""
    lines = ["name: autoclave", f"description: {_ABOUT}", "inputs:"]
    for each in action_inputs():
        lines += [f"  {each.name}:", *_described(each.description, 4)]
        # Every input of an action is text; which ones a step needs, its command says.
        text = str(each.default).lower() if isinstance(each.default, bool) else str(each.default)
        is_step = each.name == "step"
        lines.append("    required: true" if is_step else f"    default: {json.dumps(text)}")
    lines.append("outputs:")
    for name, (about, _) in OUTPUT_OF.items():
        lines += [f"  {name}:", *_described(about, 4)]
        lines.append(f"    value: ${{{{ steps.outputs.outputs.{name} }}}}")
    lines += ["runs:", "  using: composite", "  steps:"]
    steps = [
        run("refuse other events", REFUSE),
        cache("inputs.step == 'scan'"),
        run("autoclave", _script(), env=_action_variables()),
        run("outputs", OUTPUTS, name_id="outputs", env=_place()),
    ]
    # Two columns less than in a job.
    return _head("One step, as an action") + "\n".join(lines) + "\n" + "".join(map(_outdent, steps))


def _outdent(text: str) -> str:
    return "".join(line.removeprefix("  ") for line in text.splitlines(keepends=True))


def _action_variables() -> dict[str, str]:
    """Return the variables of the step: one that the job sets itself counts before an input."""
    found = {"AUTOCLAVE_TEMPLATE": f'"{__version__}"', **_place()}
    for job in JOBS:
        for option in options_of(job):
            found.setdefault(option.variable, _either(option.variable, option.name.replace("_", "-")))
    return found


def _place() -> dict[str, str]:
    return {
        "STEP": "${{ inputs.step }}",
        "AUTOCLAVE_FOLDER": _either("AUTOCLAVE_FOLDER", "folder"),
        "AUTOCLAVE_HAND_ON": ".autoclave/handover/${{ inputs.step }}",
    }


def _either(variable: str, name: str) -> str:
    return f"${{{{ env.{variable} || inputs.{name} }}}}"


def _choices() -> list[str]:
    return list(dict.fromkeys(job.step for job in JOBS))


def _script() -> str:
    """Return the commands of whichever step is named."""
    cases = ""
    for name in _choices():
        lines = "".join(f"    {line}\n" for line in commands(name).splitlines())
        cases += f"  {name})\n{lines}    ;;\n"
    wrong = f"::error::autoclave: there is no such step; use {', '.join(_choices())}"
    return (
        f"trap '{SUMMARY.strip()}' EXIT\n"
        f'case "$STEP" in\n{cases}  *)\n    echo "{wrong}"\n    exit 2\n    ;;\nesac\n'
    )


def pages() -> dict[Path, str]:
    """Return every file and its text."""
    return {WORKFLOW: workflow(), ACTION: action()}


if __name__ == "__main__":
    wrong = [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        sys.exit(f"outdated, run python pipelines/make_github.py: {wrong}" if wrong else 0)
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
