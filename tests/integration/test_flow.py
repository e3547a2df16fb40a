"""The good paths, for real: whole flow, single steps, skips, plans, two images, volumes, production."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import pytest

from builders.devices import KNOWN_BAD, ROOT, SAMPLE, Repository, copy_device
from builders.prepared_devices import prepare


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Callable[..., Repository]]:
    """Make repositories; whatever they leave in the engine is removed."""
    made: list[Repository] = []

    def make(source: Path, name: str) -> Repository:
        made.append(copy_device(source, tmp_path / name, name=name))
        return made[-1]

    yield make
    for repository in made:
        repository.remove()


def send_request(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Talk to a deployed service."""
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        loaded: dict[str, Any] = json.load(answer)
        return loaded


def test_the_sample_goes_from_commit_to_deployment(device: Callable[..., Repository]) -> None:
    repository = device(SAMPLE, "t-oximeter")
    with (repository.folder / "autoclave.toml").open("a", encoding="utf-8") as file:
        file.write('\n[[environment]]\nname = "production"\nproduction = true\n')
    repository.commit()
    first = repository.run("run")
    assert first.code == 0, first.err
    name, digest = first.out.split()
    assert name == "gateway"

    # What runs is the image that the manifest names.
    manifest = json.loads((repository.store / "blobs/sha256" / digest[7:]).read_bytes())
    (container,) = repository.containers()
    assert container.attrs["Image"] == manifest["config"]["digest"]

    # It answers, and keeps its data over another deployment.
    base = f"http://127.0.0.1:{repository.port}"
    reading = {"device": "OX-000042", "patient": "p1", "taken": "2026-11-24T10:00:00+00:00"}
    made = send_request(f"{base}/readings", reading | {"spo2": 88, "pulse": 71})
    observation = f"{base}/fhir/Observation/{made['observations'][0]}"
    assert send_request(observation)["valueQuantity"]["value"] == 88
    again = repository.run("run", "--again-step", "deploy")
    assert again.code == 0, again.err
    assert [line.split()[1] for line in again.err.splitlines() if "↷" in line] == [
        "build",
        "unit-test",
        "scan",
        "sign",
    ]
    assert send_request(observation)["valueQuantity"]["value"] == 88
    assert len(repository.containers()) == 1

    start = time.monotonic()
    third = repository.run("run")
    assert time.monotonic() - start < 10
    assert third.err.count("↷ skipped") == 5
    assert third.out == first.out

    status = repository.run("status")
    assert status.code == 0
    assert f"{digest} healthy, verifies" in status.out
    shown = repository.run("show", digest, "test-result")
    facts = json.loads(shown.out)["predicate"]["facts"]
    assert facts["report"]["passed"] > 50
    assert "SRS-007" in facts["report"]["requirements"]
    for report in (
        "junit.xml",
        "findings.json",
        "findings.sarif",
        "sbom.cdx.json",
    ):
        assert (repository.folder / ".autoclave" / "reports" / "gateway" / report).stat().st_size > 50
    # What only a CI host reads is written in its jobs.
    assert not list((repository.folder / ".autoclave" / "reports").rglob("gl-*"))

    # Production takes neither development keys nor a partial database.
    refused = repository.run("deploy", "production")
    assert refused.code == 25
    assert "signed by a development key" in refused.message
    assert "no trusted release key signed the image" in refused.message


def test_each_step_runs_alone(device: Callable[..., Repository]) -> None:
    repository = device(KNOWN_BAD / "control", "t-steps")
    too_early = repository.run("scan")
    assert too_early.code == 40
    assert "run 'autoclave build' first" in too_early.message
    digests = set()
    for words in (["build"], ["unit-test"], ["scan"], ["sign"], ["deploy", "staging"]):
        done = repository.run(*words)
        assert done.code == 0, done.err
        digests.add(done.out)
    assert len(digests) == 1
    shown = repository.run("scan", "--again", "-v")
    assert "+ " in shown.err
    assert "--offline-scan" in shown.err
    events = [json.loads(line) for line in repository.run("sign", "--again", "--json").out.splitlines()]
    assert {"event": "verdict", "step": "sign", "passed": True}.items() <= events[1].items()


def test_a_plan_changes_with_what_goes_into_it(device: Callable[..., Repository]) -> None:
    repository = device(KNOWN_BAD / "control", "t-plan")
    first = repository.run("plan")
    assert first.code == 0, first.err
    assert repository.run("plan").out == first.out
    assert repository.run("run", "--dry-run").out == first.out
    assert not repository.store.exists() or repository.index["manifests"] == []
    test = next((repository.folder / "tests").glob("*.py"))
    test.write_text(test.read_text("utf-8") + "\n# changed\n", "utf-8")
    assert repository.run("plan").out == first.out  # it is not committed
    assert repository.run("plan", "--worktree").out.splitlines()[-1] != first.out.splitlines()[-1]
    repository.commit()
    assert repository.run("plan").out.splitlines()[-1] != first.out.splitlines()[-1]


def test_a_kept_container_stays_for_a_look(tmp_path: Path) -> None:
    with prepare(KNOWN_BAD / "control", tmp_path, to="build") as repository:
        keep_container(repository)


def keep_container(repository: Repository) -> None:
    done = repository.run("unit-test", "--keep")
    assert done.code == 0, done.err
    name = done.err.split("docker start -ai ")[1].split()[0]
    client = docker.from_env()
    container = client.containers.get(name)
    assert container.attrs["HostConfig"]["ReadonlyRootfs"]
    assert container.attrs["HostConfig"]["NetworkMode"] == "none"
    container.remove(v=True)
    client.close()


def test_two_images_are_released_whole_or_not_at_all(device: Callable[..., Repository]) -> None:
    repository = device(ROOT / "tests" / "fixtures" / "two-images", "t-two")
    from builders.devices import free_port

    for port in ("18085", "18086"):
        repository.edit("autoclave.toml", port, str(free_port()))
    test = repository.folder / "tests" / "check_dashboard.py"
    good = test.read_text("utf-8")
    test.write_text("raise SystemExit(9)\n", "utf-8")
    repository.commit()
    done = repository.run("run")
    assert done.code == 22, done.err
    assert repository.run("scan").code == 0
    signed = repository.run("sign")
    assert signed.code == 24, signed.err
    assert repository.signatures() == []
    assert repository.containers() == []
    test.write_text(good, "utf-8")
    repository.commit()
    done = repository.run("run")
    assert done.code == 0, done.err
    assert len(repository.containers()) == 2
    assert len(repository.signatures()) == 2


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["scam"], 2, "did you mean 'scan'?"),
        (["run", "--nonsense"], 2, "No such option"),
        (["run", "--to", "nowhere"], 2, "there is no step 'nowhere'"),
        (["run", "--environment", "stagin"], 10, "did you mean 'staging'?"),
        (["build", "-C", "/nonexistent"], 10, "does not exist"),
        (["build", "--image", "ap"], 10, "did you mean 'app'?"),
        (["show", "sha256:12"], 40, "is not an image digest"),
        (["run", "--trust", "/nonexistent"], 10, "does not exist"),
        (["run", "--key", "file:/nonexistent", "--again"], 33, "cannot be read"),
    ],
)
def test_bad_arguments_get_a_clear_error(
    words: list[str], code: int, says: str, device: Callable[..., Repository]
) -> None:
    repository = device(KNOWN_BAD / "control", "t-words")
    done = repository.run(*words)
    assert done.code == code, done.err
    assert says in done.err + done.out


def test_two_deployments_at_once_do_not_break_each_other(tmp_path: Path) -> None:
    with prepare(KNOWN_BAD / "control", tmp_path, to="sign") as repository:
        two_at_once(repository)


def two_at_once(repository: Repository) -> None:
    assert repository.run("run").code == 0
    with ThreadPoolExecutor(2) as pool:
        codes = sorted(pool.map(lambda _: repository.run("deploy", "staging", "--again").code, range(2)))
    assert codes in ([0, 0], [0, 42])
    assert repository.run("status").code == 0
    assert len(repository.containers()) == 1


def test_doctor_finds_this_machine_fit(device: Callable[..., Repository]) -> None:
    repository = device(KNOWN_BAD / "control", "t-doctor")
    done = repository.run("doctor")
    assert done.code == 0, done.out + done.err
    assert [line.split()[1] for line in done.out.splitlines()] == [
        "device", "autoclave", "engine", "builder", "clock", "scanner",
        "database", "database",  # of advisories, and the index of Java archives
        "keys", "git", "disk", "store", "caches",
    ]  # fmt: skip
    assert done.out.count("✔") == 13
    lost = repository.run("doctor", AUTOCLAVE_SCANNER_COMMAND="/nonexistent/trivy")
    assert lost.code == 60
    assert "✘ scanner" in lost.out


SECRET = "hush-2026/very+secret"


def test_a_build_secret_stays_secret(device: Callable[..., Repository], tmp_path: Path) -> None:
    repository = device(KNOWN_BAD / "control", "t-secret")
    repository.edit(
        "autoclave.toml",
        'name = "app"\n',
        'name = "app"\nsecrets = [{ id = "token", env = "BUILD_TOKEN" }]\n',
    )
    # A word of its own, because a cached layer would print nothing.
    word = f"echo {time.time_ns()}"
    read = f"RUN --mount=type=secret,id=token {word} && cat /run/secrets/token && base64 /run/secrets/token"
    repository.edit("Dockerfile", "WORKDIR /app\n", f"WORKDIR /app\n{read}\n")
    repository.commit()
    refused = repository.run("build", BUILD_TOKEN=SECRET)
    assert refused.code == 10
    assert "may not have $BUILD_TOKEN as a build secret" in refused.message
    policy = tmp_path / "organisation.toml"
    policy.write_text('[build]\nsecrets = ["BUILD_TOKEN"]\n')
    unset = repository.run("build", "--policy", str(policy))
    assert unset.code == 10
    assert "$BUILD_TOKEN is not set" in unset.message
    done = repository.run("build", "-v", "--policy", str(policy), BUILD_TOKEN=SECRET)
    assert done.code == 0, done.err
    assert "[masked]" in done.err
    assert SECRET not in done.err + done.out
    for file in (repository.folder / ".autoclave").rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes()


@pytest.mark.parametrize("module", ["build", "unit_test", "scan", "sign", "deploy", "pipeline"])
def test_each_step_is_a_script_too(module: str) -> None:
    argv = [sys.executable, "-m", f"autoclave.{module}", "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "--folder" in done.stdout


def test_verdicts_of_an_earlier_run_do_not_count_for_a_later_one(tmp_path: Path) -> None:
    with prepare(KNOWN_BAD / "control", tmp_path, to="build") as repository:
        earlier_verdicts(repository)


def earlier_verdicts(repository: Repository) -> None:
    assert repository.run("run", "--to", "build").code == 0
    file = repository.folder / ".autoclave" / "reports" / "device" / "gates.xml"
    assert "<failure" not in file.read_text("utf-8")
    assert repository.run("run", DOCKER_HOST="unix:///nonexistent.sock").code == 30
    assert "the run did not finish" in file.read_text("utf-8")


def test_the_lines_of_v_can_be_pasted(device: Callable[..., Repository], tmp_path: Path) -> None:
    repository = device(KNOWN_BAD / "control", "t-paste")
    said = repository.run("build", "-v").err + repository.run("scan", "-v").err
    lines = [line.split(" + ", 1)[1] for line in said.splitlines() if " + " in line]
    assert any(" build " in line for line in lines)
    assert any(" image --input " in line for line in lines)
    assert any(" convert --format sarif " in line for line in lines)
    for line in lines:
        # Said in words of the command line although the SDK does it (an archive comes out), or a question
        # to which no is an answer.
        if line.startswith(("docker save", "docker load")) or line.endswith("buildx version"):
            continue
        done = subprocess.run(
            line, shell=True, cwd=repository.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode in {0, 5}, f"{line}\n{done.stderr}"
