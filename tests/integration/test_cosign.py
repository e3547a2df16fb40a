"""The real cosign judges our signatures: it accepts them, and rejects what was tampered with."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoclave.evidence.statement import PROVENANCE, SBOM, TEST_RESULT, VERIFICATION, VULNS
from builders import tampering
from builders.devices import KNOWN_BAD, Repository, copy_device, program


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Repository, str]]:
    """The control device, released, and its image digest."""
    repository = copy_device(KNOWN_BAD / "control", tmp_path_factory.mktemp("released"), name="t-cosign")
    done = repository.run("run", "--to", "sign")
    assert done.code == 0, done.err
    yield repository, done.out.split()[1]
    repository.remove()


def push(store: Path, digest: str, registry: str, name: str) -> str:
    """Push image, signature and attestations out of a layout, byte for byte; return the reference."""
    repository = f"{registry}/devices/{name}"
    hexes = digest.replace(":", "-")
    for tag, target in (("app", "1"), (f"{hexes}.sig", f"{hexes}.sig"), (f"{hexes}.att", f"{hexes}.att")):
        words = ["copy", "--dest-tls-verify=false", "--preserve-digests"]
        argv = [program("skopeo"), *words, f"oci:{store}:{tag}", f"docker://{repository}:{target}"]
        subprocess.run(argv, check=True, capture_output=True)
    return f"{repository}@{digest}"


def cosign(command: str, key: Path, reference: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the real cosign and show what it says."""
    argv = [program("cosign", "AUTOCLAVE_COSIGN"), command, "--key", str(key), "--insecure-ignore-tlog"]
    argv += ["--new-bundle-format=false", "--allow-http-registry", *words, reference]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    verdict = "accepts" if done.returncode == 0 else "REJECTS"
    print(f"\ncosign {command} {' '.join(words)}: {verdict}: {done.stderr.strip().splitlines()[-1][:150]}")
    return done


REFERENCE = "org.opencontainers.image.ref.name"


def entry_of(index: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the index entry of a name."""
    (entry,) = (each for each in index["manifests"] if each.get("annotations", {}).get(REFERENCE) == name)
    found: dict[str, Any] = entry
    return found


def keys(repository: Repository) -> tuple[Path, Path]:
    """The public keys of steps and releases."""
    folder = repository.home / "autoclave" / "keys"
    return folder / "development-steps.pub", folder / "development-release.pub"


def test_cosign_accepts_the_release_signature(
    released: tuple[Repository, str], registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    repository, digest = released
    reference = push(repository.store, digest, registry, "good")
    steps, release = keys(repository)
    with capsys.disabled():
        done = cosign("verify", release, reference)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)[0]["critical"]["image"]["docker-manifest-digest"] == digest
        rejected = cosign("verify", steps, reference)
        assert rejected.returncode != 0
        assert "invalid signature" in rejected.stderr


@pytest.mark.parametrize("predicate_type", [PROVENANCE, TEST_RESULT, VULNS, SBOM, VERIFICATION])
def test_cosign_accepts_every_record(
    predicate_type: str, released: tuple[Repository, str], registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    repository, digest = released
    reference = push(repository.store, digest, registry, "good")
    steps, release = keys(repository)
    right, wrong = (release, steps) if predicate_type == VERIFICATION else (steps, release)
    with capsys.disabled():
        done = cosign("verify-attestation", right, reference, "--type", predicate_type)
        assert done.returncode == 0, done.stderr
        rejected = cosign("verify-attestation", wrong, reference, "--type", predicate_type)
        assert rejected.returncode != 0
        assert predicate_type not in rejected.stderr.splitlines()[-1].split("found: ")[1]


def test_cosign_rejects_what_was_tampered_with(
    released: tuple[Repository, str], registry: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository, digest = released
    store = tmp_path / "store"
    shutil.copytree(repository.store, store)
    index = tampering.load(store)
    entry = entry_of(index, f"{digest.replace(':', '-')}.sig")
    manifest = json.loads(tampering.blob(store, entry["digest"]).read_bytes())
    layer = manifest["layers"][0]
    payload = tampering.blob(store, layer["digest"]).read_bytes()
    layer["digest"], layer["size"] = tampering.put(store, payload.replace(b"t-cosign", b"t-cosigm"))
    entry["digest"], entry["size"] = tampering.put(store, json.dumps(manifest).encode())
    tampering.save(store, index)
    reference = push(store, digest, registry, "tampered")
    with capsys.disabled():
        rejected = cosign("verify", keys(repository)[1], reference)
        assert rejected.returncode != 0
        assert "invalid signature" in rejected.stderr


def test_cosign_rejects_a_record_that_was_tampered_with(
    released: tuple[Repository, str], registry: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository, digest = released
    store = tmp_path / "store"
    shutil.copytree(repository.store, store)
    index = tampering.load(store)
    entry = entry_of(index, f"{digest.replace(':', '-')}.att")
    manifest = json.loads(tampering.blob(store, entry["digest"]).read_bytes())
    (layer,) = (each for each in manifest["layers"] if each["annotations"]["predicateType"] == VULNS)
    raw = tampering.blob(store, layer["digest"]).read_bytes()
    layer["digest"], layer["size"] = tampering.put(store, tampering.with_one_byte_changed(raw))
    entry["digest"], entry["size"] = tampering.put(store, json.dumps(manifest).encode())
    tampering.save(store, index)
    reference = push(store, digest, registry, "tampered-record")
    steps = keys(repository)[0]
    with capsys.disabled():
        # The records beside it are still valid.
        assert cosign("verify-attestation", steps, reference, "--type", TEST_RESULT).returncode == 0
        rejected = cosign("verify-attestation", steps, reference, "--type", VULNS)
    assert rejected.returncode != 0
    # To cosign, a record whose signature does not hold is not there: only the others are found.
    words = rejected.stderr.splitlines()[-1]
    assert "none of the attestations matched" in words
    assert VULNS not in words.split("found: ")[1]
    assert TEST_RESULT in words.split("found: ")[1]


def test_cosign_rejects_what_was_made_for_another_image(
    released: tuple[Repository, str], registry: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository, digest = released
    store = tmp_path / "store"
    shutil.copytree(repository.store, store)
    index = tampering.load(store)
    entry = entry_of(index, "app")
    manifest = json.loads(tampering.blob(store, entry["digest"]).read_bytes())
    manifest["annotations"] = manifest.get("annotations", {}) | {"made": "by somebody else"}
    entry["digest"], entry["size"] = tampering.put(store, json.dumps(manifest).encode())
    for suffix in ("sig", "att"):  # genuine signatures, under another image's name
        tag = entry_of(index, f"{digest.replace(':', '-')}.{suffix}")
        tag["annotations"][REFERENCE] = f"{entry['digest'].replace(':', '-')}.{suffix}"
    tampering.save(store, index)
    reference = push(store, entry["digest"], registry, "another")
    steps, release = keys(repository)
    with capsys.disabled():
        verified = cosign("verify", release, reference)
        attested = cosign("verify-attestation", steps, reference, "--type", VULNS)
    assert verified.returncode != 0
    assert "digest" in verified.stderr
    assert attested.returncode != 0
    assert "digest" in attested.stderr
