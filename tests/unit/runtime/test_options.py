"""Options: each has a flag, a variable and a meaning."""

from __future__ import annotations

from typing import Annotated

import pytest
from msgspec import Struct

from autoclave import build, deploy, pipeline, scan, sign, unit_test
from autoclave.cli.click_options import make_command
from autoclave.runtime import options
from autoclave.runtime.options import Common, fields, option


class Shared(Struct, frozen=True, kw_only=True):
    fruit: Annotated[tuple[str, ...], option("what to eat", choices=("apple", "pear"))] = ()


class Options(Common, frozen=True):
    shared: Shared = Shared()
    last: Annotated[str, option("something else")] = ""


@pytest.mark.parametrize("step", [build, unit_test, scan, sign, deploy, pipeline])
def test_every_option_has_a_flag_a_variable_and_a_meaning(step: object) -> None:
    found = fields(step.Options)
    assert len({field.flag for field in found}) == len(found)
    assert len({field.variable for field in found}) == len(found)
    assert all(field.description for field in found)


def test_options_of_a_group_are_flags_like_any_other() -> None:
    fruit, last = (each for each in fields(Options) if each.name in {"fruit", "last"})
    assert (fruit.flag, fruit.variable, fruit.choices) == ("--fruit", "AUTOCLAVE_FRUIT", ("apple", "pear"))
    assert last.flag == "--last"
    made = options.build(Options, {"fruit": ("pear",), "last": "x", "folder": "."})
    assert made == Options(shared=Shared(fruit=("pear",)), last="x")


def test_choices_are_the_only_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = make_command("eat", "eat", Options, lambda made, ctx: 0)
    with pytest.raises(SystemExit) as ended:
        command(["--fruit", "stone"])
    assert ended.value.code == 2
    assert "'stone' is not one of 'apple', 'pear'" in capsys.readouterr().err
    monkeypatch.setenv("AUTOCLAVE_FRUIT", "")  # as a host passes an input that nobody set
    assert command(["-C", "/nonexistent"], standalone_mode=False) == 0
