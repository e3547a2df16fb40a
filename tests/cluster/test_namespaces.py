"""A test run that is killed leaves nothing of its node behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cluster import namespaces

# Acts as a test run: it makes the namespaces, starts something in them, prints where that is, and stays.
RUN = """
import json, sys, time
from pathlib import Path
from cluster import namespaces
with namespaces.create([], {"/proc/sys/kernel/panic": "10"}) as inside:
    (inside.folder / "kept").touch()
    groups = [str(root / inside.group / "pod") for root in namespaces._hierarchies()]
    for each in groups:
        Path(each).mkdir()
    inside.ask("start", "sleeper", str(inside.folder / "log"), "sleep", "3600.75")
    print(json.dumps([inside.number, str(inside.folder), groups]), flush=True)
    time.sleep(600)
"""


def test_a_killed_run_leaves_no_process_mount_or_interface() -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", RUN],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with run:
        try:
            assert run.stdout
            number, folder, groups = json.loads(run.stdout.readline())
            interface = Path(f"/sys/class/net/autoclave{number}")
            assert _within(10, lambda: bool(_sleepers()))  # its command line shows a moment after its start
            assert interface.exists()
            assert Path("/proc/sys/kernel/panic").read_text().strip() != "10"
        finally:
            run.send_signal(signal.SIGKILL)

    assert _within(10, lambda: not _sleepers())
    assert _within(10, lambda: not interface.exists())
    assert folder not in Path("/proc/mounts").read_text()

    # Folders and control groups do not end with a process: the next run with this number removes them.
    with namespaces.create([], {}) as inside:
        assert inside.number != number or not (Path(folder) / "kept").exists()
        assert inside.number != number or not any(Path(each).exists() for each in groups)


def _within(seconds: float, holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _sleepers() -> list[Path]:
    """Find the process that the killed run started, by its odd duration."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if each.read_bytes() == b"sleep\x003600.75\x00":
                found.append(each.parent)
        except OSError:  # it ended meanwhile
            continue
    return found
