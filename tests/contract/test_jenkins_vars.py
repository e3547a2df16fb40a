"""The Jenkins library is written from the steps' options, so that the two cannot differ."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MADE: dict[str, Any] = runpy.run_path(str(ROOT / "pipelines" / "make_jenkins.py"))
GITLAB: dict[str, Any] = runpy.run_path(str(ROOT / "pipelines" / "make_gitlab.py"))
LIBRARY = ROOT / "pipelines" / "jenkins"


def test_key_table_and_help_pages_are_what_the_options_say() -> None:
    for path, text in MADE["pages"]().items():
        assert path.read_text("utf-8") == text, f"run python pipelines/make_jenkins.py: {path.name} differs"


def test_every_variable_has_a_help_page_and_no_other_file_is_there() -> None:
    names = {var.name for var in MADE["VARS"]} | {"autoclavePipeline"}
    assert {path.name for path in (LIBRARY / "vars").iterdir()} == {
        f"{name}.{end}" for name in names for end in ("groovy", "txt")
    }


def test_keys_of_jenkins_are_the_inputs_of_gitlab() -> None:
    inputs = {step.name: step for step in GITLAB["TEMPLATES"]}
    for var in MADE["VARS"]:
        step = inputs[var.step]
        options = {each.name for each in GITLAB["fields"](step.options)}
        there = {each.name for each in GITLAB["inputs_of"](step) if each.name.replace("-", "_") in options}
        here = {
            re.sub("([A-Z])", r"-\1", each.name).lower() for each in MADE["keys_of"](var) if each.variable
        }
        assert here == there, var.name


def test_scripts_are_the_steps_alone_and_nothing_is_interpolated() -> None:
    sources = {path: path.read_text("utf-8") for path in LIBRARY.rglob("*.groovy")}
    text = "".join(sources.values())
    assert re.findall(r"\.sh\(([^)]*)\)", text) == ["script: command, label: command"]
    commands = re.findall(r"'(autoclave [a-z0-9 &-]+)'", text)
    own = {f"autoclave {var.step}" for var in MADE["VARS"]}
    assert set(commands) == own - {"autoclave scan"} | {
        "autoclave database update --older-than 12 && autoclave scan"
    }
    # Nothing is put together from a value but the name of a variable that is read.
    assert set(re.findall(r'"[^"\n]*\$\{?[^"\n]*"', text)) == {
        '"${variables[names[i]]}"', '"${variable}"', '"${variables[i] + \'_FILE\'}"',
    }  # fmt: skip
    assert "catchError" not in text
    assert "returnStatus" not in text


def test_regular_expressions_stay_in_pure_functions() -> None:
    for name in ("Step", "Flow"):
        text = (LIBRARY / f"src/dev/autoclave/{name}.groovy").read_text("utf-8")
        assert "=~" not in text
        assert "@NonCPS" not in text
    call = (LIBRARY / "src/dev/autoclave/Call.groovy").read_text("utf-8")
    assert call.count("@NonCPS") == len(
        re.findall(r"^    (?:private )?static (?!final)\S.*\{", call, re.MULTILINE)
    )
    assert "script." not in call


def test_the_page_lists_every_credential_and_which_of_them_a_pull_request_never_sees() -> None:
    page = (ROOT / "docs" / "jenkins.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", page, re.MULTILINE))
    assert set(rows) == {each.name for each in MADE["CREDENTIALS"]}
    never = {name for name, bound in rows.items() if "no pull request" in bound or bound == "sign"}
    assert never == set(MADE["_OF_RELEASES"])
