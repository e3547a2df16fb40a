"""The process to which a container belongs, and whether it still runs."""

from __future__ import annotations

import os
import socket


def owner() -> str:
    """Return this process as `host:pid`, for the labels of what it creates."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_gone(label: str) -> bool:
    """Return whether an owner was a process of this machine that has ended; False when it is not certain."""
    host, _, process = label.rpartition(":")
    if host != socket.gethostname() or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
