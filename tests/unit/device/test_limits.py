"""A text of the device file matches to its very end; a number or a size is one that a machine can have."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave.device.device_file import load
from autoclave.device.keys import json_schema
from autoclave.errors import ConfigError

HEAD = """[device]
name = "pump"
version = "1.0.0"
safety-class = "A"
[[image]]
name = "app"
args = { KEY = "x" }
secrets = [{ id = "token", env = "TOKEN" }]
[image.service]
port = 80
health = "/health"
volumes = { data = "/data" }
environment = { MODE = "x" }
memory = "64m"
[unit-test]
command = ["run"]
timeout = 30
cpus = 1.0
[[unit-test.service]]
name = "database"
image = "app"
user = "1000:1000"
scratch = ["/tmp"]
[[environment]]
name = "staging"
target = "kubernetes"
kubernetes = { namespace = "pumps", manifests = ["k8s"] }
"""

TEXTS = [
    '"pump"',
    '"1.0.0"',
    '"app"\nargs',
    "{ KEY",
    '"token"',
    '"TOKEN"',
    '"/health"',
    "{ data",
    '"/data"',
    "{ MODE",
    '"64m"',
    '"database"',
    '"1000:1000"',
    '["/tmp"',
    '"staging"',
    '"pumps"',
]


def write(folder: Path, text: str) -> Path:
    (folder / "autoclave.toml").write_text(text)
    return folder


def lengthen(text: str, what: str, more: str) -> str:
    """Return the file with `more` at the end of one of its texts or keys."""
    assert HEAD.count(what) == 1
    word = what.split('"')[1] if '"' in what else what.strip("{ ")
    quoted = f'"{word}{more}"'
    return text.replace(what, what.replace(f'"{word}"' if '"' in what else word, quoted))


def test_the_file_is_good_without_them(tmp_path: Path) -> None:
    assert load(write(tmp_path, HEAD)).device.name == "pump"


@pytest.mark.parametrize("what", TEXTS)
@pytest.mark.parametrize("more", ["\\n", "\\r\\n", "\\u0000", "\\u2028", "\\u0085"])
def test_a_text_ends_where_its_pattern_ends(what: str, more: str, tmp_path: Path) -> None:
    if what in {'"/data"', '["/tmp"'} and more == "\\u2028":
        more = "\\n"  # a path may have signs of any language
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, lengthen(HEAD, what, more)))
    assert "autoclave.toml" in caught.value.what


NUMBERS = [
    ("timeout = 30", "timeout = nan"),
    ("timeout = 30", "timeout = inf"),
    ("timeout = 30", "timeout = 1e400"),
    ("timeout = 30", "timeout = -1"),
    ("timeout = 30", "timeout = true"),
    ("timeout = 30", "timeout = 30.5"),
    ("timeout = 30", "timeout = 99999999999999999999999"),
    ("timeout = 30", "timeout = " + "9" * 5000),
    ("timeout = 30", "timeout = 2026-01-01"),
    ("cpus = 1.0", "cpus = nan"),
    ("cpus = 1.0", "cpus = inf"),
    ("cpus = 1.0", "cpus = 1e400"),
    ("cpus = 1.0", "cpus = -0.0"),
    ("cpus = 1.0", "cpus = 0.0000000001"),
    ("cpus = 1.0", "cpus = true"),
    ("port = 80", "port = 65536"),
    ("port = 80", "port = -80"),
    ("port = 80", "port = true"),
    ('"64m"', '"99999999999999999999999g"'),
    ('"64m"', '"9999999999g"'),
    ('"64m"', '"1025g"'),
    ('"64m"', '"1k"'),
    ('"64m"', '"1"'),
    ('"64m"', '"64 m"'),
    ('"64m"', '"-64m"'),
    ('"64m"', '"٦٤m"'),
]


@pytest.mark.parametrize(("good", "bad"), NUMBERS, ids=[bad[:30] for _, bad in NUMBERS])
def test_a_number_is_one_that_a_machine_can_have(good: str, bad: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load(write(tmp_path, HEAD.replace(good, bad)))


def test_the_memory_of_a_test_service_has_bounds_as_well(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the unit-test service 'database' cannot be a limit"):
        load(write(tmp_path, HEAD.replace('scratch = ["/tmp"]', 'memory = "5000g"')))


def test_an_editor_reads_the_patterns_as_they_are_meant() -> None:
    assert r"\Z" not in str(json_schema())
    assert (
        json_schema()["$defs"]["Identity"]["properties"]["name"]["pattern"] == "^(?:[a-z0-9]+(-[a-z0-9]+)*)$"
    )
