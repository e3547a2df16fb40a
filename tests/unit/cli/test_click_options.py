"""Options as click has them: a number is one that somebody can mean."""

from __future__ import annotations

import click
import pytest

from autoclave.cli.click_options import parameters
from autoclave.cli.commands.verify import Options


@pytest.mark.parametrize(("given", "fine"), [("0", True), ("90", True), ("-1", False), ("9" * 12, False)])
def test_a_number_has_bounds(given: str, fine: bool) -> None:
    command = click.Command("verify", params=parameters(Options), callback=lambda **_: None)
    words = ["--warn-days", given]
    if fine:
        assert command.main(words, standalone_mode=False) is None
    else:
        with pytest.raises(click.UsageError, match="not in the range"):
            command.main(words, standalone_mode=False)
