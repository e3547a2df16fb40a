"""Who opens files: the device folder and `.autoclave` are reached through `Folder`, or through the source.

Every other module that opens, lists, writes or removes files by path is named here, with what it touches.
None of that is chosen by a device repository alone.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "steps" / "autoclave"

DOORS = {
    "runtime/folder.py": "Folder itself: by descriptor, no link is followed",
    "device/source/": "the commit's tree, out of git's objects, written by descriptor; the work tree",
    "store/layout/blobs.py": "a store, by descriptors that a Folder opened",
}
SOURCE = {
    "actions/validate/images.py": "whether the context of the source has what a Dockerfile copies",
    "materials.py": "the Dockerfile of the source, a plain file inside of it",
    "device/files.py": "digests of the source's files",
    "device/requirements/rows.py": "requirements of the source, each resolved inside of it",
    "engines/docker/ignore.py": "which files a build context of the source has",
    "harness/archive.py": "tests of the source, each resolved inside of it",
    "targets/kubernetes/manifests.py": "manifests of the source, each resolved inside of it",
}
OWN_FOLDER = {
    "actions/tools/": "tools in the user's data folder, and a mirror that the user names",
    "cli/commands/doctor/files.py": "sizes of the store and of the user's caches: no link is followed",
    "bundles/check.py": "the trust file of a bundle",
    "actions/catalogues.py": "the copies of catalogues in the user's cache",
    "actions/databases.py": "the scanners' databases in the user's cache",
    "cli/commands/verify.py": "the same, for one verification",
    "engines/docker/build.py": "the client configuration of one build, its ignore file and id",
    "evidence/timestamps/rfc3161.py": "what openssl reads and writes",
    "report/pdf.py": "what Chromium prints",
    "scan.py": "what a scanner wrote",
    "scanners/archives.py": "databases in the user's cache, and files that the user names",
    "scanners/catalogues.py": "the catalogues that the organisation's policy names",
    "scanners/clair/": "the same, and layers of the store's verified copy for the server",
    "scanners/grype/": "what the scanner wrote, and its database in the user's cache",
    "scanners/images.py": "the store's verified copy, for a scanner",
    "scanners/reports.py": "what a scanner wrote",
    "scanners/trivy/": "the same, and the scanner's database in the user's cache",
    "runtime/shell.py": "what a program prints, for a scanner",
}
USER = {
    "cli/commands/github.py": "the file that GitHub's runner names for a job's summary",
    "cli/commands/policy/init.py": "the policy file that the user names, created and never replaced",
    "targets/kubernetes/kubeconfig.py": "the certificate of the pod's own cluster",
    "bundles/unpack.py": "the bundle that the user names",
    "bundles/verify.py": "it stands alone, with an auditor",
    "cli/commands/run.py": "plans that the user names",
    "evidence/trust.py": "the trust file that the organisation names, and keys beside it",
    "runtime/toml.py": "the policy and trust files that the organisation names",
    "signers/": "keys",
    "targets/docker/secrets.py": "the operator's folder of secrets, outside of the repository",
    "store/registry/auth.py": "the client's registry credentials",
}
PACKAGED = {
    "report/clauses/__init__.py": "data of this package; elsewhere resources.files(…) says so",
    "runtime/version.py": "this package's own version, built or checked out",
}
PLUGIN = re.compile(r"(engines|scanners|targets)/\w+\.py")
"""A plug-in is one file and no row in a list: it drives a tool in a folder of its own."""
MAY = {**DOORS, **SOURCE, **OWN_FOLDER, **USER, **PACKAGED}

PATH_METHODS = {
    *("glob", "hardlink_to", "iterdir", "mkdir", "open", "read_bytes", "read_text", "rglob", "rmdir"),
    *("symlink_to", "touch", "unlink", "write_bytes", "write_text"),
}
FUNCTIONS = {
    "os": {
        *(
            "link",
            "listdir",
            "makedirs",
            "mkdir",
            "mkfifo",
            "open",
            "remove",
            "removedirs",
            "rename",
            "renames",
        ),
        *("replace", "rmdir", "scandir", "symlink", "truncate", "unlink", "walk"),
    },
    "shutil": {"copy", "copy2", "copyfile", "copytree", "move", "rmtree", "unpack_archive"},
    "tempfile": {"NamedTemporaryFile", "mkdtemp", "mkstemp"},
    "io": {"open", "FileIO"},
}
NOT_FILES = {"tarfile", "gzip", "client", "rows"}
"""What has a method of such a name, and opens a file object, an address or a checked path."""


def opens(source: str) -> set[str]:
    """Return the calls of a source that open, list, write or remove files by path."""
    return {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and is_file_call(node)
    }


def is_file_call(call: ast.Call) -> bool:
    """Return whether a call touches files by path."""
    called = call.func
    if isinstance(called, ast.Name):
        return called.id == "open"
    if not isinstance(called, ast.Attribute):
        return False
    receiver = ast.unparse(called.value)
    if receiver in FUNCTIONS:
        return called.attr in FUNCTIONS[receiver]
    if "files(" in receiver or "build_opener(" in receiver or receiver in NOT_FILES:
        return False
    if called.attr in {"replace", "rename"}:  # of a path: one argument; of a text or of a container: two
        return len(call.args) == 1 and not call.keywords
    return called.attr in PATH_METHODS


def found() -> dict[str, set[str]]:
    """Return the modules that open files, with the calls."""
    calls = {
        path.relative_to(PACKAGE).as_posix(): opens(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")
    }
    return {where: each for where, each in calls.items() if each}


def test_no_other_module_opens_a_file() -> None:
    named = tuple(MAY)
    assert {
        where: calls
        for where, calls in found().items()
        if not where.startswith(named) and not PLUGIN.fullmatch(where)
    } == {}


def test_no_module_is_named_in_vain() -> None:
    assert [name for name in MAY if not any(where.startswith(name) for where in found())] == []


def test_modules_that_write_into_a_device_folder_use_folder() -> None:
    for where in (
        "actions/handover.py",
        "actions/waive.py",
        "bundles/merge.py",
        "bundles/write.py",
        "cli/commands/import_bundle.py",
        "cli/commands/init.py",
        "cli/commands/jenkins/approvals.py",
        "cli/commands/report.py",
        "context.py",
        "release/decisions.py",
        "store/layout/__init__.py",
        "store/layout/lock.py",
    ):
        assert where not in found()
        assert not where.startswith(tuple(MAY)), where


@pytest.mark.parametrize(
    ("source", "is_one"),
    [
        ("open('x')", True),
        ("path.open('rb')", True),
        ("(folder / name).write_text(text)", True),
        ("import os\nos.replace(a, b)", True),
        ("def f():\n    shutil.rmtree(x)", True),
        ("path.unlink()", True),
        ("made.replace(folder / name)", True),
        ("date.replace(tzinfo=UTC)", False),
        ("structs.replace(a, b=1)", False),
        ("text.replace('a', 'b')", False),
        ("tarfile.open(fileobj=x)", False),
        ("resources.files(__name__).joinpath('x').read_bytes()", False),
        ("folder.write('x', [b''])", False),
    ],
)
def test_a_call_is_recognised(source: str, is_one: bool) -> None:
    assert bool(opens(source)) == is_one
