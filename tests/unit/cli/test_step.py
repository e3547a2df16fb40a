"""The command of one step loads that step, and neither the flow nor the other steps."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from autoclave.cli.commands import step
step.command("build", "")
print(*(name for name in sys.modules if name in {"autoclave.pipeline", "autoclave.sign", "autoclave.deploy"}))
"""


def test_only_the_step_itself_is_loaded() -> None:
    # In a process of its own: here, other tests have loaded the rest.
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
