"""No CI host: a person, or a script, on a machine."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from collections.abc import Mapping, Sequence

from autoclave.console.base import Screen
from autoclave.console.plain import PlainScreen
from autoclave.hosts.base import Command, File, Job
from autoclave.model.facts import ScanFacts


def create() -> Local:
    """Return the host."""
    return Local()


class Local:
    """The machine itself. It is chosen last, when no other host is detected."""

    name = "local"

    def detect(self, environ: Mapping[str, str]) -> bool:
        """Return True: everything runs on some machine."""
        return True

    def job(self, environ: Mapping[str, str]) -> Job:
        """Return `user@machine`, without a page."""
        try:
            user = getpass.getuser()
        except (OSError, KeyError):  # a user id without an entry in the password file
            user = str(os.getuid())
        return Job(user=f"{user}@{socket.gethostname()}")

    def console(self) -> Screen:
        """Return a live table for a terminal, else plain lines."""
        if sys.stderr.isatty():
            from autoclave.console.live import LiveScreen

            return LiveScreen()
        return PlainScreen()

    def scan_report(self, scanned: Sequence[tuple[str, ScanFacts]]) -> File | None:
        """Return None: nobody reads one."""

    def starter(self, version: str) -> File | None:
        """Return None: `autoclave run` needs no file."""

    def commands(self) -> tuple[Command, ...]:
        """Return no commands."""
        return ()
