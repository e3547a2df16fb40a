"""verify.py limits keys by place as Autoclave does, without Autoclave."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from autoclave.bundles import verify
from autoclave.evidence import trust_export
from autoclave.evidence.trust import Trust
from autoclave.model.place import find_match
from builders import sample_bundle

LAB, CLINIC = "engine tcp://lab-1:2376", "cluster https://clinic:6443 infusion"
SOCKET = "engine unix:///var/run/docker.sock"
SCRIPT = runpy.run_path(str(Path(verify.__file__)))
MATCHES = SCRIPT["is_match"]


@pytest.mark.parametrize(
    ("place", "pattern"),
    [
        (LAB, LAB),
        (LAB, "engine tcp://lab-*:2376"),
        (CLINIC, "cluster https://clinic:6443 *"),
        ("registry lab/demo/pump", "registry lab/demo/*"),
        (SOCKET, "local"),
        ("engine npipe:////./pipe/docker_engine", "local"),
        ("files file:///srv/runs.json", "local"),
        ("engine tcp://127.8.9.1:2375", "local"),
        ("engine tcp://[::1]:2375", "local"),
        ("registry localhost:5000/pump", "local"),
        ("cluster https://127.0.0.1/k8s/c-1 infusion", "local"),
    ],
)
def test_place_matches_pattern(place: str, pattern: str) -> None:
    assert MATCHES(place, pattern)
    assert find_match(place, [pattern]) == pattern


@pytest.mark.parametrize(
    ("place", "pattern"),
    [
        ("", "local"),
        ("", "*"),
        ("", LAB),
        (LAB, CLINIC),
        (LAB + "0", LAB),
        (LAB + "\n", LAB),
        (LAB, "engine tcp://lab-*"),
        ("engine tcp://lab-1@clinic:2376", "engine tcp://lab-*:2376"),
        ("registry lab/demo/a/b", "registry lab/demo/*"),
        ("engine tcp://labx1:2376", "engine tcp://lab.1:2376"),
        (LAB, "local"),
        ("lab", "local"),
        ("lab", "lab"),
        ("engine  unix:///run/docker.sock", "local"),
        ("engine unix:///run/docker.sock a b", "local"),
        ("engine tcp://127.0.0.1.example:2376", "local"),
        ("engine tcp://127.0.0.1@clinic:2376", "local"),
        ("engine tcp://127.1:2376", "local"),
        ("engine tcp://0.0.0.0:2376", "local"),
        ("engine tcp://[::]:2376", "local"),
        ("engine tcp://[:::1]:2376", "local"),
        ("engine unix://clinic/docker.sock", "local"),
        ("engine ssh://localhost", "local"),
    ],
)
def test_place_does_not_match_pattern(place: str, pattern: str) -> None:
    assert not MATCHES(place, pattern)
    assert not find_match(place, [pattern])


def test_key_with_a_field_that_a_trust_file_does_not_have_is_refused(tmp_path: Path) -> None:
    def put(name: str, raw: bytes) -> Path:
        (tmp_path / name).write_bytes(raw)
        return tmp_path / name

    (entry,) = SCRIPT["read_toml"](trust_export.text(Trust(sample_bundle.TRUST.keys[:1], "trust.toml")))
    assert SCRIPT["Key"](entry, put).places == []
    assert SCRIPT["Key"]({**entry, "places": [LAB]}, put).places == [LAB]
    with pytest.raises(ValueError, match="steps has environments, which a trust file does not have"):
        SCRIPT["Key"]({**entry, "environments": ["lab"]}, put)
