"""The programs that Autoclave starts: what for, which versions are accepted, and where they can be had.

The facts are in one table, table.toml.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Annotated

from msgspec import Struct

from autoclave.errors import UsageError
from autoclave.model.text import matching
from autoclave.runtime.toml import convert, nearest, parse_toml
from autoclave.tools.versions import Range

_SHA256 = Annotated[
    str, matching("[0-9a-f]{64}", says="a SHA-256 in 64 digits of 0 to 9 and a to f", example="0" * 64)
]


class File(Struct, frozen=True, forbid_unknown_fields=True):
    """A file that a vendor publishes, and the digest that it must have."""

    url: Annotated[
        str,
        matching(
            "https://[!-~]+", says="an address that begins with https://", example="https://example.org/x"
        ),
    ]
    sha256: _SHA256


class Release(Struct, frozen=True, forbid_unknown_fields=True):
    """A version of a vendor: files by platform, as `linux-amd64`.

    `member` is the program in an archive, PLATFORM for the platform; without one, the file is the program.
    """

    version: str
    files: dict[str, File]
    member: str = ""


class Build(Struct, frozen=True, forbid_unknown_fields=True):
    """How a program is built from pinned Go modules: the linker sets the variables in `set`."""

    module: str
    version: str
    package: str
    set: tuple[str, ...]
    experiment: str = ""
    minutes: int = 0


class Tool(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One program; `version` are the arguments with which it prints its version."""

    name: str = ""
    purpose: str
    needed: str
    version: tuple[str, ...]
    tested: tuple[str, ...]
    least: str
    below: str
    enforced: bool = False
    variable: str = ""
    hint: str = ""
    release: Release | None = None
    build: Build | None = None

    @property
    def accepted(self) -> Range:
        """The versions that are accepted."""
        return Range(self.least, self.below)


@cache
def table() -> dict[str, Tool]:
    """Return every tool by its name, in the order of the table."""
    text = resources.files(__name__).joinpath("table.toml").read_text("utf-8")
    listed = {name: {"name": name, **each} for name, each in parse_toml(text, "tools/table.toml").items()}
    return convert(listed, dict[str, Tool], source="tools/table.toml")


def find(name: str) -> Tool:
    """Return a tool by its name. Raises UsageError with the nearest one."""
    if name not in table():
        raise UsageError(f"there is no tool '{name}'", next=nearest(name, table()))
    return table()[name]
