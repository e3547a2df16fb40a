"""The flow as GitLab jobs against `autoclave run` on the same machine, paired.

Each round changes one source file of the sample, commits, runs the five jobs with the local GitLab
runner (which copies the repository for each job, and every artifact), and then `autoclave run` in a
clone. The ratio is the cost of jobs, artifacts and handovers. Needs what ./check sets up:

    eval "$(setup/exports.sh)"; python benchmarks/bench_gitlab.py
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "steps"), str(ROOT / "tests")]

from builders.devices import SAMPLE, Repository, copy_device, git  # noqa: E402
from doubles import gitlab_double  # noqa: E402
from doubles.gitlab_double import Token  # noqa: E402
from pipelines.gitlab_local import JOB_TOKEN, WHOLE_FLOW, GitLab  # noqa: E402


def main() -> None:
    """Run both in turn and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=5, help="counted rounds")
    rounds = parser.parse_args().n
    with tempfile.TemporaryDirectory() as name, gitlab_double.serve() as api:
        folder = Path(name)
        api.users, api.tokens = {8: "ann"}, {JOB_TOKEN: Token(8, job=True)}
        gitlab = GitLab(folder / "gitlab", api)
        sample = copy_device(SAMPLE, folder / "sample", name="bench-gitlab")
        gitlab.device(sample, WHOLE_FLOW)
        git(folder, "clone", "-q", str(sample.folder), "laptop")
        laptop = Repository(folder / "laptop", folder / "home", sample.port)
        try:
            pairs = [pair(gitlab, sample, laptop, number) for number in range(rounds + 1)][1:]
        finally:
            sample.remove()
    jobs, run = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratios = [one / other for one, other in pairs]
    print(f"jobs {jobs:.1f} s, run {run:.1f} s")
    print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}, {rounds} pairs)")


def pair(gitlab: GitLab, sample: Repository, laptop: Repository, number: int) -> tuple[float, float]:
    """Return the seconds of the flow in jobs, and of one run, for the same change."""
    seconds = []
    for place, call in (
        (sample, lambda: gitlab.run(sample).code),
        (laptop, lambda: laptop.run("run").code),
    ):
        source = place.folder / "oximeter" / "__init__.py"
        source.write_text(f'"""Change {number} in {place.folder.name}."""\n', "utf-8")
        if place is sample:
            gitlab.device(sample, WHOLE_FLOW)
        else:
            place.commit()
        start = time.monotonic()
        if call():
            raise SystemExit("a run failed: nothing to compare")
        seconds.append(time.monotonic() - start)
    return seconds[0], seconds[1]


if __name__ == "__main__":
    main()
