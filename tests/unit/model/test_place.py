"""Places: what is this machine by its address, and which pattern names what."""

from __future__ import annotations

import pytest

from autoclave.model.place import Place, explain_pattern, find_match, normalise, parse

LAB = "engine tcp://lab-1:2376"
CLUSTER = "cluster https://lab.example:6443 staging-7"


@pytest.mark.parametrize(
    "address",
    [
        "unix:///var/run/docker.sock",
        "npipe:////./pipe/docker_engine",
        "file:///srv/runs.json",
        "tcp://127.0.0.1:2375",
        "tcp://127.8.9.1:2375",
        "tcp://localhost:2375",
        "tcp://[::1]:2375",
        "https://127.0.0.1:6443",
        "https://127.0.0.1/k8s/clusters/c-1",
        "localhost:5000/pump",
        "127.0.0.1/pump",
        "[::1]:5000/pump",
    ],
)
def test_a_socket_and_a_literal_loopback_are_this_machine(address: str) -> None:
    assert Place("any", normalise(address) if "://" in address else address).is_local


@pytest.mark.parametrize(
    "address",
    [
        "tcp://lab-1:2376",
        "tcp://127.0.0.1.example.com:2376",
        "tcp://localhost.example.com:2376",
        "tcp://localhost.:2376",
        "tcp://my-localhost:2376",
        "tcp://127.0.0.999:2376",
        "tcp://127.1:2376",
        "tcp://2130706433:2376",
        "tcp://0x7f000001:2376",
        "tcp://0177.0.0.1:2376",
        "tcp://0.0.0.0:2376",
        "tcp://[::]:2376",
        "tcp://[::ffff:127.0.0.1]:2376",
        "tcp://127.0.0.1:2375@clinic:2376",
        "tcp://127.0.0.1@clinic:2376",
        "tcp://127.0.0.1\\@clinic:2376",
        "tcp://127.0.0.1#@clinic:2376",
        "tcp://127.0.0.1?@clinic:2376",
        "https://127.0.0.1:6443?proxy=http://proxy:3128",
        "https://127.0.0.1:6443 clinic",
        "ssh://localhost",
        "ssh://127.0.0.1",
        "ssh://ci@localhost:22",
        "npipe:////server/pipe/docker_engine",
        "unix://clinic/docker.sock",
        "in-cluster:0123",
        "localhost.example.com:5000/pump",
        "localhost:5000@clinic/pump",
        "127.0.0.1\n:6443",
        "",
    ],
)
def test_everything_else_is_another_machine(address: str) -> None:
    assert not Place("any", address).is_local
    assert not Place("any", normalise(address)).is_local


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("TCP://Lab-1:2376/", "tcp://lab-1:2376"),
        ("https://user:secret@lab:6443/", "https://lab:6443"),
        ("https://lab:6443/k8s/C-1", "https://lab:6443/k8s/C-1"),
        ("ssh://ci:secret@Lab", "ssh://ci@lab"),
        ("unix:///Run/Docker.sock", "unix:///Run/Docker.sock"),
        ("https://lab/a b\x1b[31m", "https://lab/a%20b%1B[31m"),
    ],
)
def test_an_address_has_one_spelling_and_no_secret(url: str, expected: str) -> None:
    assert normalise(url) == expected
    assert normalise(expected) == expected


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        (LAB, LAB),
        ("engine tcp://lab-*:2376", LAB),
        ("cluster https://lab.example:6443 staging-*", CLUSTER),
        ("cluster https://lab.example:6443 *", CLUSTER),
        ("registry registry.example/demo/*", "registry registry.example/demo/pump"),
        ("local", "engine unix:///var/run/docker.sock"),
        ("local", "cluster https://127.0.0.1:6443 staging"),
        ("local", "registry localhost:5000/pump"),
    ],
)
def test_a_pattern_names_places(pattern: str, place: str) -> None:
    assert find_match(place, ["engine tcp://other:1", pattern]) == pattern


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        ("engine tcp://lab-1:2376", "engine tcp://lab-1:23760"),
        ("engine tcp://lab-1:2376", "engine tcp://lab-1:2376\n"),
        ("engine tcp://lab-1:2376", "xengine tcp://lab-1:2376"),
        ("engine tcp://lab.1:2376", LAB),
        ("engine tcp://lab-*", "engine tcp://lab-1:2376"),
        ("engine tcp://lab-*:2376", "engine tcp://lab-1@clinic:2376"),
        ("cluster https://lab.example:6443 staging", CLUSTER),
        ("cluster https://lab.example:6443", CLUSTER),
        ("cluster * *", CLUSTER),
        ("cluster https://*:6443 *", "cluster https://lab/k8s:6443 staging"),
        ("registry registry.example/demo/*", "registry registry.example/demo/a/b"),
        ("registry registry.example/*", "registry registry.example.evil/demo"),
        ("local", LAB),
        ("local", "local"),
        ("local", ""),
        ("*", ""),
        ("*", LAB),
    ],
)
def test_a_pattern_names_nothing_else(pattern: str, place: str) -> None:
    assert find_match(place, [pattern]) == ""


def test_text_and_place_are_the_same() -> None:
    for text in (LAB, CLUSTER, "registry registry.example/demo/pump"):
        assert str(parse(text)) == text
    for text in ("", "demo", "local", f"{LAB}\n", f" {LAB}", "engine", "engine  two", f"{CLUSTER} more"):
        with pytest.raises(ValueError, match="is not a place"):
            parse(text)


def test_what_can_match_nothing_is_explained() -> None:
    for pattern in ("local", LAB, "cluster https://lab:6443 *", "toy file:///runs.json"):
        assert explain_pattern(pattern) == ""
    for pattern in ("demo", "staging", "", "*", "local\n", f"{LAB}\n", "LOCAL"):
        assert "a name alone is none" in explain_pattern(pattern)
    assert "has a namespace" in explain_pattern("cluster https://lab:6443")
