"""`autoclave policy init`: a commented policy file of an organisation, to start from."""

from __future__ import annotations

from pathlib import Path

import click

from autoclave.device.schema import FILE
from autoclave.errors import ConfigError

_TEXT = "write a commented policy of an organisation, to start from"


def command() -> click.Command:
    """Return the command."""
    output = click.Option(["--output", "-o"], default="policy.toml", help="write it to this file")
    return click.Command(
        "init", callback=lambda output: run(Path(output)), params=[output], help=_TEXT, short_help=_TEXT
    )


def run(path: Path) -> int:
    """Write an organisation's policy file. Raises ConfigError when it exists, or a device could change it."""
    _refuse_device(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(STARTER)
    except FileExistsError as error:
        raise ConfigError(f"{path} exists already", next="edit it, or name another file") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be written", why=error.strerror or str(error)) from error
    print(f"wrote {path}: read it, then give it to jobs and people as AUTOCLAVE_POLICY")
    return 0


def _refuse_device(path: Path) -> None:
    """Refuse a file in a device repository: whoever changes the device could change what judges it."""
    for folder in path.absolute().resolve().parents:
        if (folder / FILE).exists():
            raise ConfigError(
                f"{path} would be in the device repository {folder}",
                why="what an organisation requires must not be for the device's developers to change",
                next="write it elsewhere: autoclave policy init -o /etc/autoclave/policy.toml",
            )


STARTER = """\
# What this organisation requires of its devices. Jobs and people name it with --policy or AUTOCLAVE_POLICY.
# Keep it where no device repository can change it. The profile of a device's safety class comes first: this
# file can require more of everything, and it alone can allow what is marked as allowed here.

[production]
# Allowed here: the places that are not production. Everywhere else a release needs your own keys, a full
# advisory database and approvals. 'autoclave plan' prints the place of each environment, to copy from;
# * stands for part of a name. Remove "local" where jobs deploy to the very machine that they run on.
exempt = [
  "local",                                          # this machine: sockets and loopback addresses
  # "engine tcp://lab-1.example:2376",
  # "cluster https://lab.example:6443 staging-*",   # an API server, and namespaces
  # "registry registry.example/trial/*",
]

# Allowed here: the variables of a job that a build may read as secrets, and mirrors of Docker's frontend.
# [build]
# secrets = ["PIP_INDEX_TOKEN"]
# frontends = ["mirror.example/docker/dockerfile"]

# Allowed here: kinds of Kubernetes objects besides the known ones, and where they say what they run.
# [kubernetes.kinds."Workflow.argoproj.io"]
# containers = ["spec.templates[*].container"]

# The lowest IEC 62304 class that a device may have. A device with another name is one of the others ("*").
# [device.infusion-pump]
# safety-class = "C"
# [device."*"]
# safety-class = "C"

# More than the profile requires, for instance:
# [approvals]
# production = { engineering = 1, quality = 1, regulatory = 1 }
# [release]
# timestamp = true
"""
