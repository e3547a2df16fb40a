"""Who does something: which process a container belongs to, whether it still lives, who runs the steps."""

from __future__ import annotations

import os
import socket


def owner() -> str:
    """Return this process as `host:pid`, for the label of what it makes."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_gone(label: str) -> bool:
    """Tell whether an owner was a process of this machine that has ended; unsure counts as living."""
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
