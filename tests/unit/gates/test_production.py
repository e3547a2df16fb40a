"""Production is decided by the place that a deployment reaches, and never by a name."""

from __future__ import annotations

import pytest

from autoclave.gates.production import judge
from autoclave.model.place import Place

CLINIC = Place("engine", "tcp://clinic:2376")
HERE = Place("engine", "unix:///var/run/docker.sock")


@pytest.mark.parametrize("name", ["demo", "dev", "development", "local", "staging", "test", "clinic"])
def test_no_name_makes_a_place_harmless(name: str) -> None:
    judged = judge(name, CLINIC, {"local"}, declared=False)
    assert judged.production
    assert str(judged) == (
        f"{name}: production, because engine tcp://clinic:2376 is not exempt (production.exempt: 'local')"
    )
    assert not judge(name, HERE, {"local"}, declared=False).production


def test_the_device_file_can_only_require_more() -> None:
    assert judge("ward", HERE, {"local"}, declared=True).production
    assert judge("ward", CLINIC, {"local"}, declared=True).production


def test_a_target_without_a_place_is_production() -> None:
    judged = judge("demo", None, {"local", "engine tcp://*:2376"}, declared=False)
    assert judged.production
    assert judged.place == ""
    assert "does not name the place" in judged.why


def test_where_nothing_is_exempt_this_machine_is_production_too() -> None:
    judged = judge("demo", HERE, set(), declared=False)
    assert judged.production
    assert "production.exempt: nothing" in judged.why


def test_a_listed_place_is_named_with_its_pattern() -> None:
    judged = judge("ward", CLINIC, {"engine tcp://clin*:2376"}, declared=False)
    assert str(judged) == (
        "ward: not production, because the policy exempts engine tcp://clinic:2376 as 'engine tcp://clin*:2376'"
    )
