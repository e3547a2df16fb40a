"""Where a tool is put: a folder of its own for each version, and one link that is exchanged at the end."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from autoclave.actions.tools.sources import Unavailable
from autoclave.errors import MachineError
from autoclave.runtime import programs
from autoclave.runtime.shell import Shell
from autoclave.tools import Tool
from autoclave.tools.examine import State, look_at

_NOTE = "origin.json"
_CHUNK = 1 << 20


class Origin(Struct, frozen=True):
    """Where an installed program came from, and its digest then."""

    tool: str
    version: str
    origin: str
    sha256: str


@contextmanager
def stage() -> Iterator[Path]:
    """Yield an empty folder beside the installed tools, on their disk. Raises MachineError."""
    try:
        programs.folder().mkdir(parents=True, exist_ok=True, mode=0o755)
        with tempfile.TemporaryDirectory(
            prefix=".new-", dir=programs.folder(), ignore_cleanup_errors=True
        ) as folder:
            yield Path(folder)
    except OSError as error:
        raise MachineError(
            f"{programs.folder()} cannot be written",
            why=error.strerror or str(error),
            next="set HOME or XDG_DATA_HOME to a folder that can be written, with space for the tool",
        ) from error


def check(tool: Tool, path: Path, shell: Shell) -> str:
    """Make a program executable, and return its version. Raises Unavailable when it is not accepted."""
    path.chmod(0o755)
    here = look_at(tool, shell, str(path), "")
    if here.state is not State.ACCEPTED:
        why = f"it prints {here.version or 'no version'}, accepted is {tool.accepted}"
        raise Unavailable(f"what was got is not {tool.name} as it is accepted", why=why)
    return here.version


def settle(name: str, version: str, folder: Path, origin: str) -> Path:
    """Move a program from its staging folder to its place, exchange the link, and return that."""
    digest = _hash(folder / name)
    there = programs.folder() / f"{name}-{version}-{digest[:12]}"
    there.mkdir(mode=0o755, exist_ok=True)
    (folder / name).replace(there / name)
    note = Origin(name, version, origin, digest)
    (there / _NOTE).write_bytes(msgspec.json.format(msgspec.json.encode(note)) + b"\n")
    links = programs.folder() / "bin"
    links.mkdir(mode=0o755, exist_ok=True)
    made = folder / "link"
    made.symlink_to(Path("..") / there.name / name)
    made.replace(links / name)
    return links / name


def read_origin(path: str) -> tuple[Origin, bool] | None:
    """Return where an installed program came from, and whether it is still the same; None without a note."""
    real = Path(path).resolve()
    try:
        origin = msgspec.json.decode((real.parent / _NOTE).read_bytes(), type=Origin)
        return origin, _hash(real) == origin.sha256
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def path_hint() -> str:
    """Return a line for whoever wants to call the tools himself."""
    links = programs.folder() / "bin"
    found = str(links) in os.environ.get("PATH", "").split(os.pathsep)
    return "" if found else f'Autoclave finds it by itself; for your own shell: export PATH="{links}:$PATH"'
