"""`autoclave --help` and `autoclave validate` against `python -c pass`, as whole processes, in turn.

python benchmarks/bench_start.py [-n 15]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path


def measure(argv: list[str]) -> float:
    """Return the seconds of one process."""
    start = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Run both in turn and print medians and the paired ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=15, help="counted pairs, after one to warm up")
    pairs = parser.parse_args().n
    program = str(Path(sys.executable).with_name("autoclave"))
    sample = Path(__file__).resolve().parents[1] / "examples" / "pulse-oximeter"
    for words in (["--help"], ["validate", "-C", str(sample)]):
        compare([program, *words], pairs)


def compare(argv: list[str], pairs: int) -> None:
    """Print what one command takes, and its ratio to an empty program that ran in turn with it."""
    rows = [(measure(argv), measure([sys.executable, "-c", "pass"])) for _ in range(pairs + 1)][1:]
    ours, peers = (statistics.median(row[at] for row in rows) * 1000 for at in (0, 1))
    ratios = sorted(row[0] / row[1] for row in rows)
    print(
        f"autoclave {argv[1]:<9} median {ours:5.1f} ms, fastest {min(row[0] for row in rows) * 1000:.1f} ms"
    )
    print(f"python -c pass      median {peers:5.1f} ms")
    low, middle, high = ratios[0], statistics.median(ratios), ratios[-1]
    print(f"ratio               median {middle:5.2f}   (min {low:.2f}, max {high:.2f})")


if __name__ == "__main__":
    main()
