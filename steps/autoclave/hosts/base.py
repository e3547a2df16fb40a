"""What a CI host is to Autoclave: what its jobs are known by, and what it reads and shows of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from autoclave.console.base import Screen
from autoclave.model.facts import ScanFacts


class Job(Struct, frozen=True, kw_only=True):
    """What runs the steps: the web page of a job, and who started it. Either may be empty."""

    url: str = ""
    user: str = ""


class File(Struct, frozen=True):
    """A file that a host reads, by its name."""

    name: str
    content: bytes


class Command(Struct, frozen=True):
    """A host's command: its module below `autoclave.cli.commands`, and its one line of help."""

    name: str
    module: str
    text: str


class Host(Protocol):
    """A CI host. Nothing here contacts its server."""

    @property
    def name(self) -> str:
        """The host's name, as `autoclave init --host` takes it."""

    def detect(self, environ: Mapping[str, str]) -> bool:
        """Return whether these are the variables of one of the host's jobs."""

    def job(self, environ: Mapping[str, str]) -> Job:
        """Return the job that these variables describe."""

    def console(self) -> Screen:
        """Return the screen that fits the host's log."""

    def scan_report(self, scanned: Sequence[tuple[str, ScanFacts]]) -> File | None:
        """Return the findings of images, by name, as the host reads them; None when it reads none."""

    def starter(self, version: str) -> File | None:
        """Return the file by which a repository uses Autoclave of a version there; None without one."""

    def commands(self) -> tuple[Command, ...]:
        """Return the commands that need this host's server."""
