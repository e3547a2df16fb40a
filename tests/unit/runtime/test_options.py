"""Options: each has a flag, a variable and a meaning."""

from __future__ import annotations

import pytest

from autoclave import build, deploy, pipeline, scan, sign, unit_test
from autoclave.runtime.options import fields


@pytest.mark.parametrize("step", [build, unit_test, scan, sign, deploy, pipeline])
def test_every_option_has_a_flag_a_variable_and_a_meaning(step: object) -> None:
    found = fields(step.Options)
    assert len({field.flag for field in found}) == len(found)
    assert len({field.variable for field in found}) == len(found)
    assert all(field.description for field in found)
