"""Autoclave's own requirements: each one is linked, and each link meets a test that is there."""

from __future__ import annotations

import ast
import fnmatch
import tomllib
from pathlib import Path

from autoclave.device import requirements
from autoclave.model.declared import Method

ROOT = Path(__file__).parents[2]


def names() -> set[str]:
    """The tests of the step image by name, without their parameters."""
    return {
        f"{'.'.join(file.relative_to(ROOT).with_suffix('').parts)}::{node.name}"
        for folder in ("unit", "image")
        for file in (ROOT / "tests" / folder).rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_requirement_is_linked_and_every_link_matches_a_test() -> None:
    links = tomllib.loads((ROOT / "links.toml").read_text("utf-8"))["link"]
    tests = names()
    for link in links:
        assert fnmatch.filter(tests, link["test"]), link["test"]
    listed = requirements.read(ROOT, "requirements.csv")
    assert {one for link in links for one in link["requirements"]} == {
        each.id for each in listed if each.method is Method.TEST
    }
