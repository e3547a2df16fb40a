"""index.json: what is not understood survives, what is malformed or ambiguous is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoclave.errors import StoreError
from autoclave.store.layout.index import REF_NAME, add_entry, parse, set_name
from autoclave.store.oci import MANIFEST, Descriptor

A, B = (f"sha256:{letter * 64}" for letter in "ab")


def entry(digest: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": MANIFEST, "digest": digest, "size": 3, **more}


def index(*entries: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "manifests": entries, **more}).encode()


FOREIGN = index(
    entry(A, platform={"os": "linux", "architecture": "arm64", "variant": "v8"}, urls=["https://example/a"],
          annotations={"io.containerd.image.name": "docker.io/library/a:1", REF_NAME: "1"}, data="AAA="),
    entry(B, mediaType="application/vnd.oci.image.index.v1+json",
          annotations={"vnd.docker.reference.type": "x"}),
    mediaType="application/vnd.oci.image.index.v1+json",
    annotations={"com.example": "kept"},
    unheard={"of": [1, 2.5, None, 12345678901234567890123]},
)  # fmt: skip


def test_foreign_keys_and_entries_survive_every_change() -> None:
    parsed = parse(FOREIGN, "index.json")
    changed = set_name(
        add_entry(parsed, Descriptor(media_type=MANIFEST, digest="sha256:" + "c" * 64, size=1)),
        "2",
        Descriptor(media_type=MANIFEST, digest=A, size=3),
    )
    before, after = json.loads(FOREIGN), json.loads(changed.encode())
    new = after["manifests"].pop()
    assert new["annotations"] == {REF_NAME: "2"}
    assert after["manifests"].pop()["digest"] == "sha256:" + "c" * 64
    assert after == before


def test_renaming_an_entry_keeps_its_other_keys() -> None:
    parsed = set_name(parse(FOREIGN, "i"), "1", Descriptor(media_type=MANIFEST, digest=B, size=3))
    first = json.loads(parsed.encode())["manifests"][0]
    assert first["annotations"] == {"io.containerd.image.name": "docker.io/library/a:1"}
    assert first["platform"]["variant"] == "v8"
    assert first["data"] == "AAA="


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b'{"schemaVersion":2}',
        b'{"schemaVersion":1,"manifests":[]}',
        b'{"schemaVersion":"2","manifests":[]}',
        b'{"schemaVersion":2,"manifests":{}}',
        b'{"schemaVersion":2,"manifests":null}',
        b'{"schemaVersion":2,"manifests":["x"]}',
        b'{"schemaVersion":2,"manifests":[' + b"[" * 100_000,
        b'{"schemaVersion":2,"manifests":[],"x":' + b"[" * 100_000,
        b"\xff\xfe",
        index(entry("sha256:../../etc/passwd")),
        index(entry("../../etc/passwd")),
        index(entry(A, size=-1)),
        index(entry(A, size="3")),
        index(entry(A, size=2**70)),
        index(entry(A, annotations={REF_NAME: 1})),
        index(entry(A, annotations=[])),
        index({"digest": A, "size": 3}),
        index(entry(A, annotations={REF_NAME: "x"}), entry(B, annotations={REF_NAME: "x"})),
        index()[:-1],
    ],
)
def test_hostile_indexes_are_refused(raw: bytes) -> None:
    with pytest.raises(StoreError):
        parse(raw, "index.json")


KEYS = st.sampled_from(["schemaVersion", "manifests", "digest", "size", "mediaType", "x"])


@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), lambda inner:
       st.lists(inner) | st.dictionaries(KEYS, inner),
       max_leaves=12).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_bytes_parse_or_are_refused(raw: bytes) -> None:
    try:
        parse(raw, "index.json")
    except StoreError:
        return
    assert json.loads(raw)["schemaVersion"] == 2


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 3)), max_size=20))
def test_names_behave_like_a_dictionary(steps: list[tuple[str, int]]) -> None:
    current = parse(index(), "index.json")
    expected: dict[str, str] = {}
    mentioned: set[str] = set()
    for name, number in steps:
        digest = f"sha256:{number:064x}"
        current = set_name(current, name, Descriptor(media_type=MANIFEST, digest=digest, size=1))
        expected[name] = digest
        mentioned.add(digest)
        current = parse(current.encode(), "index.json")
    assert {each.name: each.descriptor.digest for each in current.entries if each.name} == expected
    assert {each.descriptor.digest for each in current.entries} == mentioned
    unnamed = [each.descriptor.digest for each in current.entries if not each.name]
    assert sorted(unnamed) == sorted(mentioned - set(expected.values()))
