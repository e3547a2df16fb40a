"""The site's own code, and the snippets on all pages: each is written in the language that it names."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ruamel.yaml import YAML

from autoclave.device.keys import json_schema
from builders.devices import ROOT, git

SITE = ROOT / "setup" / "site"
PAGES = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "examples/*/README.md") for path in ROOT.glob(pattern)
)
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^ *```$", re.M | re.S)


def load(name: str) -> ModuleType:
    found = importlib.util.spec_from_file_location(name, SITE / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def hooks() -> Iterator[ModuleType]:
    yield load("hooks")
    del sys.modules["hooks"]


def snippets(page: Path) -> Iterator[tuple[str, str]]:
    for each in _FENCE.finditer(page.read_text("utf-8")):
        yield each["language"], re.sub(f"(?m)^{each['indent']}", "", each["text"])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_snippet_is_in_the_language_that_it_names(page: Path) -> None:
    readers = {"toml": tomllib.loads, "json": json.loads, "python": ast.parse, "yaml": YAML(typ="safe").load}
    for language, text in snippets(page):
        reader = readers.get(language, str)
        try:
            reader(text)
        except (ValueError, SyntaxError) as error:
            pytest.fail(f"{error}\n{text}")


def known_keys(schema: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    """Return the keys below a place of the device file's schema, empty where anything goes."""
    for place in (schema, *schema.get("anyOf", [])):
        each = defs[place["$ref"].rpartition("/")[2]] if "$ref" in place else place
        if each.get("type") == "array":
            return known_keys(each["items"], defs)
        if "properties" in each:
            return dict(each["properties"])
    return {}


def unknown_keys(found: Any, schema: dict[str, Any], defs: dict[str, Any], path: str = "") -> list[str]:
    """Return the keys of a snippet that the device file does not have."""
    keys = known_keys(schema, defs)
    if isinstance(found, list):
        return [one for each in found for one in unknown_keys(each, schema, defs, path)]
    if not isinstance(found, dict) or not keys:
        return []
    wrong = [f"{path}{each}" for each in found if each not in keys]
    return wrong + [
        one
        for name in found.keys() & keys.keys()
        for one in unknown_keys(found[name], keys[name], defs, f"{path}{name}.")
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_snippet_of_the_device_file_has_its_keys(page: Path) -> None:
    schema = json_schema()
    defs = schema["$defs"]
    tables = known_keys(schema, defs).keys() - {"policy"}  # its sections have a page of their own
    for language, text in snippets(page):
        # device-file.md shows keys without their table, and is generated from the schema.
        is_other = page.name in {"policy.md", "device-file.md"} or text.startswith(
            "# the organisation's policy"
        )
        found = tomllib.loads(text) if language == "toml" and not is_other else {}
        device = {name: value for name, value in found.items() if name in tables}
        assert unknown_keys(device, schema, defs) == [], text


def test_an_unknown_key_of_a_snippet_is_found() -> None:
    schema = json_schema()
    text = '[[image]]\nname = "a"\n[image.service]\nprot = 1\nenvironment = { A = "1" }'
    assert unknown_keys(tomllib.loads(text), schema, schema["$defs"]) == ["image.service.prot"]


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    named = set(re.findall(r"[\w./-]+\.md$", text, re.M))
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert pages - named == set()
    examples = {f"examples/{path.parent.name}.md" for path in ROOT.glob("examples/*/README.md")}
    assert examples - named == set()


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("README.md", "index.md"),
        ("docs/tests.md", "tests.md"),
        ("docs/adr", "adr/index.md"),
        ("examples/ecg-viewer/README.md", "examples/ecg-viewer.md"),
        ("setup/gitlab-runner/stand-ins/README.md", "files/setup/gitlab-runner/stand-ins.md"),
        ("setup/trivy.sh", "files/setup/trivy.sh.txt"),
    ],
)
def test_where_a_file_is_on_the_site(hooks: ModuleType, path: str, shown: str) -> None:
    assert hooks.site_path(path) == shown


@pytest.mark.parametrize(
    ("path", "text", "shown"),
    [
        ("README.md", "[a](docs/tests.md#limits)", "[a](tests.md#limits)"),
        ("docs/tests.md", "[a](../README.md) [b](gates.md)", "[a](index.md) [b](gates.md)"),
        ("docs/adr/0001-x.md", "[a](../performance.md)", "[a](../performance.md)"),
        ("examples/ecg-viewer/README.md", "[a](../../docs/gitlab.md)", "[a](../gitlab.md)"),
        ("docs/tests.md", "[a](https://x.example/y.md) [b](#z)", "[a](https://x.example/y.md) [b](#z)"),
        ("docs/tests.md", "```\n[a](../README.md)\n```\n", "```\n[a](../README.md)\n```\n"),
    ],
)  # fmt: skip
def test_a_link_leads_to_the_same_page_on_the_site(
    hooks: ModuleType, path: str, text: str, shown: str
) -> None:
    assert hooks.rewrite(text, path) == shown


def test_only_what_git_tracks_is_published(hooks: ModuleType, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    (root / "docs").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("token")
    (tmp_path / "secret.md").write_text("token")
    for name in (
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "shown.toml",
        "untracked.toml",
    ):
        (root / name).touch()
    (root / "link.toml").symlink_to(tmp_path / "secret.txt")
    (root / "link.md").symlink_to(tmp_path / "secret.md")
    names = (
        "shown.toml",
        "untracked.toml",
        "link.toml",
        "link.md",
        "../secret.txt",
        "../secret.md",
        ".git/config",
    )
    (root / "docs" / "page.md").write_text("".join(f"[x](../{name})\n" for name in names))
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "rm", "-q", "--cached", "untracked.toml")
    assert hooks.linked_files(root) == {"shown.toml"}
    assert set(hooks.pages(root)) == set(hooks.NAMED)


def test_the_reader_of_built_pages_sees_what_differs(hooks: ModuleType) -> None:
    assert hooks
    verify = load("verify")
    page = verify.Page('<article><ul><li>a</li></ul></article><li>menu</li><script src="//cdn.example/x.js">')
    assert (page.counts["li"], page.loaded) == (1, ["<script src=//cdn.example/x.js>"])
    expected = verify.expected("text\n- one\n- two\n\n| a |\n| --- |\n| b |\n\n    code\n")
    assert {tag: expected[tag] for tag in ("ul", "li", "tr", "pre")} == {"ul": 1, "li": 2, "tr": 2, "pre": 1}


def test_versions_are_listed_with_the_newest_first(tmp_path: Path) -> None:
    for name in ("0.9.0", "0.10.0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").touch()
    listed = load("versions").versions(tmp_path, "0.10.0")
    assert [(each["version"], each["aliases"]) for each in listed] == [("0.10.0", ["latest"]), ("0.9.0", [])]
