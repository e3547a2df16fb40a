"""Export and import an image of 2 GB: against `sha256sum` and `cp` of the same bytes, and in how much memory.

    python benchmarks/bench_bundle.py [-n 3] [--megabytes 2000]

Ours is `autoclave export`, then `autoclave import` of the file into a new store, each a process.
The peer is what one would do by hand with the same bytes: `cp` and `sha256sum` on the way out, and
again on the way in. Both write to the same disk, and sync. The image is one layer of random bytes.
Prints seconds, ratios and peak memory.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))


def measure(argv: list[str], folder: Path) -> tuple[float, float]:
    """Run a command; return its seconds and its peak memory in MiB."""
    began = time.perf_counter()
    process = subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{argv} failed ({process.returncode})")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def make_release(folder: Path, megabytes: int) -> str:
    """Make a device with a signed and sealed release of one large layer; return its digest."""
    import json

    from autoclave.evidence import cosign, predicates, records, statement, trust_export
    from autoclave.evidence.statement import PROVENANCE, VERIFICATION
    from autoclave.model.declared import Declared
    from autoclave.store.layout import LayoutStore
    from autoclave.store.oci import CONFIG, LAYER, MANIFEST, Manifest, encode
    from builders import sample_bundle
    from builders.sample_facts import BUILD, STEP_INFO

    store = LayoutStore(folder / ".autoclave" / "store")
    layer = store.write((os.urandom(1 << 20) for _ in range(megabytes)), media_type=LAYER)
    raw = json.dumps({"rootfs": {"type": "layers", "diff_ids": [layer.digest]}}).encode()
    config = store.write([raw], media_type=CONFIG)
    manifest = Manifest(schema_version=2, media_type=MANIFEST, config=config, layers=[layer])
    image = store.write([encode(manifest)], media_type=MANIFEST)
    store.tag("app", image)
    built = statement.make(image.digest, PROVENANCE, predicates.provenance(STEP_INFO, BUILD, {}))
    records.attach(store, image, built, PROVENANCE, sample_bundle.STEPS)
    said = predicates.verification(
        STEP_INFO, resource="urn:x", policy_digest=STEP_INFO.policy, inputs=[], declared=Declared()
    )
    body = statement.make(image.digest, VERIFICATION, said)
    records.attach(store, image, body, VERIFICATION, sample_bundle.RELEASE)
    cosign.sign_image(store, image.digest, "pump/app", sample_bundle.RELEASE)
    sample_bundle.seal_records(store, image)
    (folder / "autoclave.toml").write_bytes(sample_bundle.DEVICE)
    (folder.parent / "trust.toml").write_text(trust_export.text(sample_bundle.TRUST))
    return layer.digest.removeprefix("sha256:")


def by_hand(source: Path, folder: Path) -> float:
    """Return the seconds of copying and hashing twice."""
    script = f"cp {source} out && sha256sum out && cp out in && sha256sum in && sync out in"
    seconds, _ = measure(["sh", "-ec", script], folder)
    for name in ("out", "in"):
        (folder / name).unlink()
    return seconds


def main() -> None:
    """Measure both in turn, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--folder", default=None, help="on which disk")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder, trust = Path(name) / "device", Path(name) / "trust.toml"
        folder.mkdir()
        layer = folder / ".autoclave" / "store" / "blobs" / "sha256" / make_release(folder, given.megabytes)
        ours, theirs, peaks = [], [], [0.0, 0.0]
        command = [sys.executable, "-m", "autoclave"]
        for number in range(given.n):
            if number % 2:
                theirs.append(by_hand(layer, folder))
            out, peak_out = measure([*command, "export", "-o", "b.tar", "--trust", str(trust)], folder)
            back, peak_back = measure(
                [*command, "import", "b.tar", "--store", f"site-{number}", "--trust", str(trust)], folder
            )
            peaks = [max(peaks[0], peak_out), max(peaks[1], peak_back)]
            ours.append(out + back)
            print(f"  export {out:.2f} s, import {back:.2f} s", flush=True)
            subprocess.run(["rm", "-rf", f"site-{number}", "b.tar"], cwd=folder, check=True)
            if not number % 2:
                theirs.append(by_hand(layer, folder))
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    print(f"{given.megabytes} MiB, {given.n} pairs, medians")
    print(f"ours, export + import  {statistics.median(ours):6.2f} s  ratio {statistics.median(ratios):.2f}")
    print(f"cp + sha256sum, twice  {statistics.median(theirs):6.2f} s")
    print(f"peak memory            export {peaks[0]:.0f} MiB, import {peaks[1]:.0f} MiB")


if __name__ == "__main__":
    main()
