"""`autoclave schema`: the JSON schema of the device file, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from autoclave import targets
from autoclave.context import STATE, open_state
from autoclave.device.keys import json_schema
from autoclave.model.text import for_schema
from autoclave.policy.schema import Policy
from autoclave.runtime.folder import Folder

NAME = "schema.json"
LINE = f"#:schema {STATE}/{NAME}"
"""The first line of a device file, by which editors (Taplo, Even Better TOML) find the schema."""


def command(name: str, text: str) -> click.Command:
    """Return the command."""

    def call(folder: str, *, write: bool) -> int:
        if write:
            path = write_schema(Path(folder))
            print(f"wrote {path}: editors find it by the line '{LINE}' at the top of autoclave.toml")
        else:
            print(render())
        return 0

    options = [
        click.Option(["--folder", "-C"], default=".", help="the folder with autoclave.toml"),
        click.Option(
            ["--write"], is_flag=True, help=f"write it to {STATE}/{NAME}, where editors look for it"
        ),
    ]
    return click.Command(name, callback=call, params=list(options), help=text, short_help=text)


def write_schema(folder: Path) -> Path:
    """Write the schema where the first line of the device file says that it is. Raises SourceError."""
    state: Folder = open_state(folder.resolve())
    return state.write(NAME, [render().encode()])


def render() -> str:
    """Return the schema as JSON text, with the targets that there are and the keys of the policy."""
    schema = json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["$defs"]["Environment"]["properties"]["target"]["enum"] = list(targets.names())
    policy = _describe_policy()
    schema["$defs"] |= policy.pop("$defs")
    device = schema["$defs"]["Device"]["properties"]
    device["policy"] = device["policy"] | policy
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()


def _describe_policy() -> dict[str, Any]:
    """Return the schema of [policy]: the keys of the whole policy, none of them required."""
    made: dict[str, Any] = for_schema(msgspec.json.schema(Policy))
    for each in made["$defs"].values():
        each.pop("required", None)
    return {"$ref": made["$ref"], "$defs": made["$defs"]}
