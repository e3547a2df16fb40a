"""Sign an image in a registry, attest, and verify both: ours against the cosign commands, paired.

    eval "$(setup/exports.sh)"; python benchmarks/bench_registry.py [-n 10] [--registry debian] [--bundle]

Ours is one Python process: it signs the image, attaches one record, and verifies both as another machine
would, with an empty cache. --list adds what a release does besides: listing the record for cosign. The
peer is `cosign sign`, `attest`, `verify` and `verify-attestation`, all offline, without a shell between them.
Both have the same P-256 key and a new image in each round; the images are put there before the clock starts.
Ours runs compiled modules, as pip installs them; the first round, which does not count, compiles them.
Prints medians and the ratios (ours / theirs, below 1 is better), as whole processes and without ours' start.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KIND = "https://slsa.dev/verification_summary/v1"
MADE = '"2026-01-01T00:00:00Z"'
PREDICATE = f"""{{"verificationResult": "PASSED", "autoclave": {{"step": "sign", "autoclaveVersion": "0",
 "device": "bench", "deviceVersion": "1", "safetyClass": "B", "image": "app", "inputs": "sha256:0",
 "policy": "sha256:0", "startedOn": {MADE}, "finishedOn": {MADE}, "passed": true}}}}"""
OFFLINE = ["--yes", "--tlog-upload=false", "--use-signing-config=false"]


def child(address: str, digest: str, folder: Path, *, listing: bool = False) -> None:
    """Sign, attach and verify, and print the seconds from when everything is imported."""
    from msgspec import Raw

    from autoclave.evidence import cosign, image_records, records, statement
    from autoclave.evidence.trust import Trust, TrustedKey, public_key
    from autoclave.signers import open_signer
    from autoclave.store.layout import LayoutStore
    from autoclave.store.registry.store import RegistryStore

    began = time.perf_counter()
    key = TrustedKey(name="bench", key=public_key(folder / "key.pub"), may=("release",))
    trust, signer = Trust((key,), "bench"), open_signer(f"file:{folder / 'key.pem'}", None)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        store = RegistryStore(address, LayoutStore(Path(one)), lambda _: None)
        image = store.find_image(digest)
        payload = statement.make(digest, KIND, Raw((folder / "predicate.json").read_bytes()))
        cosign.sign_image(store, digest, "bench/app", signer)
        records.attach(store, image, payload, KIND, signer)
        if listing:
            cosign.add_attestations(store, digest, records.read_all(store, digest, trust)[0])
        store = RegistryStore(address, LayoutStore(Path(other)), lambda _: None)
        attached = image_records.read(store, store.find_image(digest), trust)
        assert cosign.verify_signature(store, attached.signatures, [key]) == [key]
        (record,) = attached.records
        assert record.statement.predicate_type == KIND
        assert not attached.rejected
    print(time.perf_counter() - began)


def ours(address: str, digest: str, folder: Path, more: list[str]) -> tuple[float, float]:
    """Return the seconds of the whole process, and of its work alone."""
    argv = [sys.executable, __file__, "--child", address, digest, str(folder), *more]
    compiled = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    compiled.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.perf_counter()
    work = float(subprocess.run(argv, env=compiled, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return time.perf_counter() - began, work


def theirs(address: str, digest: str, folder: Path, words: list[str]) -> float:
    """Return the seconds of the four commands."""
    reference = f"{address.removeprefix('oci://')}@{digest}"
    private, public = ["--key", str(folder / "key.key")], ["--key", str(folder / "key.pub")]
    checking = ["--insecure-ignore-tlog", *words]
    predicate = ["--type", KIND, "--predicate", str(folder / "predicate.json")]
    began = time.perf_counter()
    cosign("sign", *private, *OFFLINE, *words, reference)
    cosign("attest", *private, *OFFLINE, *words, *predicate, reference)
    cosign("verify", *public, *checking, reference)
    cosign("verify-attestation", *public, *checking, "--type", KIND, reference)
    return time.perf_counter() - began


def cosign(*words: str) -> None:
    """Run cosign to its good end."""
    argv = [os.environ["AUTOCLAVE_COSIGN"], *words]
    done = subprocess.run(
        argv, env={**os.environ, "COSIGN_PASSWORD": ""}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"cosign {words[0]} failed ({done.returncode}):\n{done.stderr}")


def compare(rounds: int, registry: str, words: list[str], more: list[str]) -> None:
    """Measure both in turn, round by round, and print medians and ratios."""
    sys.path.insert(0, str(ROOT / "tests"))
    from builders.registries import open_store, serve_debian, serve_with_referrers
    from builders.sample_image import write_image

    start = {"debian": serve_debian, "referrers": serve_with_referrers}[registry]
    rows: list[tuple[float, float, float]] = []
    with tempfile.TemporaryDirectory() as name, start(Path(name)) as host:
        folder = Path(name)
        prepare(folder)
        for number in range(rounds + 1):  # the first round warms both up
            repository = f"bench/round-{number}"
            store = open_store(host, folder / "cache" / str(number), repository=repository)
            images = [write_image(store, uuid.uuid4().bytes).digest for _ in range(2)]
            address = f"oci://{host}/{repository}"
            if number % 2:  # who goes first changes
                peer = theirs(address, images[1], folder, words)
            mine = ours(address, images[0], folder, more)
            if not number % 2:
                peer = theirs(address, images[1], folder, words)
            rows.append((*mine, peer))
    report(
        rows[1:], f"{registry} registry, cosign's {'older format' if words else 'bundles'} {' '.join(more)}"
    )


def prepare(folder: Path) -> None:
    """Make one key, for both, and the predicate."""
    from securesystemslib.signer import CryptoSigner

    (folder / "key.pem").write_bytes(CryptoSigner.generate_ecdsa().private_bytes)
    (folder / "predicate.json").write_text(PREDICATE)
    cosign(
        "import-key-pair",
        "--key",
        str(folder / "key.pem"),
        "--output-key-prefix",
        str(folder / "key"),
        "--yes",
    )


def report(rows: list[tuple[float, float, float]], what: str) -> None:
    """Print medians and paired ratios."""
    print(f"{what}, {len(rows)} pairs, medians")
    peer = statistics.median(row[2] for row in rows)
    for at, name in enumerate(("ours, whole process", "ours, without start")):
        ratios = [row[at] / row[2] for row in rows]
        median = statistics.median(row[at] for row in rows)
        low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
        print(f"{name:20} {median:6.3f} s  ratio {middle:5.2f}   (min {low:.2f}, max {high:.2f})")
    print(f"{'cosign, 4 commands':20} {peer:6.3f} s")


def main() -> None:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=10, help="counted pairs, after one to warm up")
    parser.add_argument("--registry", choices=("debian", "referrers"), default="debian")
    parser.add_argument("--bundle", action="store_true", help="cosign's newer format instead of the older")
    parser.add_argument("--list", action="store_true", help="list the record for cosign as well")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child[0], args.child[1], Path(args.child[2]), listing=args.list)
        return
    words = [] if args.bundle else ["--new-bundle-format=false"]
    compare(args.n, args.registry, words, ["--list"] if args.list else [])


if __name__ == "__main__":
    main()
