"""The JVM in which this worker process runs its Jenkinsfiles: one for all tests, started with the first."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from builders.devices import ROOT, program

HARNESS = ROOT / "tests" / "pipelines" / "jenkins"
LIMIT_SECONDS = 500
_OPENED = ("lang", "util", "io", "net", "util.concurrent", "lang.reflect", "util.regex", "nio.file")
# Classes are loaded again at every restart of the controller; soft references to old ones are cleared soon.
_SETTINGS = (
    "-Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:SoftRefLRUPolicyMSPerMB=1 -Dfile.encoding=UTF-8"
)


class Jvm:
    """A JVM that runs scenarios until its standard input ends, so it does not outlive this process."""

    def __init__(self, printed: IO[bytes]) -> None:
        """Start it; its output goes to a file without a name, which needs no removal if this process dies."""
        jars = program("AUTOCLAVE_JENKINS_UNIT", "AUTOCLAVE_JENKINS_UNIT")
        opened = [word for name in _OPENED for word in ("--add-opens", f"java.base/java.{name}=ALL-UNNAMED")]
        argv = [program("java"), *opened, *_SETTINGS.split(), "-cp", f"{jars}/*:{HARNESS}"]
        argv += ["groovy.ui.GroovyMain", str(HARNESS / "Main.groovy")]
        self.printed = printed
        # In a folder without a Jenkinsfile: scripts are looked for in the current one.
        self.process = subprocess.Popen(
            argv, bufsize=0, cwd="/", start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=printed,
        )  # fmt: skip
        assert self.process.stdin
        assert self.process.stdout
        self.requests, self.answers = self.process.stdin, self.process.stdout

    def run(self, scenarios: Path, results: Path) -> None:
        """Run the scenarios of a file. If the JVM dies or hangs, fail with what it printed meanwhile."""
        before = os.fstat(self.printed.fileno()).st_size
        answer = b""
        with contextlib.suppress(BrokenPipeError):
            self.requests.write(json.dumps([str(scenarios), str(results)]).encode() + b"\n")
        ready, _, _ = select.select([self.answers], [], [], LIMIT_SECONDS)
        if ready:
            answer = self.answers.readline()
        if answer != b"done\n":
            how = f"died ({self.process.wait()})" if ready else f"did not answer within {LIMIT_SECONDS} s"
            self.printed.seek(before)
            raise AssertionError(f"the JVM {how}\n{self.printed.read().decode(errors='replace')}")

    def stop(self, seconds: float = 0) -> None:
        """Let it end; after these seconds kill it, and the commands that it runs."""
        self.requests.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.answers.close()
        self.printed.close()


_started: list[Jvm] = []


def run(scenarios: Path, results: Path) -> None:
    """Run the scenarios of a file in the JVM of this process; start one if none is alive."""
    if _started and _started[0].process.poll() is not None:
        _started.pop().stop()
    if not _started:
        _started.append(Jvm(tempfile.TemporaryFile()))  # noqa: SIM115 -- open as long as the JVM
    try:
        _started[0].run(scenarios, results)
    except BaseException:  # also when pytest's patience ends: the next test must not get this answer
        _started.pop().stop()
        raise


@atexit.register
def _stop() -> None:
    while _started:
        _started.pop().stop(10)
