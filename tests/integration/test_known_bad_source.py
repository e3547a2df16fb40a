"""What lies in a checkout and was not committed: it is neither built nor tested, whatever git says of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builders import commits
from builders.devices import KNOWN_BAD, Repository, copy_device
from integration.known_bad import assert_not_signed, assert_stopped, prepare_scanned


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Callable[[], Repository]]:
    """Make copies of the control device; whatever they leave in the engine is removed."""
    made: list[Repository] = []

    def make() -> Repository:
        made.append(copy_device(KNOWN_BAD / "control", tmp_path / f"d{len(made)}", name="t-source"))
        return made[-1]

    yield make
    for repository in made:
        repository.remove()


def test_an_image_has_what_is_committed_and_nothing_else(device: Callable[[], Repository]) -> None:
    repository = device()
    folder = repository.folder
    repository.edit("Dockerfile", "COPY app.py ./", "COPY . ./")
    (folder / "hidden.py").write_text("committed")
    (folder / "skipped.py").write_text("committed")
    (folder / ".gitignore").write_text(".autoclave/\nignored.py\n")
    repository.commit()
    commits.git(folder, "update-index", "--assume-unchanged", "hidden.py")
    commits.git(folder, "update-index", "--skip-worktree", "skipped.py")
    commits.git(folder, "config", "status.showUntrackedFiles", "no")
    (folder / ".git/info/exclude").write_text("excluded.py\n")
    for name in ("hidden.py", "skipped.py", "ignored.py", "excluded.py", "untracked.py"):
        (folder / name).write_text("evil")
    assert commits.git(folder, "status", "--short") == ""
    proof = folder.parent / "proof"
    commits.poison(folder, proof)
    other = commits.commit(folder.parent / "other", {"app.py": "evil"})
    hook = {"GIT_DIR": str(folder.parent / "other" / ".git"), "GIT_INDEX_FILE": "none"}
    done = repository.run("build", "-v", **hook)
    assert done.code == 0, done.err
    shown = repository.run("show", "--json", done.out.split()[1], "provenance").out
    assert commits.git(folder, "rev-parse", "HEAD") in shown
    assert commits.git(folder, "rev-parse", "HEAD^{tree}") in shown
    assert other not in shown
    words = ["docker", "run", "--rm", "--entrypoint", "sh", find_image(f"{repository.name}/app")]
    script = "ls; cat hidden.py skipped.py"
    listed = subprocess.run([*words, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "evil" not in listed
    assert listed.count("committed") == 2
    assert not {"ignored.py", "excluded.py", "untracked.py"} & set(listed.split())
    assert "skipped" in repository.run("build").err  # nothing that is built has changed
    assert not list((folder / ".autoclave/source").iterdir())
    assert not proof.exists()


def find_image(title: str) -> str:
    """Return the engine's id of the image with a title that was built last."""
    words = ["docker", "images", "-q", "--filter", f"label=org.opencontainers.image.title={title}"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[0]


@pytest.mark.xdist_group("control")
def test_tests_that_were_edited_after_the_build_do_not_count(tmp_path: Path) -> None:
    with prepare_scanned(tmp_path) as repository:
        check = next((repository.folder / "tests").glob("*.py"))
        check.write_text("raise SystemExit(3)\n")
        held = repository.run("unit-test")
        assert "already passed" in held.err  # the committed ones did
        repository.commit()
        check.write_text(check.read_text() + "# not committed either\n")
        failed = repository.run("unit-test")
        assert failed.code == 22, failed.err
        assert_not_signed(
            repository, "tests of a later commit", "the test-result record is made from commit "
        )


@pytest.mark.xdist_group("control")
def test_what_was_committed_after_the_tests_is_not_signed(tmp_path: Path) -> None:
    with prepare_scanned(tmp_path) as repository:
        (repository.folder / "late.txt").write_text("late")
        repository.commit()
        says = "the verification record is made from commit "
        assert_not_signed(repository, "signed at a later commit", says)


def test_a_folder_of_which_nothing_is_committed_is_not_built(device: Callable[[], Repository]) -> None:
    repository = device()
    commits.git(repository.folder, "rm", "-r", "-q", "--cached", ".")
    commits.git(repository.folder, "commit", "-q", "-m", "nothing")
    done = repository.run("run")
    says = "autoclave.toml is not committed"
    assert_stopped("nothing is committed", repository, done, step="before the first step", code=12, says=says)


def test_an_object_that_was_changed_in_the_repository_is_not_built(device: Callable[[], Repository]) -> None:
    repository = device()
    identity = commits.git(repository.folder, "rev-parse", "HEAD:app.py")
    commits.write_object(repository.folder, "blob", b"print('evil')\n", under=identity)
    done = repository.run("run")
    says = "has another content than its id says"
    assert_stopped("tampered git object", repository, done, step="before the first step", code=12, says=says)


def test_a_link_that_leads_out_in_two_steps_is_not_built(device: Callable[[], Repository]) -> None:
    repository = device()
    (repository.folder / "one").symlink_to("tests/../..")
    (repository.folder / "two").symlink_to("one/secret")
    repository.commit()
    done = repository.run("run")
    says = "leaves the device's folder"
    case = "link out of the repository"
    assert_stopped(case, repository, done, step="before the first step", code=12, says=says)


def test_a_job_never_builds_the_work_tree(device: Callable[[], Repository]) -> None:
    repository = device()
    for words, variables in ((("--worktree",), {}), ((), {"AUTOCLAVE_WORKTREE": "true"})):
        done = repository.run("build", *words, GITLAB_CI="true", **variables)
        assert done.code == 2, done.err
        assert "--worktree is not for a job of a CI host" in done.message
