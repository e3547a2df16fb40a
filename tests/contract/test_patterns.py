"""Every pattern matches to the very end of a text: a `$` also matches before a line end."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

STEPS = Path(__file__).parents[2] / "steps"
USES = {"compile", "match", "fullmatch", "search", "findall", "finditer", "sub", "subn", "split", "matching"}
END = re.compile(r"(?<!\\)(?:\\\\)*\$")
CLASS = re.compile(r"(?<!\\)\[\^?\]?(?:\\.|[^\]\\])*\]")


def calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield node


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def pattern_of(call: ast.Call) -> str:
    """Return what is written of a pattern, a text or bytes, without what is put into it."""
    given = call.args[0] if call.args else None
    parts = [each.value for each in ast.walk(given) if isinstance(each, ast.Constant)] if given else []
    return "".join(
        part.decode() if isinstance(part, bytes) else part for part in parts if isinstance(part, str | bytes)
    )


def is_for_lines(call: ast.Call) -> bool:
    return any(getattr(each, "attr", "") in {"M", "MULTILINE"} for each in ast.walk(call))


def has_loose_end(pattern: str) -> bool:
    return END.search(CLASS.sub("", pattern)) is not None


@pytest.mark.parametrize("path", sorted(STEPS.rglob("*.py")), ids=lambda path: str(path.relative_to(STEPS)))
def test_no_pattern_ends_before_a_line_end(path: Path) -> None:
    loose = [
        f"{path}:{call.lineno}: {pattern_of(call)!r} has a $: write \\Z, or use fullmatch"
        for call in calls(path)
        if name_of(call) in USES and not is_for_lines(call) and has_loose_end(pattern_of(call))
    ]
    assert not loose


@pytest.mark.parametrize("path", sorted(STEPS.rglob("*.py")), ids=lambda path: str(path.relative_to(STEPS)))
def test_patterns_of_fields_are_made_in_one_place(path: Path) -> None:
    if path.name == "text.py" and path.parent.name == "model":
        return
    own = [
        f"{path}:{call.lineno}: use autoclave.model.text.matching"
        for call in calls(path)
        if name_of(call) == "Meta" and any(each.arg == "pattern" for each in call.keywords)
    ]
    assert not own


@pytest.mark.parametrize(
    ("pattern", "loose"),
    [
        ("a$", True),
        ("(a|$)", True),
        (r"a\$", False),
        ("[$]", False),
        (r"a\Z", False),
        (r"\\$", True),
        (r"[\]$]", False),
    ],
)
def test_the_reader_of_patterns_finds_a_loose_end(pattern: str, loose: bool) -> None:
    assert has_loose_end(pattern) is loose
