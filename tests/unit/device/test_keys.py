"""The words about the keys: every key has them, and each example is one that the file may have."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import msgspec
import pytest

from autoclave.device import keys

FIELDS = dict(keys.find_fields())


def test_every_key_has_words_and_no_words_are_about_another() -> None:
    assert set(keys.read_words()) == set(FIELDS)


@pytest.mark.parametrize("path", FIELDS)
def test_an_example_is_a_value_of_the_key(path: str) -> None:
    key = keys.find(path)
    assert key is not None
    value = keys.example_value(key)
    msgspec.convert(value, type=FIELDS[path].type)
    assert value != FIELDS[path].default, "an example shows something else than the default"


@pytest.mark.parametrize("path", FIELDS)
def test_words_are_sentences(path: str) -> None:
    words = keys.read_words()[path]
    for text in filter(None, (words.text, words.why, words.trap, words.classes)):
        assert text[0].isupper() or text[0] == "`", text
        assert text.endswith((".", '"')) or text[-1] in "…]", text


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("image[0].service.port", "image.service.port"),
        ("image[12].unit-test.command", "unit-test.command"),
        ("image[0].unit-test.service[1].image", "unit-test.service.image"),
        ("image[0].args.BASE", "image.args"),
        ("policy.scan.block", "policy"),
        ("image[0].secrets[0].env", "image.secrets.env"),
        ("device", "device"),
    ],
)
def test_a_path_of_an_error_leads_to_its_key(written: str, path: str) -> None:
    found = keys.find(written)
    assert found is not None
    assert found.path == path


def test_an_unknown_key_has_no_words() -> None:
    assert keys.find("device_name") is None
    assert keys.find("") is None


def test_the_schema_has_description_example_and_default_of_every_key() -> None:
    schema = keys.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    seen = 0
    for table in schema["$defs"].values():
        for name, described in table.get("properties", {}).items():
            assert described["description"], name
            assert described["examples"], name
            assert "default" in described or name in table["required"], name
            seen += 1
    assert seen == len(FIELDS)


def test_an_editor_accepts_every_example_in_its_place() -> None:
    schema = keys.json_schema()
    for table in schema["$defs"].values():
        for described in table.get("properties", {}).values():
            for example in described["examples"]:
                check: dict[str, Any] = {"$defs": schema["$defs"], **described}
                jsonschema.validate(json.loads(json.dumps(example)), check)
