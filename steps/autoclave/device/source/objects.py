"""Objects out of a git repository, each one hashed again: what an id names is what is read.

One `git cat-file --batch` reads them, in a repository of our own that borrows the objects: no configuration,
hook, replacement, graft or variable of anybody else applies. Formats: git-cat-file(1), BATCH OUTPUT.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import select
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from autoclave.device.source.repository import Repository, require_own_objects
from autoclave.errors import SourceError, ToolError
from autoclave.runtime.shell import Shell

_CHUNK = 1 << 20
_AT_ONCE = 256  # requests that fit into a pipe: they are written without a thread
_PATIENCE = 120.0  # seconds without an answer: a repository may contain a pipe instead of a file


class Objects:
    """Reads the objects of one repository. Not for several threads at once."""

    def __init__(self, repository: Repository, shell: Shell, home: Path, length: int) -> None:
        """Start git; `home` is an empty folder for its files, `length` that of an id in hex."""
        require_own_objects(repository)
        self.repository = repository
        self.where = repository.top
        self._new_hash = hashlib.sha1 if length == 40 else hashlib.sha256
        self._stack = contextlib.ExitStack()
        environment = _prepare(home, repository.objects, length)
        try:
            self._git = self._stack.enter_context(
                shell.converse(["git", "cat-file", "--batch"], environment=environment, cwd=home)
            )
        except ToolError as error:
            raise SourceError(
                "the commit cannot be read without git", why=error.why or error.what, next=error.next
            ) from error
        raw: io.RawIOBase = _Patient(self._git.answers.fileno())
        self._answers = io.BufferedReader(raw, _CHUNK)

    def close(self) -> None:
        """End git."""
        self._stack.close()

    def read(self, identity: str, kind: str, *, limit: int) -> bytes:
        """Return the content of one object. Raises SourceError when it is missing or another one."""
        return next(self.read_all([identity], kind, limit=limit))

    def read_all(self, identities: Sequence[str], kind: str, *, limit: int) -> Iterator[bytes]:
        """Yield the contents of objects in this order, each at most `limit` bytes."""
        for size, chunks in self.stream(identities, kind):
            if size > limit:
                raise SourceError(f"a {kind} of {self.where} is larger than {limit} bytes")
            yield b"".join(chunks)

    def stream(self, identities: Sequence[str], kind: str) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Yield size and content of objects in this order; exhaust each content before the next one."""
        expected = kind.encode()
        with self._request(identities):
            for identity in identities:
                size = self._begin(identity, expected)
                if size <= _CHUNK:
                    body = self._take(size + 1)[:-1]
                    self._compare(identity, self._new_hash(b"%s %d\0%s" % (expected, size, body)).hexdigest())
                    yield size, iter((body,))
                else:
                    yield size, self._chunks(identity, expected, size)

    def _begin(self, identity: str, kind: bytes) -> int:
        """Read the line before an object, and return its size."""
        line = self._answers.readline(200)
        words = line.split()
        if len(words) == 3 and words[0] == identity.encode() and words[1] == kind:
            return int(words[2])
        if not line.endswith(b"\n"):
            raise self._make_error(f"git ended before it returned {identity}")
        if words[-1:] == [b"missing"]:
            raise SourceError(
                f"the {kind.decode()} {identity} is missing in the repository {self.where}",
                why="the commit refers to it, but it was not fetched: a partial clone, or a damaged one",
                next="fetch the whole commit: git fetch --refetch --no-filter origin",
            )
        raise self._make_error(f"{identity} is not a {kind.decode()}")

    def _chunks(self, identity: str, kind: bytes, size: int) -> Iterator[bytes]:
        total = self._new_hash(b"%s %d\0" % (kind, size))
        left = size
        while left:
            chunk = self._take(min(left, _CHUNK))
            left -= len(chunk)
            total.update(chunk)
            yield chunk
        self._take(1)
        self._compare(identity, total.hexdigest())

    def _take(self, size: int) -> bytes:
        found = self._answers.read(size)
        if len(found) != size:
            raise self._make_error("git ended in the middle of an object")
        return found

    def _compare(self, identity: str, found: str) -> None:
        if found != identity:
            raise SourceError(
                f"the object {identity} of {self.where} has another content than its id says",
                why=f"its hash is {found}",
                next="the repository is damaged or was changed by hand: clone it anew (git fsck lists more)",
            )

    def _make_error(self, what: str) -> SourceError:
        return SourceError(
            f"the repository {self.where} cannot be read: {what}",
            why=self._git.explain(),
            next="check it: git fsck",
        )

    @contextlib.contextmanager
    def _request(self, identities: Sequence[str]) -> Iterator[None]:
        """Ask for objects; many by a thread of their own, since git answers while it is still asked."""
        if len(identities) <= _AT_ONCE:
            self._write(identities)
            yield
            return
        feeder = threading.Thread(target=self._write, args=(identities,), daemon=True)
        feeder.start()
        yield
        feeder.join()

    def _write(self, identities: Sequence[str]) -> None:
        with contextlib.suppress(OSError, ValueError):  # git has ended: its answer is missing, and says so
            for start in range(0, len(identities), _AT_ONCE):
                lines = [*identities[start : start + _AT_ONCE], ""]
                self._git.requests.write("\n".join(lines).encode())
                self._git.requests.flush()


class _Patient(io.RawIOBase):
    """A pipe that is read with a time limit for every part."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._poll = select.poll()
        self._poll.register(pipe, select.POLLIN)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        if not self._poll.poll(_PATIENCE * 1000):
            raise SourceError(
                f"git did not return an object within {_PATIENCE:g} s", next="check the repository: git fsck"
            )
        return os.readv(self._pipe, [buffer])


def _prepare(home: Path, objects: Path, length: int) -> dict[str, str]:
    """Make an empty repository, and return all variables of a git that reads these objects through it."""
    kind = "sha1" if length == 40 else "sha256"
    folder = home / "git"
    for each in ("", "objects", "refs"):
        (folder / each).mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/none\n")
    (folder / "config").write_text(
        f"[core]\n\trepositoryFormatVersion = 1\n\tbare = true\n[extensions]\n\tobjectFormat = {kind}\n"
    )
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_DIR": str(folder),
        "GIT_OBJECT_DIRECTORY": str(objects.resolve()),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
    }
