"""The reference page says what the code says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from autoclave.cli.main import commands, groups

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_page_is_made_from_this_code() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))
    assert made["PAGE"].read_text("utf-8") == made["page"](), "run: python docs/make_reference.py"


def test_the_device_file_s_page_is_made_from_its_types() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_device_file.py"))
    assert made["PAGE"].read_text("utf-8") == made["page"](), "run: python docs/make_device_file.py"


def test_every_command_of_the_table_is_on_the_page_with_its_options() -> None:
    page = (ROOT / "docs" / "reference.md").read_text("utf-8")
    listed = re.findall(r"^\| `autoclave (\S+)` \|", page, re.MULTILINE)
    assert listed == list(commands())
    described = re.findall(r"^### Options of (\S+)", page, re.MULTILINE)
    assert list(dict.fromkeys(described)) == list(commands())


def test_the_page_has_the_groups_of_the_help() -> None:
    page = (ROOT / "docs" / "reference.md").read_text("utf-8")
    for title, group in groups().items():
        section = page.partition(f"\n## Options: {title}\n")[2].partition("\n## ")[0]
        assert set(re.findall(r"^### Options of (\S+)", section, re.MULTILINE)) == set(group), title


@pytest.mark.parametrize(
    ("command", "flag"),
    [("verify", "--warn-days"), ("init", "--host"), ("seal", "--tsa"), ("gitlab note", "--merge-request")],
)
def test_a_command_s_options_are_in_its_section(command: str, flag: str) -> None:
    page = (ROOT / "docs" / "reference.md").read_text("utf-8")
    section = page.partition(f"\n### Options of {command}\n")[2].partition("\n##")[0]
    assert f"| `{flag}` |" in section
