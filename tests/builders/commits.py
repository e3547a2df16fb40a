"""Git repositories for tests, and objects that git itself would not write."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zlib
from pathlib import Path

AUTHOR = {
    **{f"GIT_{who}_NAME": "test" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "test@example.org" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_DATE": "1700000000 +0000" for who in ("AUTHOR", "COMMITTER")},
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def git(folder: Path, *words: str, stdin: bytes = b"") -> str:
    """Run git in a folder, without anybody's settings; return what it printed."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), **AUTHOR}
    done = subprocess.run(
        ["git", "-c", "gc.auto=0", "-C", str(folder), *words],
        input=stdin,
        env=environ,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def commit(folder: Path, files: dict[str, str] | None = None) -> str:
    """Write files, commit all of the folder, and return the commit; a new repository when there is none."""
    for name, text in (files or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    folder.mkdir(exist_ok=True)
    if not (folder / ".git").exists():
        git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "test")
    return git(folder, "rev-parse", "HEAD")


def write_object(repository: Path, kind: str, body: bytes, *, under: str = "") -> str:
    """Write a loose object, whatever is in it, `under` another id if one is given; return its id."""
    raw = f"{kind} {len(body)}\0".encode() + body
    identity = under or hashlib.sha1(raw, usedforsecurity=False).hexdigest()
    path = repository / ".git" / "objects" / identity[:2] / identity[2:]
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(zlib.compress(raw))
    return identity


def write_tree(repository: Path, *entries: tuple[str, bytes, str]) -> str:
    """Write a tree with entries of mode, name and id, in this order; return its id."""
    body = b"".join(
        mode.encode() + b" " + name + b"\0" + bytes.fromhex(identity) for mode, name, identity in entries
    )
    return write_object(repository, "tree", body)


def check_out_tree(repository: Path, tree: str) -> str:
    """Make a commit of a tree, and let HEAD name it; return the commit."""
    who = "test <test@example.org> 1700000000 +0000"
    body = f"tree {tree}\nauthor {who}\ncommitter {who}\n\ntest\n".encode()
    identity = write_object(repository, "commit", body)
    (repository / ".git" / "HEAD").write_text(identity + "\n")
    return identity


def poison(device: Path, proof: Path) -> None:
    """Let every setting and file of a repository that can run a program run one."""
    run = f"sh -c 'echo ran >>{proof}'"
    script = device / ".git/evil"
    script.write_text(f"#!/bin/sh\necho ran >>{proof}\ncat\n")
    script.chmod(0o755)
    for name in ("post-index-change", "post-checkout", "pre-commit", "reference-transaction"):
        shutil.copy(script, device / ".git/hooks" / name)
    for key, value in {
        "core.fsmonitor": run,
        "core.sshCommand": run,
        "core.hooksPath": str(device / ".git/hooks"),
        "core.pager": run,
        "core.worktree": "/",
        "core.attributesFile": str(device / ".git/info/attributes"),
        "core.alternateRefsCommand": run,
        "gpg.program": str(script),
        "log.showSignature": "true",
        "filter.x.clean": run,
        "filter.x.smudge": run,
        "filter.x.process": run,
        "filter.x.required": "true",
        "diff.x.textconv": run,
        "diff.external": run,
        "credential.helper": f"!{run}",
        "uploadpack.packObjectsHook": run,
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{run}",
        "extensions.partialClone": "origin",
    }.items():
        git(device, "config", key, value)
    (device / ".git/info/attributes").write_text("* filter=x diff=x\n")
