"""A small bundle for tests, and how to damage one: its members are changed and rewritten."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from msgspec import structs
from securesystemslib.signer import CryptoSigner

from autoclave.bundles import check, collect, tar
from autoclave.bundles import write as writing
from autoclave.bundles.contents import COPIES
from autoclave.bundles.write import verifier
from autoclave.evidence import cosign, image_records, predicates, records, seal, statement, trust_export
from autoclave.evidence.seal import Seal
from autoclave.evidence.statement import APPROVAL, DEPLOYMENT, PROVENANCE, SEAL, VERIFICATION
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.model.declared import Declared
from autoclave.model.digest import digest_of
from autoclave.model.facts import Deployment
from autoclave.model.release import ReleaseDocument, encode
from autoclave.runtime.folder import Folder
from autoclave.runtime.shell import Shell
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import Descriptor
from builders.sample_facts import APPROVALS, BUILD, DIGEST, STEP_INFO
from builders.sample_image import write_image

STEPS, RELEASE = (CryptoSigner.generate_ecdsa() for _ in range(2))


def trust_of(steps: CryptoSigner, release: CryptoSigner) -> Trust:
    """Return a trust in which one key signs the records of the steps, and one the release."""
    return Trust(
        (
            TrustedKey(name="steps", key=steps.public_key, may=("build", "unit-test", "scan", "deploy")),
            TrustedKey(name="release", key=release.public_key, may=("release",)),
        ),
        "trust.toml",
    )


TRUST = trust_of(STEPS, RELEASE)
DEVICE = b"""[device]
name = "pump"
version = "1"
safety-class = "B"

[[image]]
name = "app"
"""

Members = dict[str, bytes]


def make_release(
    folder: Path, steps: CryptoSigner = STEPS, release: CryptoSigner = RELEASE
) -> tuple[LayoutStore, Descriptor]:
    """Make a store with one image, a signed and sealed release."""
    store = LayoutStore(folder / "store")
    subject = write_image(store, name="app")
    built = statement.make(subject.digest, PROVENANCE, predicates.provenance(STEP_INFO, BUILD, {}))
    records.attach(store, subject, built, PROVENANCE, steps)
    said = predicates.verification(
        STEP_INFO, resource="urn:x", policy_digest=STEP_INFO.policy, inputs=[], declared=Declared()
    )
    files = [
        (COPIES[name], store.write([raw], media_type="text/plain")) for name, raw in copies(subject).items()
    ]
    summary = statement.make(subject.digest, VERIFICATION, records.name_files(said, files))
    records.attach(store, subject, summary, VERIFICATION, release, attachments=files)
    cosign.sign_image(store, subject.digest, "pump/app", release)
    seal_records(store, subject, steps=steps, release=release)
    return store, subject


def copies(subject: Descriptor) -> dict[str, bytes]:
    """Return the files of the release that a bundle has copies of."""
    document = ReleaseDocument(
        device="pump",
        version="1",
        safety_class="B",
        commit="",
        tree="",
        images={"app": subject.digest},
        files={"autoclave.toml": digest_of(DEVICE), "policy.json": digest_of(b"{}")},
        tools={},
    )
    return {
        "autoclave/device.toml": DEVICE,
        "autoclave/policy.json": b"{}",
        "autoclave/release.json": encode(document),
        "autoclave/verify.py": verifier(),
    }


def seal_records(
    store: LayoutStore,
    subject: Descriptor,
    turn: int = 1,
    steps: CryptoSigner = STEPS,
    release: CryptoSigner = RELEASE,
    trust: Trust | None = None,
) -> str:
    """Seal what no seal names yet."""
    trust = trust or trust_of(steps, release)
    attached = image_records.read(store, subject, trust)
    chain = seal.check(attached)
    facts = Seal(
        records=chain.unsealed,
        signatures=seal.signatures_of(attached.signatures.layers),
        previous=chain.newest,
        policy=STEP_INFO.policy,
        trust=trust_export.digest(trust),
    )
    made = structs.replace(STEP_INFO, finished_on=STEP_INFO.finished_on.replace(minute=turn))
    body = statement.make(subject.digest, SEAL, seal.predicate(made, facts))
    return records.attach(store, subject, body, SEAL, release).digest


def attach_deployment(store: LayoutStore, subject: Descriptor, place: str) -> None:
    """Attach what a deployment to a place leaves, signed with the steps' key."""
    facts = Deployment(
        environment="lab",
        place=place,
        target="docker",
        running=(),
        started=STEP_INFO.started_on,
        finished=STEP_INFO.finished_on,
    )
    body = statement.make(subject.digest, DEPLOYMENT, predicates.deployment(STEP_INFO, facts))
    records.attach(store, subject, body, DEPLOYMENT, STEPS)


def attach_approval(store: LayoutStore, subject: Descriptor, place: str, signer: CryptoSigner) -> None:
    """Attach the approval of a release for a place."""
    body = predicates.approval(STEP_INFO, structs.replace(APPROVALS[0].approval, place=place), DIGEST)
    records.attach(store, subject, statement.make(subject.digest, APPROVAL, body), APPROVAL, signer)


def bundle(folder: Path) -> Path:
    """Write the bundle of such a release."""
    store, subject = make_release(folder)
    return write(folder / "bundle.tar", store, subject)


def write(path: Path, store: LayoutStore, subject: Descriptor, trust: Trust = TRUST) -> Path:
    """Write a bundle of one image."""
    images = {"app": subject.digest}
    means = check.Means(store=store, shell=Shell(), trust=trust, now=datetime.now(UTC))
    verified, _ = check.read(images, "pump", means, strict=False)
    release = writing.BundleInputs(
        device="pump",
        version="1",
        images=images,
        seals={each.name: each.chain.newest for each in verified},
        trust=trust,
        copies=copies(subject),
    )
    writing.write(Folder(path.parent), path.name, store, collect.collect(store, verified), release)
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
        found = fit(found)
    path.write_bytes(pack(found))
    return path


def pack(found: Members) -> bytes:
    """Return the archive of members."""
    buffer = io.BytesIO()
    for name, raw in found.items():
        tar.write(buffer, name, len(raw), [raw])
    tar.end(buffer)
    return buffer.getvalue()


def fit(found: Members) -> Members:
    """Return members in their order with a head that describes them, as who knows the format can."""
    files = sorted(
        each for each in found if not each.startswith("blobs/") and each != "autoclave/bundle.json"
    )
    blobs = sorted(each for each in found if each.startswith("blobs/"))
    return {"autoclave/bundle.json": _head(found)} | {each: found[each] for each in [*files, *blobs]}


def _head(found: Members) -> bytes:
    head = json.loads(found["autoclave/bundle.json"])
    blobs = {name: raw for name, raw in found.items() if name.startswith("blobs/")}
    head["blobs"] = {f"sha256:{name.rpartition('/')[2]}": len(raw) for name, raw in blobs.items()}
    head["files"] = {
        name: digest_of(raw)
        for name, raw in found.items()
        if name not in blobs and name != "autoclave/bundle.json"
    }
    return json.dumps(head, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
