"""Our own devices are what we tell others to write: `autoclave validate` has nothing to say about them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from autoclave.actions import validate
from autoclave.actions.validate import Level

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(each.parent for each in ROOT.glob("examples/*/autoclave.toml"))
DEVICES = [".", *(str(each.relative_to(ROOT)) for each in EXAMPLES)]


@pytest.mark.parametrize("folder", DEVICES)
def test_validate_has_nothing_to_say_about_our_own_devices(folder: str) -> None:
    found = validate.check(ROOT / folder, "", date(2026, 12, 1))
    assert [each for each in found if each.level is not Level.NOTE] == []
