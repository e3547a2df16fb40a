"""The first process of the node's namespaces: it starts, stops and reaps all others.

It takes one JSON list per line on standard input and answers each with one JSON line. When its input ends, it
ends, and the kernel then kills every process of its process namespace: whatever becomes of the test run that
started it, no control plane, no container, no mount and no network interface is left behind.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path

_ENDED: dict[int, int] = {}  # exit code of each process that was reaped


def main() -> None:
    """Answer requests until standard input ends."""
    started: dict[str, int] = {}
    waiting = b""
    while True:
        ready, _, _ = select.select([0], [], [], 0.5)
        _reap()
        if not ready:
            continue
        received = os.read(0, 65536)
        if not received:
            return
        *lines, waiting = (waiting + received).split(b"\n")
        for line in lines:
            _answer(started, json.loads(line))


def _answer(started: dict[str, int], request: list[str]) -> None:
    verb, *words = request
    answer: object = None
    if verb == "run":  # to its end
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        answer = [done.returncode, done.stdout, done.stderr]
    elif verb == "start":
        name, log, *argv = words
        started[name] = _spawn(log, argv)
    elif verb == "kill":
        answer = _kill(started.pop(words[0])) if words[0] in started else None
    elif verb == "ended":  # those that ended by themselves
        answer = [name for name, pid in started.items() if pid in _ENDED]
    elif verb == "memory":  # MiB of every process here, shared pages counted by share
        answer = _memory()
    print(json.dumps(answer), flush=True)


def _spawn(log: str, argv: list[str]) -> int:
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, sink, 1),
        (os.POSIX_SPAWN_DUP2, sink, 2),
    ]
    try:
        return os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions, setsid=True)
    finally:
        os.close(sink)


def _kill(pid: int) -> int:
    """Kill at once, as a crash would; return the exit code as a shell counts it."""
    if pid not in _ENDED:
        os.kill(pid, signal.SIGKILL)
    while pid not in _ENDED:
        _reap()
        time.sleep(0.01)
    return _ENDED[pid]


def _reap() -> None:
    """Collect every ended child; orphans of the container runtime become children of the first process."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _ENDED[pid] = os.waitstatus_to_exitcode(status)


def _memory() -> dict[str, int]:
    found: dict[str, int] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text().strip()
            rollup = (process / "smaps_rollup").read_text().splitlines()
            kib = next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
        except (OSError, StopIteration):  # it ended meanwhile, or is the kernel's
            continue
        found[name] = found.get(name, 0) + kib
    return {name: kib // 1024 for name, kib in found.items()}


if __name__ == "__main__":
    main()
