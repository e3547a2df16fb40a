"""The shell shows commands to paste and quotes what failed, without secrets."""

from __future__ import annotations

import shlex
import sys

import pytest

from autoclave.errors import ToolError
from autoclave.runtime.redact import Mask
from autoclave.runtime.shell import Shell

SECRETS = ["swordfish", "it's a 'secret'", 'a"b$c d']


@pytest.mark.parametrize("secret", SECRETS)
def test_a_shown_command_has_no_secret_however_it_is_quoted(secret: str) -> None:
    shown: list[str] = []
    Shell(echo=shown.append, mask=Mask([secret])).show(["tool", "--key", secret], env={"KEY": secret})
    assert shlex.split(shown[0]) == ["KEY=[masked]", "tool", "--key", "[masked]"]


def test_a_shown_command_can_be_pasted() -> None:
    shown: list[str] = []
    argv = ["tool", "", "a b", "it's", "$HOME", "*"]
    Shell(echo=shown.append).show(argv, env={"A": "1 2"})
    assert shlex.split(shown[0]) == ["A=1 2", *argv]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_failed_command_is_reported_without_secrets(secret: str) -> None:
    code = "import sys; sys.stderr.write(sys.argv[1]); sys.exit(3)"
    with pytest.raises(ToolError, match="ended with exit code 3") as caught:
        Shell(mask=Mask([secret])).run([sys.executable, "-c", code, secret])
    assert caught.value.why == "[masked]"
    assert shlex.split(caught.value.next)[-1] == "[masked]"


def test_a_command_that_takes_too_long_is_reported_without_secrets() -> None:
    with pytest.raises(ToolError, match="did not finish") as caught:
        Shell(mask=Mask(["swordfish"])).run(
            [sys.executable, "-c", "import time; time.sleep(60)", "swordfish"], timeout=0.1
        )
    assert shlex.split(caught.value.next)[-1] == "[masked]"


def test_a_streamed_line_has_no_secret() -> None:
    lines: list[str] = []
    code = Shell(mask=Mask(["swordfish"])).stream(
        [sys.executable, "-c", "print('a swordfish'); print('b')"], lines.append
    )
    assert (code, lines) == (0, ["a [masked]", "b"])


def test_a_missing_program_is_reported_with_how_to_install_it() -> None:
    with pytest.raises(ToolError, match="is missing") as caught:
        Shell().run(["no-such-program-of-ours"])
    assert "autoclave tools install" in caught.value.next
