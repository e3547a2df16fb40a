"""The newcomer's drill: a scanner, an engine, a host and a target are one new file each, and work together.

In a copy of the tree the four toys of tests/fixtures/drill are added as CONTRIBUTING.md says, everything that
is generated is generated, and one release goes from source to the toy target: built and tested by the toy
engine, scanned by the toy scanner, in a job of the toy host. The step is added by test_steps.py.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import worker_results
from builders import drill
from builders.commits import commit

ADDED = {
    "toy_scanner.py": "steps/autoclave/scanners/toy.py",
    "toy_engine.py": "steps/autoclave/engines/toy.py",
    "toy_host.py": "steps/autoclave/hosts/toy.py",
    "toy_target.py": "steps/autoclave/targets/toy.py",
}
GENERATORS = (
    "pipelines/make_gitlab.py",
    "pipelines/make_github.py",
    "pipelines/make_jenkins.py",
    "docs/make_reference.py",
    "docs/make_report_schema.py",
    "docs/make_architecture.py",
)
DEVICE = """\
[device]
name = "pump"
version = "1.0.0"
safety-class = "A"

[[image]]
name = "app"

[unit-test]
command = ["true"]
copy = ["tests"]

[[environment]]
name = "demo"
target = "toy"
[environment.settings]
file = "{runs}"
"""
JOB = {"TOY_CI": "true", "TOY_JOB_URL": "https://toy.example/jobs/7", "TOY_USER": "ada"}
CHOSEN = {"AUTOCLAVE_SCANNER": "toy", "AUTOCLAVE_ENGINE": "toy"}


def python(tree: Path, *words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the package of the copied tree, and keys of its own."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AUTOCLAVE_")}
    environ |= {"PYTHONPATH": f"{tree / 'steps'}:{tree / 'tests'}", "XDG_CONFIG_HOME": str(tree / "home")}
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env=environ | variables,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


def autoclave(tree: Path, device: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return python(tree, "-m", "autoclave", *words, cwd=device, **JOB, **CHOSEN)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the tree with the four toys, and with everything generated anew."""
    copy = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=drill.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (drill.ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(drill.ROOT / name, copy / name)
    for toy, place in ADDED.items():
        (copy / place).write_bytes((drill.TOYS / toy).read_bytes())
    for generator in GENERATORS:
        done = python(copy, generator, cwd=copy)
        assert done.returncode == 0, done.stderr
    return copy


@pytest.fixture(scope="module")
def device(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a device whose release went to the toy target."""
    folder = tmp_path_factory.mktemp("device")
    (folder / "tests").mkdir()
    (folder / "tests" / "check.py").write_text("")
    (folder / "autoclave.toml").write_text(DEVICE.format(runs=folder.parent / "runs.json"))
    (folder / "Dockerfile").write_text("FROM scratch\nUSER 10001\n")
    commit(folder, {".gitignore": ".autoclave/\n"})
    done = autoclave(tree, folder, "run", "--environment", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_each_is_one_source_file(tree: Path) -> None:
    touched = {
        path.relative_to(tree).as_posix()
        for path in tree.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and path.relative_to(tree).parts[0] != "home"
        and not (
            (drill.ROOT / path.relative_to(tree)).is_file()
            and filecmp.cmp(path, drill.ROOT / path.relative_to(tree), shallow=False)
        )
    }
    written = ("pipelines/", "templates/", ".github/", "docs/")
    by_hand = {name for name in touched if not name.startswith(written)}
    assert by_hand == set(ADDED.values())
    for toy, place in sorted(ADDED.items()):
        worker_results.report(f"drill: a new {toy[4:-3]} is 1 source file: {place}")
    generated = sorted(touched - by_hand)
    worker_results.report(f"drill: generated anew for all of them: {', '.join(generated)}")


def test_the_contract_tests_pass_in_the_changed_tree(tree: Path) -> None:
    # Not the drills themselves, nor what runs pytest inside of pytest.
    left_out = ("newcomers_drill", "steps", "scanner_discovery", "added_plugins", "pytest_plugin", "targets")
    names = [f"--ignore=tests/contract/test_{name}.py" for name in left_out]
    done = python(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract", *names, cwd=tree)
    assert done.returncode == 0, done.stdout


def test_the_release_runs_at_the_target(tree: Path, device: Path) -> None:
    (running,) = json.loads((device.parent / "runs.json").read_text())
    assert running["image"] == "app"
    status = autoclave(tree, device, "status")
    assert f"demo: app {running['digest']} healthy, verifies" in status.stdout, status.stderr


def test_the_release_gate_accepted_the_scanners_record(tree: Path, device: Path) -> None:
    (running,) = json.loads((device.parent / "runs.json").read_text())
    shown = autoclave(tree, device, "show", running["digest"])
    assert "✔ vulns" in shown.stdout, shown.stderr
    assert "✔ verification" in shown.stdout
    record = autoclave(tree, device, "show", running["digest"], "vulns")
    assert "CVE-2026-0001" in record.stdout


def test_nothing_is_done_twice(tree: Path, device: Path) -> None:
    again = autoclave(tree, device, "run", "--environment", "demo")
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("skipped") + again.stdout.count("skipped") == 5, again.stderr


def test_the_findings_are_where_hosts_look_for_them(device: Path) -> None:
    reports = device / ".autoclave" / "reports"
    assert (reports / "toy-findings.txt").read_text() == "app: 1 findings\n"
    # The pattern of recordIssues in Jenkins.
    assert [path.parent.name for path in reports.glob("**/findings.sarif")] == ["app"]
    assert "CVE-2026-0001" in (reports / "app" / "findings.sarif").read_text()
    assert (reports / "app" / "findings.json").is_file()
    assert (reports / "app" / "sbom.cdx.json").is_file()


def test_doctor_names_all_of_them(tree: Path, device: Path) -> None:
    checked = autoclave(tree, device, "doctor")
    assert "scanner   toy 1" in checked.stdout
    assert "engine    toy 1" in checked.stdout


def test_another_version_replaces_what_runs_and_a_rollback_restores_it(tree: Path, device: Path) -> None:
    (before,) = json.loads((device.parent / "runs.json").read_text())
    settings = (device / "autoclave.toml").read_text()
    (device / "autoclave.toml").write_text(settings.replace('version = "1.0.0"', 'version = "1.1.0"'))
    commit(device, {"Dockerfile": "FROM scratch\nUSER 10002\n"})
    done = autoclave(tree, device, "run", "--environment", "demo")
    assert done.returncode == 0, done.stderr
    (now,) = json.loads((device.parent / "runs.json").read_text())
    assert now["digest"] != before["digest"], done.stderr
    done = autoclave(tree, device, "rollback", "demo", "--reason", "the drill")
    assert done.returncode == 0, done.stderr
    (back,) = json.loads((device.parent / "runs.json").read_text())
    assert back["digest"] == before["digest"]


def test_gitlab_gets_the_report_of_a_scanner_that_it_does_not_know(tree: Path, device: Path) -> None:
    reports = device / ".autoclave" / "reports"
    scanned = python(
        tree,
        "-m",
        "autoclave",
        "scan",
        "--again",
        cwd=device,
        GITLAB_CI="true",
        CI_JOB_URL="https://x/1",
        **CHOSEN,
    )
    assert scanned.returncode == 0, scanned.stderr
    report = json.loads((reports / "gl-container-scanning.json").read_text())
    assert report["scan"]["scanner"]["id"] == "toy"
    assert [each["identifiers"][0]["value"] for each in report["vulnerabilities"]] == ["CVE-2026-0001"]
