"""The only place that starts processes: argument lists, never shell strings."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from msgspec import Struct
from plumbum import local

from autoclave.errors import Interrupted, ToolError
from autoclave.runtime import programs
from autoclave.runtime.neutral import cut, neutralise, split_lines
from autoclave.runtime.redact import Mask

Process = Any
"""plumbum's handle of a process. It must be kept: when it is collected, it closes the pipes."""

_CHUNK = 1 << 16
_PAUSE = 0.5  # seconds
_GRACE = 5.0  # seconds in which what a process printed is read after its end
_TAIL = 15  # lines of a failed command's output that an error shows


class Completed(Struct, frozen=True):
    """A finished command: exit code and what it printed."""

    code: int
    out: bytes
    err: bytes


class Conversation(Struct, frozen=True):
    """A running command that is written to and read from; `errors` is a file with its standard error."""

    requests: IO[bytes]
    answers: IO[bytes]
    errors: IO[bytes]

    def explain(self) -> str:
        """Return the last lines of what the command printed as errors."""
        size = self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, size - 4096))
        return "\n".join(self.errors.read().decode("utf-8", "replace").strip().splitlines()[-_TAIL:])


class Shell:
    """Runs external commands, prints them on request, and kills all of them on cancel."""

    def __init__(self, *, echo: Callable[[str], None] | None = None, mask: Mask | None = None) -> None:
        self._echo = echo
        self.mask = mask or Mask()
        self._running: set[Process] = set()
        self._lock = threading.Lock()
        self._cancelled = False

    def which(self, program: str) -> str | None:
        """Return the path of a program, or None."""
        found = self.find_all(program)
        return found[0] if found else None

    def find_all(self, program: str) -> list[str]:
        """Return every program of that name: an installed one, then in the order of PATH; a path as it is.

        A relative folder of PATH does not count: it would be one of the device repository.
        """
        if os.sep in program:
            return [program] if os.access(program, os.X_OK) and Path(program).is_file() else []
        folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
        paths = [str(Path(folder) / program) for folder in folders if Path(folder).is_absolute()]
        if installed := programs.find(program):
            paths.insert(0, installed)
        return [path for path in dict.fromkeys(paths) if os.access(path, os.X_OK) and Path(path).is_file()]

    def show(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        """Print a command as a line that can be pasted into a shell (only with -v)."""
        if self._echo:
            words = [f"{name}={shlex.quote(self.mask(value))}" for name, value in (env or {}).items()]
            elsewhere = cwd is not None and cwd.resolve() != Path.cwd()
            start = f"cd {shlex.quote(str(cwd))} && " if elsewhere else ""
            self._echo(start + " ".join([*words, self._line(argv)]))

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        timeout: float | None = None,
        ok: Container[int] = (0,),
        out: Path | None = None,
        shown: Sequence[str] = (),
    ) -> Completed:
        """Run a command to its end and return what it printed.

        `env` is added to the environment; `environment` is all of it, without this process's. `out` sends
        standard output to a file. `shown` is the line to paste instead, when the command needs files that
        are removed after it has ended. Raises ToolError when the program is missing, its exit code is not in
        `ok`, or `timeout` (seconds) passes.
        """
        self.show(shown or argv, env=env, cwd=None if shown else cwd)
        with _Sink(out) as sink:
            process = self._start(
                argv, cwd=cwd, env=env, environment=environment, stdin=stdin is not None, stdout=sink
            )
            try:
                printed, errors = process.communicate(stdin, timeout=timeout)
            except subprocess.TimeoutExpired as error:
                self._kill(process)
                with suppress(
                    subprocess.TimeoutExpired
                ):  # a child in a session of its own keeps the pipe open
                    process.communicate(timeout=_GRACE)
                raise ToolError(
                    f"{argv[0]} did not finish within {timeout:g} s",
                    next=f"run it by hand: {self._line(argv)}",
                ) from error
            except BaseException:  # Ctrl-C as well: no child outlives the command
                self._kill(process)
                process.wait()
                raise
            finally:
                self._forget(process)
        self._stop_if_cancelled(argv)
        completed = Completed(process.returncode, printed or b"", errors or b"")
        if completed.code not in ok:
            raise self._make_error(argv, completed)
        return completed

    def stream(
        self,
        argv: Sequence[str],
        line: Callable[[str], None],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        shown: Sequence[str] = (),
    ) -> int:
        """Run a command, call `line` for each line of both its streams at once, and return the exit code."""
        self.show(shown or argv, env=env, cwd=cwd)
        process = self._start(argv, cwd=cwd, env=env, stderr=subprocess.STDOUT)
        try:
            for raw in split_lines(_read_until_end(process)):
                line(self.readable(raw))
            code = int(process.wait())
        except BaseException:  # Ctrl-C as well
            self._kill(process)
            process.wait()
            raise
        finally:
            self._forget(process)
        self._stop_if_cancelled(argv)
        return code

    def readable(self, line: bytes) -> str:
        """Return a printed line as text: without secrets, of bounded length, and steering nothing."""
        return neutralise(cut(self.mask(line.decode("utf-8", "replace"))))

    @contextmanager
    def converse(
        self, argv: Sequence[str], *, environment: Mapping[str, str], cwd: Path | None = None
    ) -> Iterator[Conversation]:
        """Run a command that answers what is written to it; it is killed at the end of the block.

        `environment` is all of its environment: nothing of this process's is added.
        """
        self.show(argv)
        with tempfile.TemporaryFile() as errors:
            process = self._start(
                argv, cwd=cwd, env=None, environment=environment, stdin=True, stderr=errors.fileno()
            )
            try:
                yield Conversation(process.stdin, process.stdout, errors)
            finally:
                self._kill(process)
                process.wait()
                self._forget(process)
                process.stdout.close()
                with contextlib.suppress(OSError):  # what was not flushed has no reader any more
                    process.stdin.close()

    def interactive(self, argv: Sequence[str]) -> int:
        """Run a command on the user's terminal and return its exit code."""
        self.show(argv)
        return int(self._popen(argv, {}).wait())

    def cancel(self) -> None:
        """Kill every running command and its children; later ones are refused."""
        with self._lock:
            self._cancelled = True
            running = list(self._running)
        for process in running:
            self._kill(process)

    def _start(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None,
        env: Mapping[str, str] | None,
        environment: Mapping[str, str] | None = None,
        stdin: bool = False,
        stdout: int | IO[bytes] = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
    ) -> Process:
        self._stop_if_cancelled(argv)
        settings: dict[str, Any] = {
            "stdin": subprocess.PIPE if stdin else subprocess.DEVNULL,
            "stdout": stdout,
            "stderr": stderr,
            "cwd": str(cwd) if cwd else None,
            "env": {**(os.environ if environment is None else environment), **(env or {})},
            "start_new_session": True,  # so that a whole process group can be ended
        }
        process = self._popen(argv, settings)
        with self._lock:
            self._running.add(process)
        return process

    def _popen(self, argv: Sequence[str], settings: dict[str, Any]) -> Process:
        program = self.which(argv[0])
        if program is None:
            raise ToolError(
                f"{argv[0]} is missing",
                why="no program of that name is on PATH" if os.sep not in argv[0] else "no such program",
                next="'autoclave tools' lists what is needed, and 'autoclave tools install' gets it",
            )
        inherited: dict[str, Any] = {"stdin": None, "stdout": None, "stderr": None, "env": dict(os.environ)}
        try:
            return local[program].popen(list(argv[1:]), **(inherited | settings))
        except OSError as error:
            raise ToolError(f"{argv[0]} cannot be started", why=str(error)) from error

    def _line(self, argv: Sequence[str]) -> str:
        """Return a command to paste. Words are masked before quoting, which may split a secret."""
        return self.mask(shlex.join(self.mask(word) for word in argv))

    def _stop_if_cancelled(self, argv: Sequence[str]) -> None:
        if self._cancelled:
            raise Interrupted(f"{Path(argv[0]).name} was stopped")

    def _forget(self, process: Process) -> None:
        with self._lock:
            self._running.discard(process)

    @staticmethod
    def _kill(process: Process) -> None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()

    def _make_error(self, argv: Sequence[str], completed: Completed) -> ToolError:
        said = (completed.err or completed.out).decode("utf-8", "replace").strip().splitlines()[-_TAIL:]
        return ToolError(
            f"{Path(argv[0]).name} ended with exit code {completed.code}",
            why=self.mask("\n".join(said)) or "it printed nothing",
            next=f"run it by hand: {self._line(argv)}",
        )


def _read_until_end(process: Process) -> Iterator[bytes]:
    """Yield what a process prints until it has ended; a child of it that lives on may keep its pipe open."""
    pipe, ended = process.stdout.fileno(), 0.0
    readable = select.poll()
    readable.register(pipe, select.POLLIN)
    while True:
        if not ended and process.poll() is not None:
            ended = time.monotonic()
        if readable.poll(_PAUSE * 1000):
            chunk = os.read(pipe, _CHUNK)
            if not chunk:
                return
            yield chunk
        elif ended:
            return
        if ended and time.monotonic() - ended > _GRACE:
            return


class _Sink:
    """Standard output of a command: a pipe, or a file that is closed afterwards."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> int | IO[bytes]:
        if self._path is None:
            return subprocess.PIPE
        self._file = self._path.open("wb")
        return self._file

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()
