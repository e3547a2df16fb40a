"""Does a port answer: an HTTP request with 200 to 299, or a connection that is accepted and kept."""

from __future__ import annotations

import http.client
import socket
import time

TCP = "tcp"
"""In place of a path: whether the port accepts a connection."""

_KEPT = 0.5  # seconds


def check(host: str, port: int, what: str, seconds: float) -> str:
    """Return why a port does not answer, or an empty string; `what` is a path, or `TCP`."""
    return _connect(host, port, seconds) if what == TCP else _request(host, port, what, seconds)


def _request(host: str, port: int, path: str, seconds: float) -> str:
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"GET {path} does not answer ({type(error).__name__})"
    finally:
        connection.close()
    return "" if 200 <= status < 300 else f"GET {path} answers {status}"


def _connect(host: str, port: int, seconds: float) -> str:
    """Connect, and see that the connection is kept.

    An engine's own proxy accepts it before anything listens in the container, and closes it at once then.
    """
    deadline = time.monotonic() + seconds
    try:
        with socket.create_connection((host, port), timeout=seconds) as connection:
            connection.settimeout(max(min(_KEPT, deadline - time.monotonic()), 0.01))
            return "" if connection.recv(1) else f"port {port} closes the connection at once"
    except TimeoutError:
        # Nothing was sent, and nobody closed it; a connection that was never made took all of the time.
        return "" if time.monotonic() < deadline else f"port {port} does not accept a connection"
    except OSError as error:
        return f"port {port} does not accept a connection ({type(error).__name__})"
