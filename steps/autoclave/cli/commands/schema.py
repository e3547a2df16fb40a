"""`autoclave schema`: the JSON schema of the device file."""

from __future__ import annotations

import click
import msgspec

from autoclave import targets
from autoclave.device.schema import json_schema


def command(name: str, text: str) -> click.Command:
    """Return the command."""

    def call() -> int:
        schema = json_schema()
        schema["$defs"]["Environment"]["properties"]["target"]["enum"] = list(targets.names())
        print(msgspec.json.format(msgspec.json.encode(schema), indent=2).decode())
        return 0

    return click.Command(name, callback=call, help=text, short_help=text)
