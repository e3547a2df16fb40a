"""Whether a port answers: by HTTP, or by a connection that is accepted and kept."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from autoclave.runtime import probe
from autoclave.runtime.probe import TCP, check


@contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """Serve connections of one port, one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        stop.set()
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def keep(connection: socket.socket) -> object:
    return connection.recv(1)  # until the other side closes it


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (keep, ""),
        (lambda connection: connection.sendall(b"220 hello"), ""),
        (lambda connection: None, "closes the connection at once"),
    ],
    ids=["kept", "greets", "closed"],
)
def test_a_connection_must_be_kept(
    answer: Callable[[socket.socket], object], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only accepts may be the engine's proxy, before anything listens behind it."""
    monkeypatch.setattr(probe, "_KEPT", 0.1)
    with listening(answer) as port:
        found = check("127.0.0.1", port, TCP, 5.0)
    assert found.endswith(says) if says else found == ""


def test_nothing_that_listens_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "does not accept a connection" in check("127.0.0.1", port, TCP, 1.0)
    assert "does not answer" in check("127.0.0.1", port, "/health", 1.0)


@pytest.mark.parametrize(("status", "says"), [("204 No", ""), ("404 No", "GET /h answers 404")])
def test_http_must_answer_well(status: str, says: str) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    with listening(answer) as port:
        assert check("127.0.0.1", port, "/h", 5.0) == says
