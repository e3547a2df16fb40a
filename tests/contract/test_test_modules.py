"""Test modules import no other test module: what several need is in tests/builders or in a helper module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]


def is_test_module(name: str) -> bool:
    return any(part.startswith("test_") for part in name.split("."))


def imported_test_modules(source: str) -> set[str]:
    """Return the test modules that a source imports; `from a import b` may mean the module a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {".".join(filter(None, [node.module, each.name])) for each in node.names}
    return {name for name in found if is_test_module(name)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from integration.test_flow import device", {"integration.test_flow.device"}),
        ("from integration import test_flow", {"integration.test_flow"}),
        ("def f():\n    import unit.gates.test_gates", {"unit.gates.test_gates"}),
        ("from .test_flow import device", {"test_flow.device"}),
        ("from builders.devices import git", set()),
    ],
)
def test_an_import_of_a_test_module_is_found(source: str, expected: set[str]) -> None:
    assert imported_test_modules(source) == expected


def test_no_module_imports_a_test_module() -> None:
    found = {
        path.relative_to(TESTS).as_posix(): imported
        for path in sorted(TESTS.rglob("*.py"))
        if "fixtures" not in path.parts and (imported := imported_test_modules(path.read_text("utf-8")))
    }
    assert found == {}
