"""Write a commit out of git: ours, every object hashed again, against `git archive | tar x`, paired.

    python benchmarks/bench_source.py [-n 5] [--files 100000]

The repository has files of 200 to 4,000 bytes in folders of 100, committed and packed by `git gc`. Ours is
the export as a step does it, in a process that is started already: the commit found, git started, written,
and not yet removed. The peer is `git archive HEAD | tar x`. A small repository of 20 files shows what every
step pays. Prints medians and the paired ratio (ours / theirs, below 1 is better).
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))


def make_repository(folder: Path, count: int) -> None:
    """Make a repository with one commit of so many files."""
    from builders.commits import commit, git

    chosen = random.Random(15)
    for number in range(count):
        path = folder / f"{number // 10_000}" / f"{number // 100 % 100}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{chosen.random()}\n" * chosen.randint(10, 200))
    commit(folder)
    git(folder, "gc", "-q")


def ours(folder: Path) -> tuple[float, float]:
    """Return the seconds of the export, and of its removal."""
    from autoclave.device import source
    from autoclave.runtime.shell import Shell

    began = time.perf_counter()
    found = source.open_commit(folder, folder / ".autoclave", Shell())
    assert found.folder
    took = time.perf_counter() - began
    found.close()
    return took, time.perf_counter() - began - took


def theirs(folder: Path, out: Path) -> float:
    """Return the seconds of the peer."""
    out.mkdir()
    began = time.perf_counter()
    with subprocess.Popen(["git", "-C", str(folder), "archive", "HEAD"], stdout=subprocess.PIPE) as git:
        subprocess.run(["tar", "x", "-C", str(out)], stdin=git.stdout, check=True)
    took = time.perf_counter() - began
    shutil.rmtree(out)
    return took


def measure(count: int, pairs: int) -> None:
    """Measure one repository, and print a line about it."""
    with tempfile.TemporaryDirectory(prefix="bench-source-") as name:
        folder = Path(name) / "repository"
        make_repository(folder, count)
        ours(folder)
        seconds: list[tuple[float, float, float]] = []
        for _ in range(pairs):
            seconds.append((*ours(folder), theirs(folder, Path(name) / "out")))
    mine, removed, peer = (statistics.median(column) for column in zip(*seconds, strict=True))
    ratios = sorted(one / other for one, _, other in seconds)
    print(
        f"{count:,} files: ours {mine:.3f} s (and {removed:.3f} s to remove them), git archive {peer:.3f} s, "
        f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
        flush=True,
    )


def main() -> None:
    """Measure both repositories."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=5)
    parser.add_argument("--files", type=int, default=100_000)
    options = parser.parse_args()
    measure(20, options.n * 4)
    measure(options.files, options.n)


if __name__ == "__main__":
    main()
