"""The options that say which scanners are used, and with which programs and databases."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Struct

from autoclave import scanners
from autoclave.errors import ConfigError, UsageError
from autoclave.runtime.options import option
from autoclave.runtime.shell import Shell
from autoclave.scanners.base import Scanner, Setup


class ScannerOptions(Struct, frozen=True, kw_only=True):
    """Options of the scanners, for every command that uses some."""

    scanner: Annotated[
        tuple[str, ...],
        option(
            "scan with this scanner, repeatable "
            f"(default: those that the policy requires, else {scanners.DEFAULT})",
            choices=scanners.names(),
        ),
    ] = ()
    scanner_command: Annotated[
        str, option("the scanner's command, if not its name (of one of several: NAME=COMMAND,NAME=COMMAND)")
    ] = ""
    scanner_cache: Annotated[
        str,
        option(
            "folder with the scanner's database (of one of several: NAME=FOLDER,NAME=FOLDER); none: its own"
        ),
    ] = ""


def create(options: ScannerOptions, required: Collection[str], shell: Shell) -> tuple[Scanner, ...]:
    """Return the scanners to use: those named, else those that the policy requires, else the default."""
    unknown = sorted(set(required) - set(scanners.names()))
    if unknown and not options.scanner:
        raise ConfigError(
            f"the policy requires an unknown scanner: '{unknown[0]}'",
            why=f"scan.scanners = [{', '.join(sorted(required))}]; known here: {', '.join(scanners.names())}",
            next="correct the policy, or use an Autoclave that has this scanner",
        )
    chosen = tuple(dict.fromkeys(options.scanner or sorted(required) or (scanners.DEFAULT,)))
    return tuple(
        scanners.create(
            name,
            Setup(
                shell=shell,
                command=_value("--scanner-command", options.scanner_command, name, chosen),
                cache=Path(cache)
                if (cache := _value("--scanner-cache", options.scanner_cache, name, chosen))
                else None,
            ),
        )
        for name in chosen
    )


def _value(flag: str, text: str, name: str, chosen: Sequence[str]) -> str:
    """Return what an option says for one scanner: `VALUE`, or `NAME=VALUE,NAME=VALUE`; empty: nothing.

    Only the name of a scanner begins a pair, so that a path may contain `=` and `,`.
    """
    parts = re.split(rf"(?:^|,)({'|'.join(scanners.names())})=", text)
    if parts[0] and len(chosen) > 1:
        raise UsageError(
            f"{flag} does not say which scanner it is for",
            why=f"'{text}' is for one scanner, and there are {len(chosen)}: {', '.join(chosen)}",
            next=f"name it: {flag} {chosen[0]}={text}",
        )
    if parts[0]:
        return text
    return dict(zip(parts[1::2], parts[2::2], strict=True)).get(name, "")
