"""What the builder itself says about a build."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave.engines.base import BuildRequest, Used
from autoclave.engines.docker.build import Client, command
from autoclave.engines.docker.provenance import read
from autoclave.errors import EngineError

RECORDED = (Path(__file__).parents[3] / "fixtures" / "dockerfile" / "metadata.json").read_bytes()


def test_images_and_fetched_files_are_read_from_the_metadata_file() -> None:
    found = read(RECORDED) or ()
    assert [(each.name, each.is_image) for each in found] == [
        ("docker/dockerfile:1.7", True),
        ("debian:12", True),
        ("busybox:1.36", True),
        ("reg.example:5000/a/b:1", True),
        ("https://git.example/a/b.git#v1", False),
        ("https://files.example/tool", False),
    ]
    assert found[1].digest == "sha256:81d93757457f988523814ae0009837ae893f38d3fe123f2c37896f118b4c7804"
    assert found[4].digest == "gitCommit:4b220de5058abfd01ff619c9d2ff6b09a049bea0"


def test_a_builder_that_says_nothing_is_not_one_that_used_nothing() -> None:
    assert read(b'{"buildx.build.ref": "default/default/x", "containerimage.digest": "sha256:1"}') is None
    assert read(b'{"buildx.build.provenance": {}}') == ()
    by_platform = b'{"buildx.build.provenance/linux/amd64": {"materials": [{"uri": "pkg:docker/a@1"}]}}'
    assert read(by_platform) == (Used(name="a:1", digest="", is_image=True),)


def test_an_image_by_digest_alone_has_its_digest_in_the_name() -> None:
    digest = f"sha256:{'a' * 64}"
    for uri in (f"pkg:docker/a/b?digest={digest}&platform=linux%2Famd64", f"pkg:docker/a/b@{digest}"):
        raw = f'{{"buildx.build.provenance": {{"materials": [{{"uri": "{uri}"}}]}}}}'.encode()
        assert read(raw) == (Used(name=f"a/b@{digest}", digest="", is_image=True),)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'{"buildx.build.provenance": []}',
        b'{"buildx.build.provenance": {"materials": [1]}}',
        b'{"buildx.build.provenance": {"materials": 1}}',
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_metadata_file_is_an_error(raw: bytes) -> None:
    with pytest.raises(EngineError, match="what the builder says"):
        read(raw)


def test_the_file_is_asked_for_where_the_client_can_write_it() -> None:
    request = BuildRequest(folder=Path("/d"), context=Path(), dockerfile=Path("Dockerfile"))
    client = Client("docker", "buildkit", has_metadata=True)
    assert "--metadata-file" in command(client, request, metadata_file="/t/m")
    assert command(client, request) == command(Client("docker", "buildkit"), request)
    assert client.environment["BUILDX_METADATA_PROVENANCE"] == "min"
