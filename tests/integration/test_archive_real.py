"""Engine, store and Trivy agree on one image: what was built is what is kept, scanned and given back."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from autoclave.errors import StoreError
from autoclave.model.digest import digest_of
from autoclave.store.archive.read import read_archive
from autoclave.store.archive.write import write_archive
from autoclave.store.image import is_built_on, read_identity
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import Descriptor
from builders import real_trivy

FILES = {
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"\n',
    "etc/debian_version": "12.5\n",
    "var/lib/dpkg/status": "Package: tzdata\nStatus: install ok installed\nVersion: 2024a-0\n\n",
    "usr/lib/python3/dist-packages/Jinja2-2.10.dist-info/METADATA": "Name: Jinja2\nVersion: 2.10\n",
}
# Equal layers in a row and apart: the engine writes links for them.
DOCKERFILE = """
FROM scratch
COPY files /
COPY twice /twice
COPY once /once
COPY twice /twice
LABEL org.opencontainers.image.version=1.4.0
USER 10001
HEALTHCHECK CMD ["true"]
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="module")
def tag(engine: Any) -> Iterator[str]:
    name = f"autoclave-test/archive-{uuid.uuid4().hex[:12]}"
    yield f"{name}:1.4.0"
    for image in engine.images.list(name=name):
        engine.images.remove(image.id, force=True)


@pytest.fixture(scope="module")
def built(engine: Any, tag: str) -> Any:
    return build(engine, tag, DOCKERFILE)


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "a folder" / "store")


def build(engine: Any, tag: str, dockerfile: str) -> Any:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        contents = {f"files/{name}": content for name, content in FILES.items()}
        for name, content in (
            contents | {"Dockerfile": dockerfile, "twice": "2", "once": tag * 9000}
        ).items():
            info = tarfile.TarInfo(name)
            info.size = len(content.encode())
            tar.addfile(info, io.BytesIO(content.encode()))
    context.seek(0)
    image, _ = engine.images.build(fileobj=context, custom_context=True, tag=tag, rm=True)
    return image


def read_image(store: LayoutStore, image: Any) -> Descriptor:
    taken = read_archive(image.save(), store, image_id=image.id)
    store.tag("app-1.4.0", taken)
    return taken


def tool(variable: str) -> str:
    path = os.environ.get(variable)
    if not path:
        pytest.fail(f'{variable} is not set: eval "$(setup/exports.sh)"')
    return path


def test_the_saved_image_is_the_one_the_engine_built(store: LayoutStore, built: Any) -> None:
    found = read_identity(store, read_image(store, built).digest)
    assert built.id in {found.config, found.digest}
    assert list(found.diff_ids) == built.attrs["RootFS"]["Layers"]
    assert found.diff_ids[1] == found.diff_ids[3], "the case with links was met"
    assert found.labels == {"org.opencontainers.image.version": "1.4.0"}
    assert (found.user, found.has_healthcheck, found.os) == ("10001", True, "linux")
    for digest in found.diff_ids:
        for _ in store.chunks(digest):
            pass


def test_what_is_given_back_is_the_same_image(store: LayoutStore, engine: Any, built: Any, tag: str) -> None:
    digest = read_image(store, built).digest
    engine.images.remove(built.id, force=True)
    with pytest.raises(docker.errors.ImageNotFound):
        engine.images.get(built.id)
    engine.images.load(write_archive(store, digest, name=tag))
    assert engine.images.get(tag).id == built.id
    assert read_archive(engine.images.get(tag).save(), store, image_id=built.id).digest == digest


def test_the_engine_refuses_what_is_damaged_on_the_way(
    store: LayoutStore, engine: Any, built: Any, tag: str
) -> None:
    other = build(engine, f"{tag}-damaged", DOCKERFILE + "COPY once /again\n")
    found = read_identity(store, read_image(store, other).digest)
    path = store.root / "blobs" / "sha256" / found.diff_ids[2][7:]
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    engine.images.remove(other.id, force=True)
    with pytest.raises(StoreError, match="damaged"):
        engine.images.load(write_archive(store, found.digest, name=f"{tag}-damaged"))
    with pytest.raises(docker.errors.ImageNotFound):
        engine.images.get(other.id)


def test_an_image_is_known_to_be_built_on_top_of_another_or_not(
    store: LayoutStore, engine: Any, built: Any, tag: str
) -> None:
    lower = read_identity(store, read_image(store, built).digest)
    upper = build(engine, f"{tag}-tests", f"FROM {tag}\nCOPY once /tests\n")
    beside = build(engine, f"{tag}-beside", "FROM scratch\nCOPY once /once\nCOPY files /\n")
    assert is_built_on(read_identity(store, read_image(store, upper).digest), lower)
    assert not is_built_on(read_identity(store, read_image(store, beside).digest), lower)


def test_the_id_of_another_image_is_refused(store: LayoutStore, engine: Any, built: Any, tag: str) -> None:
    other = build(engine, f"{tag}-other", "FROM scratch\nCOPY once /once\n")
    with pytest.raises(StoreError, match="saved another image than it built"):
        read_archive(other.save(), store, image_id=built.id)


def test_trivy_scans_the_very_image_among_others_and_their_records(
    store: LayoutStore, engine: Any, built: Any, tag: str, tmp_path: Path
) -> None:
    image = read_image(store, built)
    clean = read_image(store, build(engine, f"{tag}-clean", "FROM scratch\nCOPY once /once\n"))
    for number in range(3):
        record = store.write(
            [f"record {number}".encode()], media_type="application/vnd.dsse.envelope.v1+json"
        )
        for subject in (image, clean):
            store.attach(
                subject,
                artifact_type="application/vnd.dsse.envelope.v1+json",
                layers=[record],
                annotations={},
            )
    before = digest_of((store.root / "index.json").read_bytes())
    cache = tmp_path / "cache"
    facts = Path(__file__).parents[2] / "setup" / "trivy" / "advisories.json"
    subprocess.run([tool("AUTOCLAVE_ADVISORIES"), "-in", facts, "-out", cache], check=True)
    report = json.loads(
        subprocess.run(
            [real_trivy.program(), "image", "--input", store.locate(image.digest), "--cache-dir", cache,
             "--skip-db-update", "--skip-java-db-update", "--skip-check-update", "--skip-version-check",
             "--offline-scan", "--disable-telemetry", "--scanners", "vuln", "--format", "json", "--quiet"],
            check=True, capture_output=True, timeout=120,
        ).stdout
    )  # fmt: skip
    found = {
        finding["VulnerabilityID"]
        for result in report["Results"]
        for finding in result.get("Vulnerabilities", [])
    }
    assert "CVE-2019-10906" in found
    assert report["Metadata"]["ImageID"] == read_identity(store, image.digest).config
    assert report["Metadata"]["DiffIDs"] == list(read_identity(store, image.digest).diff_ids)
    assert digest_of((store.root / "index.json").read_bytes()) == before, (
        "a scan changes nothing in the store"
    )
