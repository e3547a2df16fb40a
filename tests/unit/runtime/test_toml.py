"""TOML in: every refusal names the file, the key and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave.device.device_file import load
from autoclave.errors import ConfigError
from autoclave.runtime import toml
from autoclave.runtime.toml import nearest, read_toml


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"\xff\xfe", "cannot be read"),
        (b"a = 1\na = 2\n", "not valid TOML"),
        (b"a = ", "not valid TOML"),
        (b"a = " + b"9" * 5000, "not valid TOML"),
        (b"a = " + b"[" * 100_000, "not valid TOML"),
    ],
)
def test_a_file_that_cannot_be_parsed_is_named(tmp_path: Path, raw: bytes, says: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_bytes(raw)
    with pytest.raises(ConfigError, match=says) as caught:
        read_toml(file)
    assert str(file) in caught.value.what
    assert caught.value.why


@pytest.mark.parametrize(
    "text", ['a = "x\\u0000"', '"a\\u0000" = 1', 'a = ["\\u001b[2J"]', 'a = { b = { c = "\\u0085" } }']
)
def test_a_control_character_is_refused_wherever_it_is(text: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="has a control character") as caught:
        read_toml(file)
    assert caught.value.what.isprintable()


def test_lines_and_tabs_are_text(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('a = "one\\ntwo\\tthree\\r\\n"')
    assert read_toml(file) == {"a": "one\ntwo\tthree\r\n"}


def test_a_folder_or_nothing_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_toml(tmp_path)
    with pytest.raises(ConfigError, match="does not exist") as caught:
        read_toml(tmp_path / "trust.toml")
    assert caught.value.next == "check the path"


def test_a_file_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "policy.toml"
    file.write_bytes(b"#" * (1 << 20))
    monkeypatch.setattr(toml, "_LARGEST", 1 << 20)
    assert read_toml(file) == {}
    file.write_bytes(b"#" * (1 << 20) + "ä".encode())
    with pytest.raises(ConfigError, match="is larger than 1 MiB"):
        read_toml(file)


def test_the_nearest_name_or_all_of_them_are_suggested() -> None:
    assert nearest("stagin", ["production", "staging"]) == "did you mean 'staging'?"
    assert nearest("zzz", ["b", "a"]) == "valid here: a, b"


HEAD = '[device]\nname = "pump"\nversion = "1"\nsafety-class = "A"\n[[image]]\nname = "app"\n'
REFUSED = [
    ('[image.service]\nvolumes = { Data = "/d" }', "image[0].service.volumes"),
    ('[image.service]\nvolumes = { data = "d" }', "image[0].service.volumes"),
    ('[image.service]\nenvironment = { "A B" = "1" }', "image[0].service.environment"),
    ('[image.service]\nhealth = "http://elsewhere/"', "image[0].service.health"),
    ("[image.service]\nport = 0", "image[0].service.port"),
    ("[image.service]\ncpus = 0", "image[0].service.cpus"),
    ('[image.service]\nmemory = "512MB"', "image[0].service.memory"),
    ("[unit-test]\ncommand = []", "unit-test.command"),
    ('[unit-test]\ncommand = "pytest"', "unit-test.command"),
    ('[unit-test]\ncommand = ["x"]\ntimeout = 0', "unit-test.timeout"),
    ('[unit-test]\ncommand = ["x"]\njunit = ["a.xml", "/junit.xml"]', "unit-test.junit"),
    ('[unit-test]\ncommand = ["x"]\njunit = ["../*.xml"]', "unit-test.junit"),
    ('[unit-test]\ncommand = ["x"]\njunit = []', "unit-test.junit"),
    ('secrets = [{ id = "a,src=/etc/shadow", env = "A" }]', "image[0].secrets[0].id"),
    ('[[environment]]\nname = "s"\n[[environment]]\nname = "s"', "two environments are called 's'"),
    ('[[environment]]\nname = "../s"', "environment[0].name"),
    ('[[environment]]\nname = "s"\npublish = { app = 70000 }', "environment[0].publish"),
]


@pytest.mark.parametrize(("extra", "where"), REFUSED)
def test_a_harmful_value_is_refused_with_its_place(tmp_path: Path, extra: str, where: str) -> None:
    (tmp_path / "autoclave.toml").write_text(HEAD + extra + "\n")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert where in caught.value.what
