"""The device file: typed, strict, and never leaving its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autoclave.device.device_file import load
from autoclave.device.keys import json_schema
from autoclave.device.schema import Device, parse_size, resolve_inside
from autoclave.errors import ConfigError, SourceError
from autoclave.runtime.folder import Folder
from autoclave.runtime.toml import convert

GOOD = """
[device]
name = "pump"
version = "1.0"
safety-class = "B"
[[image]]
name = "app"
[image.service]
port = 80
[[environment]]
name = "staging"
publish = { app = 8080 }
"""


def write(folder: Path, text: str) -> Path:
    (folder / "autoclave.toml").write_text(text)
    return folder


def test_a_good_file_is_loaded(tmp_path: Path) -> None:
    device = load(write(tmp_path, GOOD))
    assert device.device.name == "pump"
    assert device.image[0].dockerfile == "Dockerfile"
    assert device.find_environment("staging").publish == {"app": 8080}


def test_junit_files_and_what_is_no_requirement_are_lists(tmp_path: Path) -> None:
    more = '[unit-test]\ncommand = ["t"]\njunit = ["target/*.xml", "ui.xml"]\n'
    more += '[traceability]\nnot-requirements = ["TEST_CASE", "Folder Type"]\n'
    device = load(write(tmp_path, GOOD + more))
    assert device.unit_test is not None
    assert device.unit_test.junit == ("target/*.xml", "ui.xml")
    assert device.traceability.not_requirements == ("TEST_CASE", "Folder Type")


BAD = [
    ("[device", "not valid TOML", ""),
    (GOOD.replace("port = 80", "prot = 80"), "unknown key 'image[0].service.prot'", "did you mean 'port'?"),
    (GOOD.replace("[[image]]", "[[images]]"), "unknown key 'images'", "did you mean 'image'?"),
    (GOOD.replace('"B"', '"D"'), 'device.safety-class is "D"', "for example safety-class"),
    (GOOD.replace("port = 80", 'port = "x"'), "image[0].service.port", ""),
    (GOOD.replace('name = "pump"', 'name = "Pump; rm"'), "device.name", ""),
    (GOOD + '[[image]]\nname = "app"\n', "two images are called 'app'", ""),
    (GOOD.replace("app = 8080", "ap = 8080"), "publishes the unknown image 'ap'", "did you mean 'app'?"),
    (GOOD.replace("port = 80\n", ""), "publishes 'app', which has no port", ""),
    ('[device]\nname = "a"\nversion = "1"\nsafety-class = "A"\n', "image is missing", "[[image]]"),
]


@pytest.mark.parametrize(("text", "what", "hint"), BAD)
def test_a_bad_file_says_where_and_what(tmp_path: Path, text: str, what: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert what in caught.value.reason
    assert "autoclave.toml" in caught.value.what
    assert hint in caught.value.why + caught.value.next


def test_all_mistakes_are_named_at_once_with_allowed_values_units_and_examples(tmp_path: Path) -> None:
    """A person fixes the file once, and reads neither a pattern nor the name of a type."""
    text = GOOD.replace("port = 80", 'port = "x"\nmemory = "512MB"\nstart-timeout = 0.5').replace(
        '"B"', '"D"'
    )
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert caught.value.what == f"{tmp_path}/autoclave.toml: 4 mistakes"
    assert caught.value.why.splitlines() == [
        '1. device.safety-class is "D": it must be one of "A", "B", "C"',
        '   for example safety-class = "B"',
        '2. image[0].service.port is the text "x": it must be a whole number from 1 to 65535',
        "   for example port = 8080",
        '3. image[0].service.memory is "512MB": it must be a number of bytes, or of KiB, MiB or GiB with k, '
        "m or g behind it, from 6m to 1024g",
        '   for example memory = "256m"',
        "4. image[0].service.start-timeout is 0.5: it must be a whole number of seconds from 1 to 86400",
        "   for example start-timeout = 30",
    ]


def test_names_and_paths_that_are_wrong_are_named_at_once_as_well(tmp_path: Path) -> None:
    text = GOOD.replace("app = 8080", "ap = 8080").replace(
        'version = "1.0"', 'version = "1"\nsoup = "s.toml"'
    )
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert "publishes the unknown image 'ap'" in caught.value.why
    assert "'s.toml' does not exist" in caught.value.why


def test_a_misspelt_table_is_not_missing_as_well(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown key 'devic'") as caught:
        load(write(tmp_path, GOOD.replace("[device]", "[devic]")))
    assert caught.value.next == "did you mean 'device'?"


def test_a_health_request_needs_a_port(tmp_path: Path) -> None:
    text = GOOD.replace("port = 80", 'health = "/h"').replace("publish = { app = 8080 }", "")
    with pytest.raises(ConfigError, match='has health = "/h" but no port'):
        load(write(tmp_path, text))


def test_one_thing_decides_about_health(tmp_path: Path) -> None:
    text = GOOD.replace("port = 80", 'port = 80\nhealth = "tcp"')
    service = load(write(tmp_path, text)).image[0].service
    assert service is not None
    assert service.health == "tcp"
    with pytest.raises(ConfigError, match="has health and health-command"):
        load(write(tmp_path, text.replace('"tcp"', '"tcp"\nhealth-command = ["x"]')))
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text.replace('"tcp"', '"http://x/"')))
    assert "a path that begins with /, without blanks, or the word tcp" in caught.value.why


PORTS = GOOD.replace("port = 80", 'port = 80\nports = { dicom = "11112/tcp" }')


def test_further_ports_are_published_by_their_name(tmp_path: Path) -> None:
    device = load(write(tmp_path, PORTS.replace("app = 8080", 'app = 8080, "app.dicom" = 104')))
    assert device.environment[0].further_ports(device.image[0]) == {"11112/tcp": 104}


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("app = 8080", '"app.dicm" = 1', "has no port of the name 'dicm'"),
        ("app = 8080", '"ap.dicom" = 1', "publishes the unknown image 'ap'"),
        ("app = 8080", 'app = 8080, "app.dicom" = 8080', "publishes port 8080 twice"),
        ("app = 8080", "app.dicom = 1", "is a table"),
        ("11112/tcp", "80/tcp", "names the port 80/tcp twice"),
        ("11112/tcp", "70000/tcp", "is 70000/tcp"),
        ("11112/tcp", "11112", 'is "11112"'),
    ],
)
def test_a_port_that_cannot_be_published_is_refused(
    tmp_path: Path, before: str, after: str, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, PORTS.replace(before, after)))
    assert says in caught.value.reason


@pytest.mark.parametrize(
    ("after", "says"),
    [
        ('variables = { ap = { A = "1" } }', "has variables of the unknown image 'ap'"),
        ('variables = { app = { "A B" = "1" } }', 'has the name "A B"'),
        ("variables = { app = { A = 1 } }", "environment[0].variables.app.A is 1"),
    ],
)
def test_variables_are_those_of_an_image(tmp_path: Path, after: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, GOOD + after))
    assert says in caught.value.reason


@pytest.mark.parametrize("name", ["../x", ".hidden", "a/b", ""])
def test_a_secret_is_the_name_of_a_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"image\[0\].service.secrets\[0\]"):
        load(write(tmp_path, GOOD.replace("port = 80", f'port = 80\nsecrets = ["{name}"]')))


def test_a_missing_file_points_at_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert "autoclave init" in caught.value.next


def test_a_file_that_appears_meanwhile_is_not_read_by_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").write_text(GOOD)
    (tmp_path / "autoclave.toml").symlink_to("elsewhere")
    monkeypatch.setattr(Folder, "kind", lambda *_: None)
    with pytest.raises(ConfigError, match="does not exist"):
        load(tmp_path)


@pytest.mark.parametrize("path", ["../other", "../device", "../device/x", "/etc", "link/x", "a/../../b"])
def test_paths_may_not_leave_the_folder(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "device"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(SourceError, match="leaves the device folder"):
        resolve_inside(folder, path)


@pytest.mark.parametrize(
    "extra",
    [
        'context = "../up"',
        'dockerfile = "../Dockerfile"',
        '[image.unit-test]\ncommand = ["x"]\ncopy = ["../../etc"]',
    ],
)
def test_paths_in_the_file_may_not_leave_it_either(tmp_path: Path, extra: str) -> None:
    text = GOOD.split("[image.service]", maxsplit=1)[0] + extra + "\n"
    with pytest.raises(SourceError, match="leaves the device folder"):
        load(write(tmp_path, text))


def test_a_path_that_no_disk_has_is_no_defect(tmp_path: Path) -> None:
    text = GOOD.replace('version = "1.0"', f'version = "1.0"\nrequirements = "{"r" * 300}"')
    with pytest.raises(SourceError, match="is too long"):
        load(write(tmp_path, text))


def test_the_requirements_file_must_be_there(tmp_path: Path) -> None:
    text = GOOD.replace('version = "1.0"', 'version = "1.0"\nrequirements = "r.csv"')
    with pytest.raises(SourceError, match=r"'r\.csv' does not exist"):
        load(write(tmp_path, text))
    (tmp_path / "r.csv").write_text("id\n")
    assert load(tmp_path).device.requirements == "r.csv"


def test_unknown_names_get_the_nearest_suggestion() -> None:
    data: dict[str, Any] = {
        "device": {"name": "pump", "version": "1", "safety-class": "A"},
        "image": [{"name": "gateway"}],
    }
    device = convert(data, Device, source="x")
    with pytest.raises(ConfigError) as caught:
        device.find_image("gatewy")
    assert "gateway" in caught.value.next
    with pytest.raises(ConfigError):
        device.find_environment("staging")


def test_sizes_are_read_in_bytes() -> None:
    assert [parse_size(text) for text in ("7", "1k", "2m", "1g")] == [7, 1024, 2 << 20, 1 << 30]


def test_the_schema_is_one() -> None:
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(json_schema())
