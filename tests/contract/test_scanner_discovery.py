"""One source file in scanners/ is a scanner: commands, help, reference and templates offer it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autoclave.store.layout import LayoutStore
from builders.sample_image import EMPTY, write_image

ROOT = Path(__file__).resolve().parents[2]
TOY = ROOT / "tests" / "fixtures" / "drill" / "toy_scanner.py"
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
    """A copy of the sources with one file more."""
    root = tmp_path_factory.mktemp("tree")
    ignore = shutil.ignore_patterns("__pycache__", "*.svg", "*.png")
    for name in ("steps", "pipelines", "docs"):
        shutil.copytree(ROOT / name, root / name, ignore=ignore)
    shutil.copy(TOY, root / "steps" / "autoclave" / "scanners" / "toy.py")
    return root


def run(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the copied sources."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AUTOCLAVE_")}
    environment |= {"PYTHONPATH": str(tree / "steps"), "XDG_CONFIG_HOME": str(tree / "keys")}
    return subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, timeout=1200, check=False
    )


def test_help_offers_the_new_scanner(tree: Path) -> None:
    assert "--scanner [clair|grype|toy|trivy]" in run(tree, "-m", "autoclave", "scan", "--help").stdout


def test_the_new_scanner_scans_and_doctor_names_it(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "autoclave.toml").write_text(DEVICE)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    write_image(LayoutStore(tmp_path / ".autoclave" / "store"), EMPTY, name="app")
    done = run(tree, "-m", "autoclave", "scan", "--scanner", "toy", "-C", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".autoclave" / "reports" / "app" / "findings.sarif").is_file()
    # Other checks may fail: this test needs no engine.
    checked = run(tree, "-m", "autoclave", "doctor", "--scanner", "toy", "-C", str(tmp_path))
    assert "✔ scanner   toy 1" in checked.stdout


def test_pages_and_templates_offer_the_new_scanner_when_they_are_written_anew(tree: Path) -> None:
    makers = ("pipelines/make_gitlab.py", "pipelines/make_github.py", "pipelines/make_jenkins.py")
    for script in (*makers, "docs/make_reference.py"):
        done = run(tree, str(tree / script))
        assert done.returncode == 0, done.stderr
    assert (
        "regex: '^((clair|grype|toy|trivy)( (clair|grype|toy|trivy))*)?$'"
        in (tree / "pipelines/gitlab/scan.yml").read_text()
    )
    workflow = (tree / ".github" / "workflows" / "autoclave.yml").read_text()
    assert "(several: separated by spaces): clair, grype, toy, trivy" in workflow
    assert "toy=.autoclave-database/toy" in workflow
    keys = (tree / "pipelines/jenkins/src/dev/autoclave/Keys.groovy").read_text()
    assert "scanner: ['AUTOCLAVE_SCANNER', 'list', '^(clair|grype|toy|trivy)$']" in keys
    assert "else trivy): clair, grype, toy, trivy |" in (tree / "docs" / "reference.md").read_text()
