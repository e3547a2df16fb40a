"""A home, a temporary folder or an encoding that cannot be used is one clear error before a build."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from autoclave.errors import MachineError, SignerError
from autoclave.runtime import surroundings
from autoclave.signers import development


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"HOME": ""}, "HOME is ''"),
        ({"HOME": "."}, "HOME is '.'"),
        ({"TMPDIR": "tmp"}, "TMPDIR is 'tmp'"),
        ({"TMPDIR": "/no/such/folder"}, "TMPDIR is '/no/such/folder'"),
        ({"TMPDIR": "/etc/passwd"}, "TMPDIR is '/etc/passwd'"),
    ],
)
def test_what_cannot_be_used_is_named(environ: dict[str, str], says: str) -> None:
    with pytest.raises(MachineError, match=says) as caught:
        surroundings.check(environ)
    assert caught.value.next


def test_another_encoding_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    surroundings.check({"HOME": "/root", "TMPDIR": ""})
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    with pytest.raises(MachineError, match="iso8859-1, not UTF-8"):
        surroundings.check({})


@pytest.mark.parametrize("value", ["", ".", "relative/folder"])
def test_no_settings_are_read_from_the_current_folder(
    value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", value)
    monkeypatch.setenv("XDG_CONFIG_HOME", value)
    assert surroundings.home().is_absolute()
    assert surroundings.base_folder("XDG_CONFIG_HOME", ".config").is_absolute()


@pytest.mark.parametrize("home", ["/proc", "/dev/null", "/nonexistent/home"])
def test_a_home_that_cannot_be_written_is_named_with_a_way_out(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", home if home != "/nonexistent/home" else "/proc/x")
    with pytest.raises(SignerError, match="development keys") as caught:
        development.ensure(development.STEPS)
    assert "XDG_CONFIG_HOME" in caught.value.next


def test_text_that_the_encoding_lacks_is_printed_as_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    surroundings.print_any_text()
    print("✔ µ", flush=True)
    assert raw.getvalue() == b"\\u2714 \\xb5\n"
