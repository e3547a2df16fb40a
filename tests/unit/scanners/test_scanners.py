"""Scanners are the modules of their folder, by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave import scanners
from autoclave.errors import UsageError
from autoclave.runtime.shell import Shell
from autoclave.scanners.base import Setup


def test_every_module_is_a_scanner_of_that_name_or_a_helper() -> None:
    assert scanners.DEFAULT in scanners.names()
    for name in scanners.names():
        scanner = scanners.create(name, Setup(shell=Shell()))
        assert scanner.name == name
        assert scanner.command and not any("/" in word for word in scanner.command)
    (folder,) = scanners.__path__
    assert {path.stem for path in Path(folder).glob("*.py")} >= scanners.HELPERS


def test_an_unknown_scanner_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(UsageError) as caught:
        scanners.create("tribvy", Setup(shell=Shell()))
    assert caught.value.what == "there is no scanner 'tribvy'"
    assert caught.value.next == "did you mean 'trivy'?"
