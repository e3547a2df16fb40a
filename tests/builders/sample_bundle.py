"""A small bundle for tests, and how to damage one: its members are changed and rewritten."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

from msgspec import structs
from securesystemslib.signer import CryptoSigner

from autoclave.bundles import collect, tar
from autoclave.bundles import write as writing
from autoclave.evidence import cosign, image_records, predicates, records, seal, statement, trust_export
from autoclave.evidence.seal import Seal
from autoclave.evidence.statement import PROVENANCE, SEAL, VERIFICATION
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.model.declared import Declared
from autoclave.model.digest import digest_of
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import Descriptor
from builders.sample_facts import BUILD, STEP_INFO
from builders.sample_image import write_usable_image

STEPS, RELEASE = (CryptoSigner.generate_ecdsa() for _ in range(2))
TRUST = Trust(
    (
        TrustedKey(name="steps", key=STEPS.public_key, may=("build", "unit-test", "scan", "deploy")),
        TrustedKey(name="release", key=RELEASE.public_key, may=("release",)),
    ),
    "trust.toml",
)
DEVICE = b"""[device]
name = "pump"
version = "1"
safety-class = "B"

[[image]]
name = "app"
"""

Members = dict[str, bytes]


def make_release(folder: Path) -> tuple[LayoutStore, Descriptor]:
    """Make a store with one image, a signed and sealed release."""
    store = LayoutStore(folder / "store")
    subject = write_usable_image(store)
    built = statement.make(subject.digest, PROVENANCE, predicates.provenance(STEP_INFO, BUILD, {}))
    records.attach(store, subject, built, PROVENANCE, STEPS)
    said = predicates.verification(
        STEP_INFO, resource="urn:x", policy_digest=STEP_INFO.policy, inputs=[], declared=Declared()
    )
    summary = statement.make(subject.digest, VERIFICATION, said)
    records.attach(store, subject, summary, VERIFICATION, RELEASE)
    cosign.sign_image(store, subject.digest, "pump/app", RELEASE)
    seal_records(store, subject)
    return store, subject


def seal_records(store: LayoutStore, subject: Descriptor, turn: int = 1) -> str:
    """Seal what no seal names yet."""
    attached = image_records.read(store, subject, TRUST)
    chain = seal.check(attached)
    facts = Seal(
        records=chain.unsealed,
        signatures=seal.signatures_of(attached.signatures),
        previous=chain.newest,
        policy=STEP_INFO.policy,
        trust=trust_export.digest(TRUST),
    )
    made = structs.replace(STEP_INFO, finished_on=STEP_INFO.finished_on.replace(minute=turn))
    body = statement.make(subject.digest, SEAL, seal.predicate(made, facts))
    return records.attach(store, subject, body, SEAL, RELEASE).digest


def bundle(folder: Path) -> Path:
    """Write the bundle of such a release."""
    store, subject = make_release(folder)
    return write(folder / "bundle.tar", store, subject)


def write(path: Path, store: LayoutStore, subject: Descriptor) -> Path:
    """Write a bundle of one image."""
    images = {"app": subject.digest}
    release = writing.BundleInputs(
        device="pump",
        version="1",
        images=images,
        seals={"app": seal.check(image_records.read(store, subject, TRUST)).newest},
        trust=TRUST,
        policy=b"{}",
        device_file=DEVICE,
    )
    writing.write(path, store, collect.collect(store, images), release)
    return path


def members(path: Path) -> Members:
    """Read the members in order."""
    with tarfile.open(path) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]


def rewrite(path: Path, spoil: Callable[[Members], object], *, announce: bool = False) -> Path:
    """Change the members and rewrite them; with `announce`, the head matches the changed members."""
    found = members(path)
    spoil(found)
    if announce:
        found["autoclave/bundle.json"] = _head(found)
    buffer = io.BytesIO()
    for name, raw in found.items():
        tar.write(buffer, name, len(raw), [raw])
    tar.end(buffer)
    path.write_bytes(buffer.getvalue())
    return path


def _head(found: Members) -> bytes:
    head = json.loads(found["autoclave/bundle.json"])
    blobs = {name: raw for name, raw in found.items() if name.startswith("blobs/")}
    head["blobs"] = {f"sha256:{name.rpartition('/')[2]}": len(raw) for name, raw in blobs.items()}
    head["files"] = {
        name: digest_of(raw)
        for name, raw in found.items()
        if name not in blobs and name != "autoclave/bundle.json"
    }
    return json.dumps(head).encode()
