"""One writer at a time: an advisory lock on a file, across threads and processes."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from autoclave.errors import Busy, SourceError, StoreError
from autoclave.runtime.folder import Folder

_PID_DIGITS = 20


@contextmanager
def hold_lock(folder: Folder, name: str, *, timeout: float, what: str) -> Iterator[None]:
    """Hold the lock file `name` while the body runs; the kernel frees it when the process ends.

    `timeout` is in seconds, `what` is what messages say is locked. Raises Busy, naming the process that
    holds the lock, when it is not free in time, and StoreError when the file cannot be opened.
    """
    try:
        descriptor = folder.open_lock(name)
    except SourceError as error:
        raise StoreError(
            f"{what} cannot be locked",
            why=error.reason,
            next="make the folder writable for this user; the lock must be a plain file",
        ) from error
    try:
        _acquire(descriptor, timeout=timeout, what=what)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, *, timeout: float, what: str) -> None:
    # A new open file description per attempt makes flock exclude threads of this process as well.
    deadline = time.monotonic() + timeout
    pause = 0.001
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise _make_busy_error(descriptor, timeout=timeout, what=what) from None
        else:
            return
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def _make_busy_error(descriptor: int, *, timeout: float, what: str) -> Busy:
    pid = 0
    with suppress(OSError, ValueError):
        pid = int(os.pread(descriptor, _PID_DIGITS, 0))
    holder = f"process {pid}" if pid > 0 else "another process"
    return Busy(
        f"{what} is locked by {holder}",
        why=f"the lock was not free within {timeout:g} s",
        next=f"wait for {holder} to end (see 'ps {pid}'), then repeat" if pid > 0 else "wait, then repeat",
    )
