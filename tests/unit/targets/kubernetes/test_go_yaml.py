"""Numbers and words of manifests: as kubectl reads them, and the same after they were written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoclave.errors import ConfigError
from autoclave.targets.kubernetes.go_yaml import dump, load, resolve
from autoclave.targets.kubernetes.manifests import read
from builders.yaml_words import REFUSED, WORDS, as_config_map, read_words

OCTAL = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: pump
spec:
  template:
    spec:
      containers:
        - name: pump
          image: registry.example/pump/pump:1
      volumes:
        - name: key
          secret:
            secretName: pump-key
            defaultMode: 0400
"""


def test_words_are_what_they_are_for_kubectl() -> None:
    (made,) = load(as_config_map(), "words.yaml")
    found = read_words(json.loads(json.dumps(made["data"])))
    assert {word: (type(value), value) for word, value in found.items()} == {
        word: (type(value), value) for word, value in WORDS.items()
    }


def test_an_octal_mode_is_a_mode() -> None:
    (found,) = read(OCTAL, "octal.yaml")
    assert found.data["spec"]["template"]["spec"]["volumes"][0]["secret"]["defaultMode"] == 256


@pytest.mark.parametrize("word", REFUSED, ids=lambda word: word[:9])
def test_numbers_that_json_does_not_have_are_refused(word: str) -> None:
    with pytest.raises(ConfigError, match="not YAML that can be used"):
        load(f"a: {word}\n", "bad.yaml")


@pytest.mark.parametrize(
    "value",
    ["!!str 0400", "! 0400", "!!int '3'", "!!binary aGk=", "!!timestamp 2001-01-01", "!!set {a}", "!x {}"],
)
def test_every_tag_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"tag .* is refused"):
        load(f"a: {value}\n", "tag.yaml")


@pytest.mark.parametrize("key", ["yes", "0400", "~", "1.5", "n"])
def test_keys_that_are_not_text_are_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="is not text"):
        load(f"{key}: 1\n", "key.yaml")


def test_the_version_that_a_file_names_changes_nothing() -> None:
    for version in ("1.1", "1.2"):
        assert load(f"%YAML {version}\n---\na: [0400, yes, 1:30]\n", "x")[0]["a"] == [256, True, "1:30"]


def test_what_is_written_is_read_as_the_same() -> None:
    documents = [{"a": list(WORDS), "b": list(WORDS.values())}, {"c": "multi\nline"}]
    assert load(dump(documents), "again") == documents


def test_comments_and_anchors_stay() -> None:
    text = "a: &x\n  mode: 0400  # for us alone\nb: *x\n"
    assert dump(load(text, "x")) == text.replace("0400  #", "256   #")


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("0123456789abxoeEyYnN._+-:~<="), min_size=1, max_size=8))
def test_a_word_that_is_written_means_the_same(word: str) -> None:
    assert load(dump([{"a": word}]), "again") == [{"a": word}]
    resolve(word)
