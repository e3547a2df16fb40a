"""`autoclave database update` with the real scanners: from a registry and from a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from autoclave.actions import databases
from autoclave.errors import DatabaseError
from autoclave.runtime.shell import Shell
from autoclave.scanners.base import Renewable
from autoclave.scanners.trivy import Trivy
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import EMPTY_BLOB, EMPTY_CONFIG, MANIFEST, Descriptor, Manifest, encode
from autoclave.store.registry.store import RegistryStore
from builders import real_grype, real_trivy, registries
from fixtures.reports import record

LAYERS = {
    "trivy": "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip",
    "grype": "application/vnd.anchore.grype.db.layer.v1+gzip",
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registries.serve_debian(tmp_path_factory.mktemp("registry")) as address:
        yield address


def create(name: str, cache: Path) -> Renewable:
    if name == "grype":
        return real_grype.create(cache)
    return Trivy(Shell(), program=real_trivy.program(), cache=cache)


def build(name: str, cache: Path) -> Renewable:
    (real_grype.build_database if name == "grype" else record.database)(cache)
    return create(name, cache)


def mirror(archive: Path, address: str, scanner: Renewable, tmp_path: Path) -> Descriptor:
    """Push a database as its publishers push it: an artifact of one layer with a tag."""
    store = RegistryStore(
        f"oci://{address}/{scanner.name}-db", LayoutStore(tmp_path / "push"), lambda _: None
    )
    layer = store.write([archive.read_bytes()], media_type=LAYERS[scanner.name])
    store.write([EMPTY_BLOB], media_type=EMPTY_CONFIG.media_type)
    manifest = Manifest(schema_version=2, media_type=MANIFEST, config=EMPTY_CONFIG, layers=[layer])
    described = store.write([encode(manifest)], media_type=MANIFEST)
    store.tag(scanner.tag, described)
    return described


@pytest.mark.parametrize("name", ["trivy", "grype"])
def test_a_database_comes_from_a_file_and_from_a_registry_by_tag_and_by_digest(
    name: str, registry: str, tmp_path: Path
) -> None:
    scanner = build(name, tmp_path / "published")
    published = scanner.versions().database
    archive = tmp_path / f"{name}.tar.gz"
    databases.save(scanner, archive)
    pushed = mirror(archive, registry, scanner, tmp_path)
    origins = (
        str(archive),
        f"oci://{registry}/{name}-db",
        f"oci://{registry}/{name}-db:{scanner.tag}@{pushed.digest}",
    )
    for number, origin in enumerate(origins):
        fresh = databases.renew(create(name, tmp_path / str(number)), origin, Shell())
        assert (fresh.digest, fresh.updated) == (published.digest, published.updated), origin
        assert create(name, tmp_path / str(number)).versions().database == fresh
    # The same again is no error; an older one is.
    databases.renew(create(name, tmp_path / "0"), str(archive), Shell())
    newer = build(name, tmp_path / "newer")
    with pytest.raises(DatabaseError) as caught:
        databases.renew(newer, str(archive), Shell())
    assert "is older" in caught.value.what


def test_a_database_of_another_scanner_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "trivy.tar.gz"
    databases.save(build("trivy", tmp_path / "published"), archive)
    with pytest.raises(Exception) as caught:
        databases.renew(create("grype", tmp_path / "cache"), str(archive), Shell())
    assert "Traceback" not in str(caught.value)
    assert not (tmp_path / "cache" / "6").exists()
