"""One table of the steps: nothing repeats it, and a row is all that most of Autoclave needs of a new step."""

from __future__ import annotations

import ast
import json
import re
import runpy
from pathlib import Path

import pytest

from autoclave.model import steps
from autoclave.store.layout import LayoutStore
from builders import drill
from builders.sample_image import write_image

ROOT = Path(__file__).resolve().parents[2]
REPEATS_IT = {"steps/autoclave/model/steps.py", "steps/autoclave/bundles/verify.py"}


def test_the_verifier_that_works_without_autoclave_knows_the_same_records() -> None:
    kinds = runpy.run_path(str(ROOT / "steps" / "autoclave" / "bundles" / "verify.py"))["KINDS"]
    assert {each.predicate_type: (each.name, " ".join(each.roles)) for each in steps.KINDS} == kinds


def tables(source: str) -> list[set[str]]:
    """Return the collections in a source that name at least four steps, or the records of four."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            parts = node.elts
        elif isinstance(node, ast.Dict):
            parts = [each for pair in zip(node.keys, node.values, strict=True) for each in pair if each]
        else:
            continue
        words = {each.value for each in parts if isinstance(each, ast.Constant)}
        for known in ({*steps.NAMES}, {each.record for each in steps.STEPS}):
            if len(words & known) >= 4:
                found.append(words & known)
    return found


def test_no_other_table_of_the_steps_is_kept() -> None:
    for folder in ("steps", "pipelines", "docs"):
        for path in (ROOT / folder).rglob("*.py"):
            where = path.relative_to(ROOT).as_posix()
            assert where in REPEATS_IT or tables(path.read_text("utf-8")) == [], where


def test_another_table_is_seen() -> None:
    assert tables('X = ("build", "unit-test", "scan", "sign", "deploy")')
    assert tables('X = {"build": a, "unit-test": b, "scan": c, "sign": d}')
    assert tables('X = {1: "provenance", 2: "test-result", 3: "vulns", 4: "verification"}')
    assert not tables('X = ("build", "scan")')


DEVICE = """\
[device]
name = "pump"
version = "1"
safety-class = "A"
[[image]]
name = "app"
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository to which the toy step `lint` is added."""
    copy = drill.copy_tree(tmp_path_factory.mktemp("tree"))
    drill.apply(copy, "toy_step.toml")
    return copy


@pytest.fixture
def device(tmp_path: Path) -> Path:
    (tmp_path / "autoclave.toml").write_text(DEVICE)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    store = LayoutStore(tmp_path / ".autoclave" / "store")
    write_image(store, name="app")
    return tmp_path


def test_a_new_step_is_two_files_and_a_row_with_what_it_names(tmp_path: Path) -> None:
    copy = drill.copy_tree(tmp_path)
    assert drill.apply(copy, "toy_step.toml") == {
        "steps/autoclave/lint.py",
        "steps/autoclave/gates/lint.py",
        "steps/autoclave/model/steps.py",
        "steps/autoclave/model/facts.py",
        "steps/autoclave/errors.py",
        "steps/autoclave/bundles/verify.py",
        "pyproject.toml",
        "docs/architecture.md",
    }


def test_the_command_line_lists_a_new_step(tree: Path) -> None:
    done = drill.run(tree, "-m", "autoclave", "--help")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^  lint +read the Dockerfile of an image$", done.stdout, re.MULTILINE)
    assert "build → unit-test ∥ scan ∥ lint → sign → deploy" in done.stdout


def test_reference_and_templates_have_a_new_step(tree: Path) -> None:
    hosts = ("gitlab", "github", "jenkins")
    for maker in ("docs/make_reference.py", *(f"pipelines/make_{host}.py" for host in hosts)):
        done = drill.run(tree, maker)
        assert done.returncode == 0, done.stderr
    reference = (tree / "docs" / "reference.md").read_text("utf-8")
    assert "### Options of lint\n" in reference
    assert "| 27 | gate closed: lint | `LintGateClosed` |" in reference
    templates = tree / "pipelines" / "gitlab"
    job = (templates / "lint.yml").read_text("utf-8")
    assert "  needs: [autoclave-build]\n" in job
    assert "    - autoclave lint\n" in job
    assert "needs: [autoclave-build, autoclave-unit-test, autoclave-scan, autoclave-lint]" in (
        templates / "sign.yml"
    ).read_text("utf-8")
    assert "local: /pipelines/gitlab/lint.yml" in (templates / "autoclave.yml").read_text("utf-8")
    assert (tree / "templates" / "lint" / "template.yml").read_text("utf-8") == job
    workflow = (tree / ".github" / "workflows" / "autoclave.yml").read_text("utf-8")
    assert "          autoclave lint\n" in workflow
    assert "    needs: [build, unit-test, scan, lint]\n" in workflow
    library = tree / "pipelines" / "jenkins"
    assert "'autoclaveLint', 'lint', 'autoclave lint'" in (library / "vars/autoclaveLint.groovy").read_text()
    assert "'autoclaveLint', 'lint', 'autoclave lint'" in (
        library / "src/dev/autoclave/Keys.groovy"
    ).read_text("utf-8")


def test_a_new_step_leaves_its_record_and_closes_its_gate(tree: Path, device: Path) -> None:
    lint = ("-m", "autoclave", "lint", "--json")
    done = drill.run(tree, *lint, cwd=device)
    assert done.returncode == 0, done.stdout
    digest = json.loads(done.stdout.splitlines()[-1])["digest"]
    shown = drill.run(tree, "-m", "autoclave", "show", digest, "lint", cwd=device)
    assert '"lines": 0' in shown.stdout, shown.stderr
    repeated = drill.run(tree, *lint, cwd=device)
    assert "the Dockerfile was read already" in repeated.stdout
    closed = drill.run(tree, *lint, "--word", "scratch", cwd=device)
    assert closed.returncode == 27, closed.stdout


GATE = """\
from msgspec.structs import replace
from autoclave.gates import release
from autoclave.model.facts import LintFacts
from builders.sample_facts import EVIDENCE, NOW, POLICY

def reasons(finished, facts):
    known = {name: at for name, at in EVIDENCE.finished.items() if name != "lint" or finished}
    origins = {**EVIDENCE.origins, "lint": EVIDENCE.origins["vulns"]}
    evidence = replace(EVIDENCE, finished=known, others={"lint": facts}, origins=origins)
    return release.judge(evidence, POLICY["B"], NOW).reasons

missing = ("no valid lint record is attached to the image",)
assert reasons(False, None) == missing, "a missing record closes"
assert reasons(True, None) == missing, "a record that cannot be read closes"
assert reasons(True, LintFacts(lines=2)) == ("2 lines of the Dockerfile hold the word",), "judged anew"
assert reasons(True, LintFacts(lines=0)) == ()
"""


def test_a_release_needs_the_record_of_a_new_step_and_judges_it_anew(tree: Path) -> None:
    done = drill.run(tree, "-c", GATE)
    assert done.returncode == 0, done.stderr
