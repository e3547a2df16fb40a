"""The commit out of git's objects: what is written, and that nothing of git's configuration is obeyed."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autoclave.device import source
from autoclave.device.source import Source, repository
from autoclave.errors import SourceError
from autoclave.runtime.shell import Shell
from builders.commits import check_out_tree, commit, git, poison, write_object, write_tree

FILES = {"autoclave.toml": "name\n", "app/main.py": "print(1)\n", "app/run.sh": "#!/bin/sh\n"}


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """A device in a repository of its own, with one commit."""
    folder = tmp_path / "device"
    folder.mkdir()
    (folder / "app").mkdir()
    (folder / "app/run.sh").write_text("")
    (folder / "app/run.sh").chmod(0o755)
    commit(folder, FILES)
    return folder


@contextmanager
def opened(folder: Path) -> Iterator[Source]:
    """Open the commit of a folder, as a step does."""
    found = source.open_commit(folder, folder / ".autoclave", Shell())
    try:
        yield found
    finally:
        found.close()
        left = folder / ".autoclave" / "source"
        assert not left.is_dir() or not list(left.iterdir())


def read(folder: Path) -> dict[str, str]:
    """Return the files of a folder's commit by path, with their contents."""
    with opened(folder) as found:
        top = found.folder
        return {
            path.relative_to(top).as_posix(): f"-> {path.readlink()}"
            if path.is_symlink()
            else path.read_text()
            for path in sorted(top.rglob("*"))
            if path.is_symlink() or path.is_file()
        }


def refuse(folder: Path) -> SourceError:
    """Return why the commit of a folder is refused."""
    with pytest.raises(SourceError) as caught, opened(folder) as found:
        assert found.folder
    assert caught.value.next
    return caught.value


def test_the_commit_is_written_and_not_what_lies_in_the_work_tree(device: Path) -> None:
    (device / "app/main.py").write_text("changed")
    (device / "app/new.py").write_text("untracked")
    (device / "autoclave.toml").unlink()
    assert read(device) == FILES


@pytest.mark.parametrize("words", [("--assume-unchanged",), ("--skip-worktree",)])
def test_a_file_that_git_was_told_not_to_look_at_is_the_committed_one(
    device: Path, words: tuple[str, ...]
) -> None:
    git(device, "update-index", *words, "app/main.py")
    (device / "app/main.py").write_text("evil")
    assert read(device) == FILES


def test_ignored_and_excluded_files_are_not_in_it(device: Path) -> None:
    files = {**FILES, ".gitignore": "*.local\n"}
    commit(device, files)
    git(device, "config", "status.showUntrackedFiles", "no")
    (device / ".git/info/exclude").write_text("*.pyc\n")
    for name in ("app/a.local", "app/a.pyc", "app/a"):
        (device / name).write_text("evil")
    assert read(device) == files


def test_commit_tree_and_time_are_those_of_git(device: Path) -> None:
    with opened(device) as found:
        assert found.commit == git(device, "rev-parse", "HEAD")
        assert found.tree == git(device, "rev-parse", "HEAD^{tree}")
        assert (found.time, found.is_worktree) == (1700000000, False)
        assert found.read("app/main.py") == b"print(1)\n"
        with pytest.raises(SourceError):
            found.read("app")
        with pytest.raises(SourceError):
            found.read("../device/app/main.py")
        with pytest.raises(SourceError):
            found.read("app/main.py", limit=3)


def test_a_device_in_a_folder_of_a_repository_is_that_folder_of_the_commit(tmp_path: Path) -> None:
    commit(tmp_path / "all", {"pump/autoclave.toml": "a", "pump/x/y": "b", "other/z": "c", "top": "d"})
    device = tmp_path / "all" / "pump"
    with opened(device) as found:
        assert found.tree == git(device, "rev-parse", "HEAD:pump")
    assert read(device) == {"autoclave.toml": "a", "x/y": "b"}


def test_modes_and_times_are_the_same_under_every_umask(device: Path) -> None:
    for mask in (0o022, 0o077, 0o002):
        before = os.umask(mask)
        try:
            with opened(device) as found:
                top = found.folder
                for name, mode in (
                    ("app", 0o755),
                    ("app/run.sh", 0o755),
                    ("app/main.py", 0o644),
                    (".", 0o755),
                ):
                    about = (top / name).stat()
                    assert (stat.S_IMODE(about.st_mode), int(about.st_mtime)) == (mode, 1700000000), name
                assert stat.S_IMODE(top.parent.stat().st_mode) == 0o700
        finally:
            os.umask(before)


def test_files_of_one_size_have_other_times_when_their_contents_are_others(tmp_path: Path) -> None:
    commit(tmp_path / "a", {"autoclave.toml": "", "one": "same", "two": "same", "six": "emas"})
    with opened(tmp_path / "a") as found:
        times = {name: (found.folder / name).stat().st_mtime_ns for name in ("one", "two", "six")}
    assert times["one"] == times["two"] != times["six"]


def test_names_that_are_not_utf8_and_large_files_are_the_same(device: Path) -> None:
    name = os.fsdecode(b"app/caf\xe9\n\"'")
    (device / name).write_text("x")
    (device / "app/large").write_bytes(b"0123456789" * 400_000)
    (device / "app/empty").write_bytes(b"")
    commit(device)
    with opened(device) as found:
        assert (found.folder / name).read_text() == "x"
        assert (found.folder / "app/large").read_bytes() == b"0123456789" * 400_000
        assert (found.folder / "app/empty").read_bytes() == b""


def test_more_files_than_a_pipe_has_room_for_requests(device: Path) -> None:
    many = {f"app/{number}": str(number) for number in range(3000)}
    commit(device, many)
    assert read(device) == FILES | many


def test_packed_objects_packed_references_and_linked_work_trees(device: Path, tmp_path: Path) -> None:
    git(device, "gc", "-q")
    assert read(device) == FILES
    git(device, "worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    commit(tmp_path / "linked", {"app/main.py": "other"})
    assert read(tmp_path / "linked") == FILES | {"app/main.py": "other"}
    assert read(device) == FILES
    git(device, "checkout", "-q", "--detach")
    assert read(device) == FILES


def test_a_repository_of_sha256(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256", "device")
    commit(tmp_path / "device", FILES)
    assert read(tmp_path / "device") == FILES
    with opened(tmp_path / "device") as found:
        assert len(found.tree) == 64


def test_a_shallow_clone_has_all_that_is_needed(device: Path, tmp_path: Path) -> None:
    commit(device, {"app/main.py": "second"})
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{device}", "shallow")
    assert read(tmp_path / "shallow") == FILES | {"app/main.py": "second"}


def test_a_partial_clone_is_refused_with_what_to_fetch(device: Path, tmp_path: Path) -> None:
    git(device, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{device}", "partial")
    assert "git fetch --refetch" in refuse(tmp_path / "partial").next


def test_without_repository_or_commit_or_committed_folder_there_is_a_next_step(tmp_path: Path) -> None:
    assert "is in no git repository" in refuse(tmp_path).what
    git(tmp_path, "init", "-q", "empty")
    assert "has no commit" in refuse(tmp_path / "empty").what
    commit(tmp_path / "all", {".gitignore": "device/\n"})
    (tmp_path / "all/device").mkdir()
    (tmp_path / "all/device/autoclave.toml").write_text("never committed")
    error = refuse(tmp_path / "all/device")
    assert "nothing of" in error.what
    assert "--worktree" in error.next


def test_what_differs_in_the_checkout_is_counted(device: Path) -> None:
    (device / "link").symlink_to("app")
    commit(device)
    with opened(device) as found:
        assert source.count_differences(found.folder, device) == 0
        (device / "app/main.py").write_text("print(2)\n")  # of the same size
        assert source.count_differences(found.folder, device) == 1
        (device / "app/run.sh").chmod(0o644)
        (device / "link").unlink()
        (device / "link").symlink_to("appp")
        (device / "autoclave.toml").unlink()
        os.mkfifo(device / "autoclave.toml")
        (device / "untracked").write_text("")
        assert source.count_differences(found.folder, device) == 4


# What a repository brings along and nobody may obey.


def test_nothing_of_a_repositorys_configuration_is_run(device: Path, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    (device / ".gitattributes").write_text("* filter=x diff=x text eol=crlf export-subst\n")
    (device / "app/main.py").write_text("$Format:%H$\n$Id$\n")
    commit(device)
    wanted = read(device)
    assert wanted["app/main.py"] == "$Format:%H$\n$Id$\n"
    poison(device, proof)
    assert read(device) == wanted
    work_tree = source.open_work_tree(device, Shell())
    assert len(work_tree.commit) == 40
    assert not proof.exists()


def test_a_configuration_that_includes_a_pipe_does_not_hang(device: Path) -> None:
    os.mkfifo(device / ".git/pipe")
    git(device, "config", "include.path", "pipe")
    assert read(device) == FILES


@pytest.mark.parametrize("name", ["HEAD", "packed-refs", "objects/info/alternates", "commondir"])
def test_a_pipe_in_place_of_a_file_of_git_is_refused(device: Path, name: str) -> None:
    path = device / ".git" / name
    git(device, "pack-refs", "--all")
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    refuse(device)


def test_a_bare_repository_in_the_work_tree_is_not_the_repository(tmp_path: Path) -> None:
    device = tmp_path / "all" / "device"
    commit(device.parent, {"device/autoclave.toml": "right"})
    seed = tmp_path / "seed"
    commit(seed, {"autoclave.toml": "wrong"})
    for name in ("HEAD", "objects", "refs"):
        moved = seed / ".git" / name
        (shutil.copytree if moved.is_dir() else shutil.copy)(moved, device / name)
    proof = tmp_path / "proof"
    (device / "config").write_text(f'[core]\nbare = false\nworktree = .\nfsmonitor = "touch {proof}"\n')
    git(device.parent, "add", "-A", "-f", "device/config", "device/HEAD")
    git(device.parent, "commit", "-q", "-m", "hostile")
    assert read(device)["autoclave.toml"] == "right"
    with opened(device) as found:
        assert found.commit == git(device.parent, "rev-parse", "HEAD")
    assert not proof.exists()


@pytest.mark.parametrize(
    "name",
    [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_INDEX_FILE",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_NAMESPACE",
    ],
)
def test_variables_of_a_hook_change_nothing(
    device: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    commit(other, {"autoclave.toml": "another"})
    monkeypatch.setenv(name, str(other / ".git" / ("objects" if "OBJECT" in name else "")))
    assert read(device) == FILES
    assert source.open_work_tree(device, Shell()).commit == read_head(device)


def read_head(device: Path) -> str:
    found = repository.find(device)
    assert found
    return repository.read_head(found)


def test_configuration_in_the_environment_and_of_the_user_changes_nothing(
    device: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = tmp_path / "proof"
    for number, (key, value) in enumerate({"core.fsmonitor": f"touch {proof}", "core.bare": "what"}.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.bare'='what'")
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", f"touch {proof}")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[core\nnot a configuration")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    assert read(device) == FILES
    assert not proof.exists()
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    "variables", [{"LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de"}, {"LC_ALL": "C", "HOME": ""}]
)
def test_language_and_home_change_nothing(
    device: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("HOME", raising=False)
    assert read(device) == FILES


def test_a_signed_commit_is_only_a_commit(device: Path) -> None:
    git(device, "config", "log.showSignature", "true")
    signed = git(device, "cat-file", "commit", "HEAD").replace(
        "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n tree 1\n committer x <x> 5 +0000\n\n", 1
    )
    identity = git(device, "hash-object", "-t", "commit", "-w", "--stdin", stdin=(signed + "\n").encode())
    git(device, "update-ref", "refs/heads/main", identity)
    with opened(device) as found:
        assert (found.commit, found.time) == (identity, 1700000000)


# What is in the objects, against what their ids say.


def test_replaced_objects_and_grafts_are_not_used(device: Path) -> None:
    before = git(device, "rev-parse", "HEAD")
    evil = commit(device, {"app/main.py": "evil"})
    git(device, "replace", before, evil)
    (device / ".git/info/grafts").write_text(f"{before} {evil}\n")
    git(device, "reset", "-q", "--soft", before)
    assert read(device) == FILES


@pytest.mark.parametrize("kind", ["commit", "tree", "blob"])
def test_an_object_with_another_content_than_its_id_says_is_refused(device: Path, kind: str) -> None:
    evil = commit(device, {"app/main.py": "evil"})
    git(device, "reset", "-q", "--soft", "HEAD~")
    names = {"commit": ("HEAD", evil), "tree": ("HEAD^{tree}", f"{evil}^{{tree}}"),
             "blob": ("HEAD:app/main.py", f"{evil}:app/main.py")}  # fmt: skip
    right, wrong = names[kind]
    identity = git(device, "rev-parse", right)
    body = subprocess.run(
        ["git", "-C", str(device), "cat-file", kind, wrong], capture_output=True, check=True
    ).stdout
    write_object(device, kind, body, under=identity)
    error = refuse(device)
    assert "has another content than its id says" in error.what
    assert identity in error.what


def test_objects_of_other_repositories_are_refused(device: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--shared", str(device), "borrowing")
    error = refuse(tmp_path / "borrowing")
    assert "borrows objects" in error.what
    git(tmp_path / "borrowing", "repack", "-q", "-a", "-d")
    (tmp_path / "borrowing/.git/objects/info/alternates").unlink()
    assert read(tmp_path / "borrowing") == FILES
    # in two steps: by an alternate that is inside
    inside = device / ".git/more"
    (inside / "info").mkdir(parents=True)
    (inside / "info/alternates").write_text(f"{tmp_path / 'borrowing/.git/objects'}\n")
    (device / ".git/objects/info/alternates").write_text("../more\n")
    assert "borrows objects" in refuse(device).what


@pytest.mark.parametrize(
    "name",
    [
        b"..",
        b".",
        b"",
        b"a/b",
        b".git",
        b".GIT",
        b"git~1",
        b".git ",
        b".git.",
        b".git::$INDEX_ALLOCATION",
        ".g\u200cit".encode(),
        b"a\\.git",
    ],
)
def test_a_name_that_leaves_its_folder_or_is_gits_own_is_refused(device: Path, name: bytes) -> None:
    blob = git(device, "rev-parse", "HEAD:app/main.py")
    check_out_tree(device, write_tree(device, ("100644", name, blob)))
    assert "not a name" in refuse(device).what


def test_a_name_that_is_there_twice_is_refused(device: Path) -> None:
    blob, tree = git(device, "rev-parse", "HEAD:app/main.py"), git(device, "rev-parse", "HEAD:app")
    check_out_tree(device, write_tree(device, ("100644", b"a", blob), ("40000", b"a", tree)))
    assert "there twice" in refuse(device).why


@pytest.mark.parametrize("mode", ["100600", "104755", "100000", "60000", "10000", "140000", "755", "x"])
def test_a_mode_that_is_not_known_is_refused(device: Path, mode: str) -> None:
    blob = git(device, "rev-parse", "HEAD:app/main.py")
    check_out_tree(device, write_tree(device, (mode, b"odd", blob)))
    assert "'odd' has the mode" in refuse(device).what


def test_a_group_writable_file_is_an_ordinary_file(device: Path) -> None:
    blob = git(device, "rev-parse", "HEAD:app/main.py")
    check_out_tree(device, write_tree(device, ("100664", b"a", blob)))
    with opened(device) as found:
        assert stat.S_IMODE((found.folder / "a").stat().st_mode) == 0o644


def test_a_tree_that_repeats_itself_is_refused(device: Path) -> None:
    tree = write_tree(device, ("100644", b"a", git(device, "rev-parse", "HEAD:app/main.py")))
    for _ in range(10):
        tree = write_tree(device, *(("40000", b"%03d" % number, tree) for number in range(100)))
    check_out_tree(device, tree)
    assert "entries" in refuse(device).what


def test_a_damaged_tree_is_refused(device: Path) -> None:
    check_out_tree(device, write_object(device, "tree", b"100644 a\0short"))
    assert "damaged" in refuse(device).what


@pytest.mark.parametrize(
    "text",
    [
        "ref: ../../etc/passwd",
        "ref: refs/heads/../../x",
        "ref: refs/heads/.invalid",
        "ref: main",
        "nothing",
        "ref: refs/heads/loop",
        "deadbeef",
        "ref: refs/heads/x.lock",
    ],
)
def test_a_head_that_names_no_commit_is_refused(device: Path, text: str) -> None:
    (device / ".git/HEAD").write_text(text + "\n")
    (device / ".git/refs/heads/loop").write_text("ref: refs/heads/loop\n")
    refuse(device)


def test_a_pipe_in_place_of_an_object_does_not_hang_for_ever(
    device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autoclave.device.source.objects._PATIENCE", 0.5)
    identity = git(device, "rev-parse", "HEAD:app/main.py")
    path = device / ".git/objects" / identity[:2] / identity[2:]
    path.unlink()
    os.mkfifo(path)
    assert "did not return an object within" in refuse(device).what


@pytest.mark.parametrize("header", ["tree 3", "blob 4", "blob 99999999999", "blob -1", "blob x", ""])
def test_an_object_with_a_false_header_is_refused(
    device: Path, header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autoclave.device.source.objects._PATIENCE", 5)  # git waits for what is announced
    identity = git(device, "rev-parse", "HEAD:app/main.py")
    path = device / ".git/objects" / identity[:2] / identity[2:]
    path.unlink()
    path.write_bytes(zlib.compress(header.encode() + b"\0evi"))
    refuse(device)


def test_linked_objects_or_a_linked_head_are_refused(device: Path, tmp_path: Path) -> None:
    (device / ".git/objects").rename(tmp_path / "objects")
    (device / ".git/objects").symlink_to(tmp_path / "objects")
    assert "borrows objects" in refuse(device).what
    (device / ".git/HEAD").rename(tmp_path / "HEAD")
    (device / ".git/HEAD").symlink_to(tmp_path / "HEAD")
    refuse(device)


@pytest.mark.parametrize(
    "text", ["gitdir: /nonexistent", "gitdir: ../other", "nothing", "gitdir: a\0b", "gitdir:"]
)
def test_a_gitfile_that_names_no_repository_is_refused(device: Path, text: str) -> None:
    shutil.rmtree(device / ".git")
    (device / ".git").write_text(text)
    refuse(device)


def test_an_empty_git_folder_is_not_a_repository(device: Path) -> None:
    inner = device / "inner"
    commit(device, {"inner/x": "x"})
    (inner / ".git").mkdir()
    assert read(inner) == {"x": "x"}


def test_a_folder_in_place_of_a_file_and_a_file_in_place_of_a_folder_change_nothing(device: Path) -> None:
    shutil.rmtree(device / "app")
    (device / "app").write_text("a file now")
    (device / "autoclave.toml").unlink()
    (device / "autoclave.toml").mkdir()
    assert read(device) == FILES


def test_reftables_are_refused_with_the_way_out(device: Path) -> None:
    (device / ".git/reftable").mkdir()
    assert "git refs migrate" in refuse(device).next


# Links, submodules, Git LFS, and the folder of our own.


@pytest.mark.parametrize("links", [
    {"app/a": "main.py"}, {"a": "app", "b": "a/main.py"}, {"app/a": "../autoclave.toml"}, {"app/a": "no"},
    {"app/a": "../app/../app/main.py"}, {"a": ".autoclave/x"},
])  # fmt: skip
def test_links_that_stay_inside_are_links(device: Path, links: dict[str, str]) -> None:
    for name, target in links.items():
        (device / name).symlink_to(target)
    commit(device)
    assert read(device) == FILES | {name: f"-> {target}" for name, target in links.items()}


def test_a_file_is_read_through_a_link_as_in_a_work_tree(device: Path) -> None:
    (device / "linked").symlink_to("app")
    commit(device)
    with opened(device) as found:
        worktree = source.open_work_tree(device, Shell())
        assert found.read("linked/main.py") == worktree.read("linked/main.py") == b"print(1)\n"


@pytest.mark.parametrize(("links", "named"), [
    ({"app/a": "/etc/passwd"}, "app/a"), ({"app/a": "../../x"}, "app/a"), ({"a": "b", "b": ".."}, "a"),
    ({"app/up": "..", "a": "app/up/../x"}, "a"), ({"a": "b/../..", "b": "app"}, "a"), ({"a": "a"}, "a"),
    ({"a": "b", "b": "a"}, "a"), ({"app/a": "missing/../../../x"}, "app/a"),
])  # fmt: skip
def test_links_that_leave_the_folder_are_refused(device: Path, links: dict[str, str], named: str) -> None:
    for name, target in links.items():
        (device / name).symlink_to(target)
    commit(device)
    assert f"the link '{named}'" in refuse(device).what


@pytest.fixture
def with_module(device: Path, tmp_path: Path) -> Path:
    """A device with a submodule at `lib`, which has one itself."""
    commit(tmp_path / "inner", {"x": "inner"})
    commit(tmp_path / "lib", {"y": "lib"})
    add = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    git(tmp_path / "lib", *add, str(tmp_path / "inner"), "inner")
    commit(tmp_path / "lib")
    git(device, *add, str(tmp_path / "lib"), "lib")
    git(device, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive")
    commit(device)
    return device


def test_submodules_are_at_their_commit(with_module: Path) -> None:
    (with_module / "lib/y").write_text("evil")
    git(with_module / "lib", "-c", "user.name=x", "commit", "-qam", "evil")
    found = read(with_module)
    assert (found["lib/y"], found["lib/inner/x"]) == ("lib", "inner")


def test_a_submodule_that_is_not_there_is_named(with_module: Path) -> None:
    git(with_module, "submodule", "--quiet", "deinit", "-f", "lib")
    error = refuse(with_module)
    assert "the submodule 'lib'" in error.what
    assert "git submodule update --init --recursive lib" in error.next


def _pointer(digest: str, size: int) -> str:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {size}\n"


def test_pointers_of_lfs_are_replaced_by_what_they_name(device: Path) -> None:
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest
    import hashlib

    body = b"\0large"
    digest = hashlib.sha256(body).hexdigest()
    pointer = _pointer(digest, len(body))
    commit(device, {"app/big.bin": pointer})
    assert read(device)["app/big.bin"] == pointer  # no attribute gives it to LFS
    commit(device, {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"})
    assert "git lfs fetch" in refuse(device).next
    kept = device / ".git/lfs/objects" / digest[:2] / digest[2:4] / digest
    kept.parent.mkdir(parents=True)
    kept.write_bytes(body)
    assert read(device)["app/big.bin"] == body.decode()
    with opened(device) as found:
        assert found.read("app/big.bin") == body
    for wrong in (b"\0Large", body + b"x", b""):
        kept.write_bytes(wrong)
        assert "is not what the commit names" in refuse(device).what
    kept.unlink()
    os.mkfifo(kept)
    refuse(device)
    commit(device, {"app/big.bin": pointer.replace("oid", "ext-0-foo sha256:1\noid")})
    assert "'app/big.bin' is a pointer of Git LFS that cannot be read" in refuse(device).what


def test_our_own_folder_in_the_commit_is_refused(device: Path) -> None:
    (device / ".autoclave").mkdir()
    (device / ".autoclave/x").write_text("x")
    commit(device)
    assert "contains .autoclave" in refuse(device).what


@pytest.mark.parametrize("name", [".autoclave", ".autoclave/source"])
def test_our_own_folder_that_is_a_link_is_refused(device: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (device / name).parent.mkdir(exist_ok=True)
    (device / name).symlink_to(outside)
    with pytest.raises(SourceError):
        source.open_commit(device, device / ".autoclave", Shell())
    assert not list(outside.iterdir())


def test_what_a_killed_command_left_is_removed_and_what_a_running_one_uses_is_not(device: Path) -> None:
    with opened(device) as running:
        there = running.folder
        left = device / ".autoclave/source/0123"
        left.mkdir()
        (left / "x").write_text("x")
        other = source.open_commit(device, device / ".autoclave", Shell())
        assert not left.exists()
        assert (there / "autoclave.toml").exists()
        other.close()
        assert (there / "autoclave.toml").exists()
