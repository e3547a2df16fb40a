"""Building for real: bases are known by digest, files hold still, keys are accepted before they sign."""

from __future__ import annotations

import io
import subprocess
import uuid
from pathlib import Path

import docker
import pytest

from builders.devices import KNOWN_BAD, copy_device
from builders.flow import device, make_keys


def test_a_base_image_is_pulled_and_recorded_by_digest(registry: str, tmp_path: Path) -> None:
    base = f"{registry}/bases/python:1"
    client = docker.from_env()
    # An image of its own: what the engine knows of the real base is seen by the builds beside this test.
    dockerfile = io.BytesIO(f"FROM python:3.11-slim-bookworm\nLABEL test={tmp_path.name}\n".encode())
    client.images.build(fileobj=dockerfile, tag=base)
    client.images.push(base)
    digest = client.images.get(base).attrs["RepoDigests"][-1]
    client.images.remove(base)
    with device(KNOWN_BAD / "control", tmp_path, name="t-base") as repository:
        repository.edit("autoclave.toml", 'name = "app"\n', f'name = "app"\nargs = {{ BASE = "{base}" }}\n')
        repository.commit()
        done = repository.run("build")
        assert done.code == 0, done.err
        assert digest in repository.run("show", "--json", done.out.split()[1], "provenance").out
        repository.edit("autoclave.toml", base, f"{registry}/bases/none:1")
        repository.commit()
        lost = repository.run("build")
        assert lost.code == 30
        assert "bases/none:1 cannot be pulled" in lost.message
    client.images.remove(base)
    client.close()


def test_files_that_change_during_the_build_stop_it(tmp_path: Path) -> None:
    with device(KNOWN_BAD / "control", tmp_path, name="t-moving") as repository:
        read = "RUN --mount=type=secret,id=token sleep 3"
        repository.edit("autoclave.toml", 'name = "app"\n', 'name = "app"\nargs = { V = "1" }\n')
        repository.edit(
            "Dockerfile", "WORKDIR /app\n", f"WORKDIR /app\nARG V\n{read.replace('sleep', 'V=$V sleep')}\n"
        )
        repository.edit("autoclave.toml", '"1"', f'"{tmp_path.name}-{repository.port}"')
        repository.commit()
        # Again and again: how long the command takes to begin depends on the machine.
        late = f"while sleep 1; do echo '# late' >> {repository.folder / 'app.py'}; done"
        with subprocess.Popen(["sh", "-c", late]) as writer:
            done = repository.run("build", "--worktree")
            writer.kill()
        assert done.code == 12, done.err
        assert "changed while it was built: context (app.py)" in done.message
        assert repository.index["manifests"] == []


SAME = {
    "its Dockerfile": "FROM scratch\nCOPY {word} /\nUSER 10001\n",
    "a file of its context": "FROM python:3.11-slim-bookworm\nARG EXPECTED\nCOPY marker /marker\n"
    'RUN test "$(cat /marker)" = "$EXPECTED"\nUSER 10001\n',
}


@pytest.mark.parametrize("dockerfile", SAME.values(), ids=SAME)
def test_no_file_of_the_same_name_size_and_time_is_taken_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dockerfile: str
) -> None:
    """BuildKit takes a file that it was sent before for one of the same name, size and time."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1700000000 +0000")
    run = uuid.uuid4().hex
    for name in ("one", "two"):
        with device(KNOWN_BAD / "control", tmp_path / name, name="t-same") as repository:
            for word in (f"{run}-{name}", f"{run[::-1]}-{name}"):
                (repository.folder / word).touch()
                (repository.folder / "marker").write_text(word)
                (repository.folder / "Dockerfile").write_text(dockerfile.format(word=word))
                (repository.folder / "autoclave.toml").write_text(
                    f'[device]\nname = "{repository.name}"\nversion = "1.0.0"\nsafety-class = "B"\n'
                    'requirements = "requirements.csv"\nsoup = "soup.toml"\n'
                    f'[[image]]\nname = "app"\nargs = {{ EXPECTED = "{word}" }}\n'
                )
                repository.commit()
                done = repository.run("build")
                assert done.code == 0, done.err
                (repository.folder / word).unlink()


def test_a_key_that_trust_does_not_list_makes_no_record(tmp_path: Path) -> None:
    with device(KNOWN_BAD / "control", tmp_path, name="t-untrusted") as repository:
        trust = make_keys(tmp_path / "organisation")
        forgotten = [word for word in trust if word.startswith("--trust") or "trust.toml" in word]
        done = repository.run("build", *forgotten)
        assert done.code == 33, done.err
        assert "may not sign build" in done.message
        # Nothing is attached that would close the gate for good.
        assert repository.run("build", *[word for word in trust if "release" not in word]).code == 0


@pytest.mark.parametrize("step", ["sign", "deploy"])
def test_one_image_of_two_is_not_released_alone(step: str, tmp_path: Path) -> None:
    from builders.devices import ROOT

    repository = copy_device(ROOT / "tests" / "fixtures" / "two-images", tmp_path, name=f"t-alone-{step}")
    assert repository.run("build").code == 0
    for words in (["unit-test"], ["scan"]):
        assert repository.run(*words, "--image", "gateway").code == 0
    words = [step, "--image", "gateway"] if step == "sign" else [step, "staging", "--image", "gateway"]
    done = repository.run(*words)
    assert done.code == (24 if step == "sign" else 25), done.err
    assert repository.signatures() == []
    assert repository.containers() == []
