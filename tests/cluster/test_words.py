"""kubectl itself as the judge of how numbers and words of a manifest are read."""

from __future__ import annotations

import json

import pytest

from builders.yaml_words import WORDS, as_config_map, read_words
from cluster.cluster import Cluster

pytestmark = pytest.mark.xdist_group("cluster")


def test_kubectl_reads_each_word_as_the_table_says(cluster: Cluster) -> None:
    words = ("create", "--dry-run=client", "--validate=false", "--output=json", "--filename=-")
    printed = cluster.kubectl(*words, stdin=as_config_map())
    found = read_words(json.loads(printed)["data"])
    assert {word: (type(value), value) for word, value in found.items()} == {
        word: (type(value), value) for word, value in WORDS.items()
    }
