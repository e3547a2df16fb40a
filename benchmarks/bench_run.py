"""`autoclave run` on the sample device against a plain shell script with the same tools, paired.

Each round changes one source file and commits, so that both rebuild the last layers, test, scan, sign
and deploy. The shell script is what a team writes by hand: docker build, docker run for the tests, trivy,
push to a registry on this machine, cosign sign, docker run and a wait for the health page. It verifies
nothing and keeps no record. Needs what ./check sets up:

    eval "$(setup/exports.sh)"; python benchmarks/bench_run.py
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PEER = """
set -eu
docker build -q --target release -t bench/oximeter . >/dev/null
docker build -q --target test -t bench/oximeter-test . >/dev/null
c=$(docker create --network none --read-only --tmpfs /tmp --cap-drop ALL -e HOME=/tmp -v /autoclave \
  bench/oximeter-test python -m pytest -q /autoclave/tests --junit-xml=/tmp/junit.xml)
docker cp tests "$c":/autoclave/ >/dev/null
docker start -a "$c" >/dev/null
docker rm -v "$c" >/dev/null
"${AUTOCLAVE_SCANNER_COMMAND#trivy=}" image --cache-dir "${AUTOCLAVE_SCANNER_CACHE#trivy=}" \
  --skip-db-update --skip-java-db-update \
  --skip-check-update --skip-version-check --offline-scan --disable-telemetry --quiet \
  --scanners vuln,secret,misconfig --format json --output trivy.json \
  --exit-code 5 --severity HIGH,CRITICAL bench/oximeter
docker tag bench/oximeter 127.0.0.1:$PORT/devices/oximeter:1
docker push -q 127.0.0.1:$PORT/devices/oximeter:1 >/dev/null
digest=$(docker inspect --format '{{index .RepoDigests 0}}' 127.0.0.1:$PORT/devices/oximeter:1)
COSIGN_PASSWORD= "$AUTOCLAVE_COSIGN" sign --key ../cosign.key --yes --tlog-upload=false \
  --use-signing-config=false --new-bundle-format=false --allow-http-registry "$digest" 2>/dev/null
docker rm -f bench-oximeter >/dev/null 2>&1 || true
docker run -d --name bench-oximeter --read-only --tmpfs /tmp --cap-drop ALL -p 127.0.0.1:18991:8080 \
  -v bench-readings:/var/lib/pulse-oximeter bench/oximeter >/dev/null
until curl -fs http://127.0.0.1:18991/health >/dev/null; do sleep 0.1; done
"""


def main() -> None:
    """Run both in turn and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=5, help="counted rounds")
    rounds = parser.parse_args().n
    with tempfile.TemporaryDirectory() as name, registry(Path(name)) as port:
        folder = Path(name)
        device = sample(folder)
        environment = {**os.environ, "PORT": str(port), "XDG_CONFIG_HOME": str(folder / "config")}
        subprocess.run(
            [os.environ["AUTOCLAVE_COSIGN"], "generate-key-pair"],
            cwd=folder,
            env={**environment, "COSIGN_PASSWORD": ""},
            check=True,
            capture_output=True,
        )
        ours, peers, again = [], [], []
        for number in range(rounds + 1):  # the first round warms both up
            change(device, 2 * number)
            ours.append(measure(["autoclave", "run", "--environment", "staging"], device, environment))
            again.append(measure(["autoclave", "run", "--environment", "staging"], device, environment))
            change(device, 2 * number + 1)
            peers.append(measure(["sh", "-c", PEER], device, environment))
        clean()
    report(ours[1:], peers[1:], again[1:])


def report(ours: list[float], peers: list[float], again: list[float]) -> None:
    """Print medians and the paired ratio."""
    ratios = [mine / theirs for mine, theirs in zip(ours, peers, strict=True)]
    print(f"autoclave run     median {statistics.median(ours):6.2f} s")
    print(f"shell script      median {statistics.median(peers):6.2f} s")
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    print(f"ratio             median {middle:6.2f}   (min {low:.2f}, max {high:.2f}, {len(ratios)} pairs)")
    print(f"nothing changed   median {statistics.median(again):6.2f} s, all records verified again")


def sample(folder: Path) -> Path:
    """Copy the sample device into a repository of its own, on a port of its own."""
    device = folder / "pulse-oximeter"
    ignore = shutil.ignore_patterns(".autoclave", "__pycache__")
    shutil.copytree(ROOT / "examples" / "pulse-oximeter", device, ignore=ignore)
    file = device / "autoclave.toml"
    file.write_text(
        file.read_text().replace("18080", "18990").replace('"pulse-oximeter"', '"bench-oximeter"', 1)
    )
    (device / ".dockerignore").write_text((device / ".dockerignore").read_text() + "\ntrivy.json\n")
    (device / ".gitignore").write_text((device / ".gitignore").read_text() + "\ntrivy.json\n")
    git(device, "init", "-q")
    return device


def change(device: Path, number: int) -> None:
    """Change the product and commit it."""
    file = next((device / "oximeter").glob("*.py"))
    file.write_text(file.read_text().split("\n# round")[0] + f"\n# round {number}\n")
    git(device, "add", "-A")
    git(
        device,
        "-c",
        "user.name=bench",
        "-c",
        "user.email=bench@example.org",
        "commit",
        "-q",
        "-m",
        f"{number}",
    )


def git(folder: Path, *args: str) -> None:
    """Run git in a folder."""
    subprocess.run(["git", "-C", str(folder), *args], check=True)


def measure(argv: list[str], folder: Path, environment: dict[str, str]) -> float:
    """Run a command to its good end and return its seconds."""
    start = time.monotonic()
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, check=False)
    seconds = time.monotonic() - start
    if done.returncode:
        raise SystemExit(
            f"{argv[0]} failed ({done.returncode}):\n{done.stdout.decode()}\n{done.stderr.decode()}"
        )
    return seconds


@contextmanager
def registry(folder: Path) -> Iterator[int]:
    """Run Debian's registry on a loopback port."""
    port = 15990
    config = folder / "registry.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'registry'}}}}}\n"
        f'http: {{addr: "127.0.0.1:{port}"}}\n'
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(1)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def clean() -> None:
    """Remove what both left in the engine."""
    for name in ("bench-oximeter", "autoclave_bench-oximeter_staging_gateway"):
        subprocess.run(["docker", "rm", "-fv", name], capture_output=True, check=False)
    for name in ("bench-readings", "autoclave_bench-oximeter_staging_readings"):
        subprocess.run(["docker", "volume", "rm", name], capture_output=True, check=False)
    subprocess.run(
        ["docker", "network", "rm", "autoclave_bench-oximeter_staging"], capture_output=True, check=False
    )


if __name__ == "__main__":
    main()
