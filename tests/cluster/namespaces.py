"""Linux namespaces of its own for the node: processes, mounts and network, removed with the test run."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builders.devices import program

_NODE = Path(__file__).with_name("node.py")
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Namespaces:
    """Where the node lives. Interface, addresses and control group derive from `number`, which is free."""

    number: int
    process: subprocess.Popen[str]

    @property
    def folder(self) -> Path:
        """Where the node writes. Not a folder of pytest's: a socket's path is at most 107 bytes long."""
        return Path(tempfile.gettempdir(), f"autoclave-node-{self.number}")

    @property
    def address(self) -> str:
        """The node's address, which only this machine reaches."""
        return f"10.243.{self.number}.2"

    @property
    def interface(self) -> str:
        """The node's end of the cable."""
        return f"autoclave{self.number}n"

    @property
    def group(self) -> str:
        """The control group of the node's pods: two nodes on one machine must not clean up each other's."""
        return f"autoclave-node-{self.number}"

    @property
    def pid(self) -> int:
        """The first process, as this machine numbers it."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return int(children.split()[0])

    def ask(self, verb: str, *words: str) -> Any:
        """Hand one request to the first process and return its answer."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps([verb, *words]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the node's first process ended before it answered to {verb}"
        return json.loads(line)

    def run(self, *argv: str) -> str:
        """Run a command inside to its end and return what it printed. Fails with its errors."""
        code, out, err = self.ask("run", *argv)
        assert code == 0, f"{' '.join(argv)}: exit code {code}\n{out}{err}"
        return str(out)


@contextlib.contextmanager
def create(hidden: Sequence[str], files: Mapping[str, str]) -> Iterator[Namespaces]:
    """Make the namespaces; at the end, or when this process dies, everything in them is removed.

    Folders in `hidden` are empty inside and written there alone; `files` are this machine's files, such as
    its kernel settings, with the text that they seem to have inside.
    """
    argv = [program("unshare"), "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    argv += ["--propagation", "private", sys.executable, str(_NODE)]
    with _interface() as number:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        inside = Namespaces(number, process)
        try:
            inside.run("true")  # the first process is there
            _remove(inside)  # what a run left that was killed: folders alone outlive it
            inside.folder.mkdir(mode=0o711)
            _make_groups(inside.group)
            _connect(inside)
            _mount(inside, hidden, files)
            yield inside
        finally:
            with process:  # closes its input, waits for its end
                pass
            _remove(inside)


@contextlib.contextmanager
def _interface() -> Iterator[int]:
    """Claim a number by making a network interface with it: the kernel gives each name once."""
    for number in range(256):
        name = f"autoclave{number}"
        argv = ["ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}n"]
        if subprocess.run(argv, capture_output=True, check=False).returncode == 0:
            break
    else:
        raise AssertionError("no network interface could be made: the cluster tests need root on Linux")
    try:
        _ip("addr", "add", f"10.243.{number}.1/30", "dev", name)
        _ip("link", "set", name, "up")
        yield number
    finally:  # removed already with the node: the two ends are removed together
        subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)


def _connect(inside: Namespaces) -> None:
    """Move the interface's other end inside. There is no way from there to any other machine."""
    end = inside.interface
    _ip("link", "set", end, "netns", str(inside.pid))
    inside.run("ip", "link", "set", "lo", "up")
    inside.run("ip", "addr", "add", f"{inside.address}/30", "dev", end)
    inside.run("ip", "link", "set", end, "up")
    inside.run("sysctl", "-qw", "net.ipv4.ip_forward=1")


def _mount(inside: Namespaces, hidden: Sequence[str], files: Mapping[str, str]) -> None:
    for place in hidden:
        if Path(place).is_dir():
            inside.run("mount", "-t", "tmpfs", "none", place)
    for place, text in files.items():
        seeming = inside.folder / place.strip("/").replace("/", "-")
        seeming.write_text(text)
        inside.run("mount", "--bind", str(seeming), place)


def _hierarchies() -> list[Path]:
    """Return the roots of the control groups: one in version 2, one for each controller in version 1."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    return [each for each in _CGROUPS.iterdir() if (each / "cgroup.procs").exists() and not each.is_symlink()]


def _make_groups(name: str) -> None:
    for root in _hierarchies():
        (root / name).mkdir()
        for setting in (
            "cpuset.cpus",
            "cpuset.mems",
        ):  # version 1 starts them empty, and then nothing may run there
            if (root / name / setting).exists() and not (_CGROUPS / "cgroup.controllers").exists():
                (root / name / setting).write_text((root / setting).read_text())


def _remove(inside: Namespaces) -> None:
    for root in _hierarchies():
        top = root / inside.group
        below = sorted((each for each in top.rglob("*") if each.is_dir()), reverse=True)
        for group in [*below, top] if top.is_dir() else []:
            group.rmdir()
    if inside.folder.exists():
        shutil.rmtree(inside.folder)


def _ip(*words: str) -> None:
    done = subprocess.run([program("ip"), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
