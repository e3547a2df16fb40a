"""Verify an image with many records: ours against `cosign verify-attestation`, paired, and how it grows.

    eval "$(setup/exports.sh)"; python benchmarks/bench_verify.py [-n 7] [--records 100]

Ours is one process that reads every record of an image from an OCI layout, verifies each signature,
and checks the seals over them; half of the records are seals. The peer is one process of `cosign
verify-attestation`, offline, of as many attestations of one kind, in Debian's registry on a
loopback port: cosign reads no layout. Then 10, 100 and 1000 records with ours alone: seconds per
record without the start of Python. Prints medians and the paired ratio (ours / theirs, below 1 is
better).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))


def child(folder: Path, digest: str) -> None:
    """Verify, and print the seconds from when everything is imported, and the count of records."""
    from autoclave.evidence import image_records, seal
    from autoclave.evidence.trust import Trust, TrustedKey, public_key
    from autoclave.store.layout import LayoutStore

    began = time.perf_counter()
    key = TrustedKey(name="bench", key=public_key(folder / "key.pub"), may=("build", "release", "deploy"))
    store = LayoutStore(folder / "store", create=False)
    attached = image_records.read(store, store.find_image(digest), Trust((key,), "bench"))
    chain = seal.check(attached)
    assert not attached.rejected
    assert not chain.problems
    print(time.perf_counter() - began, len(attached.records))


def ours(folder: Path, digest: str) -> tuple[float, float]:
    """Return the seconds of the whole process, and of its work alone."""
    argv = [sys.executable, __file__, "--child", str(folder), digest]
    compiled = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    compiled.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.perf_counter()
    done = subprocess.run(argv, env=compiled, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - began, float(done.stdout.split()[0])


def theirs(folder: Path, reference: str, kind: str) -> float:
    """Return the seconds of the peer."""
    argv = [os.environ["AUTOCLAVE_COSIGN"], "verify-attestation", "--key", str(folder / "key.pub")]
    argv += ["--insecure-ignore-tlog", "--new-bundle-format=false", "--type", kind, reference]
    began = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"cosign failed ({done.returncode}):\n{done.stderr}")
    return took


def make_store(folder: Path, count: int) -> str:
    """Make a store with an image and so many records; return the image's digest."""
    from msgspec import structs
    from securesystemslib.signer import CryptoSigner

    from autoclave.evidence import predicates, records, seal, statement
    from autoclave.evidence.seal import Seal, SealedRecord
    from autoclave.evidence.statement import PROVENANCE, SEAL
    from autoclave.signers import open_signer
    from autoclave.store.layout import LayoutStore
    from autoclave.store.oci import parse_manifest
    from builders.sample_facts import BUILD, STEP_INFO
    from builders.sample_image import write_image

    folder.mkdir()
    (folder / "key.pem").write_bytes(CryptoSigner.generate_ecdsa().private_bytes)
    signer = open_signer(f"file:{folder / 'key.pem'}", None)
    (folder / "key.pub").write_text(signer.public_key.keyval["public"])
    store = LayoutStore(folder / "store")
    image = write_image(store, b"bench")
    previous = ""
    for number in range(count // 2):
        info = structs.replace(STEP_INFO, finished_on=STEP_INFO.finished_on + timedelta(minutes=2 * number))
        body = statement.make(image.digest, PROVENANCE, predicates.provenance(info, BUILD, {}))
        record = records.attach(store, image, body, PROVENANCE, signer)
        envelope = parse_manifest(store.read(record.digest), record.digest).layers[0].digest
        facts = Seal(
            records=(SealedRecord("provenance", record.digest, envelope),),
            signatures=(),
            previous=previous,
            policy=STEP_INFO.policy,
            trust=STEP_INFO.policy,
        )
        later = structs.replace(info, finished_on=info.finished_on + timedelta(minutes=1))
        body = statement.make(image.digest, SEAL, seal.predicate(later, facts))
        previous = records.attach(store, image, body, SEAL, signer).digest
    return image.digest


def push_for_cosign(folder: Path, digest: str, host: str) -> str:
    """Put image and records into a registry, listed for cosign as one kind; return the reference."""
    from autoclave.evidence import cosign, records
    from autoclave.evidence.statement import PROVENANCE
    from autoclave.signers import open_signer
    from autoclave.store.layout import LayoutStore
    from builders.registries import open_store
    from builders.sample_facts import BUILD, STEP_INFO
    from builders.sample_image import write_image

    source = LayoutStore(folder / "store", create=False)
    remote = open_store(host, folder / "cache", repository="bench/verify")
    image = write_image(remote, b"bench")
    assert image.digest == digest
    count = len(source.referrers(digest))
    signer = open_signer(f"file:{folder / 'key.pem'}", None)
    layers = [
        _layer(remote, digest, signer, number, (PROVENANCE, STEP_INFO, BUILD)) for number in range(count)
    ]
    cosign.add(remote, digest, "att", layers)
    assert records.read_all(source, digest, _trust(folder))[0]
    return f"{host}/bench/verify@{digest}"


def _layer(remote, digest, signer, number, what):  # type: ignore[no-untyped-def]
    from msgspec import structs

    from autoclave.evidence import dsse, predicates, statement
    from autoclave.evidence.cosign import SIGNATURE
    from autoclave.evidence.records import PREDICATE_TYPE

    kind, info, build = what
    info = structs.replace(info, finished_on=info.finished_on + timedelta(minutes=number))
    body = statement.make(digest, kind, predicates.provenance(info, build, {}))
    raw = dsse.sign(body, statement.PAYLOAD_TYPE, signer)
    blob = remote.write([raw], media_type=dsse.MEDIA_TYPE)
    return structs.replace(blob, annotations={SIGNATURE: "", "predicateType": kind, PREDICATE_TYPE: kind})


def _trust(folder: Path):  # type: ignore[no-untyped-def]
    from autoclave.evidence.trust import Trust, TrustedKey, public_key

    key = TrustedKey(name="bench", key=public_key(folder / "key.pub"), may=("build", "release", "deploy"))
    return Trust((key,), "bench")


def compare(rounds: int, count: int) -> None:
    """Measure both in turn, round by round, and print medians and the ratio; then how ours grows."""
    from builders.registries import serve_debian

    rows: list[tuple[float, float, float]] = []
    with tempfile.TemporaryDirectory() as name, serve_debian(Path(name)) as host:
        folder = Path(name) / "one"
        digest = make_store(folder, count)
        reference = push_for_cosign(folder, digest, host)
        for number in range(rounds + 1):  # the first round warms both up
            peer = theirs(folder, reference, "https://slsa.dev/provenance/v1") if number % 2 else 0.0
            mine = ours(folder, digest)
            peer = peer or theirs(folder, reference, "https://slsa.dev/provenance/v1")
            rows.append((*mine, peer))
        rows = rows[1:]
        print(f"{count} records, {len(rows)} pairs, medians")
        for at, label in ((0, "ours, whole process"), (1, "ours, without start")):
            ratios = sorted(row[at] / row[2] for row in rows)
            median = statistics.median(row[at] for row in rows)
            print(
                f"{label:20} {median:6.3f} s  ratio {statistics.median(ratios):5.2f}"
                f"   (min {ratios[0]:.2f}, max {ratios[-1]:.2f})"
            )
        print(f"{'cosign':20} {statistics.median(row[2] for row in rows):6.3f} s")
        for size in (10, 100, 1000):
            folder = Path(name) / str(size)
            digest = make_store(folder, size)
            ours(folder, digest)
            work = statistics.median(ours(folder, digest)[1] for _ in range(3))
            print(f"{size:5} records        {work:6.3f} s  {1000 * work / size:6.2f} ms each")


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=7)
    parser.add_argument("--records", type=int, default=100)
    parser.add_argument("--child", nargs=2)
    given = parser.parse_args()
    if given.child:
        child(Path(given.child[0]), given.child[1])
    else:
        compare(given.n, given.records)


if __name__ == "__main__":
    main()
