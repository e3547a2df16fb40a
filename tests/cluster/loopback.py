"""Make a loopback port of this machine answer at the same address inside the node's network."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


@contextlib.contextmanager
def forward(pid: int, port: int, host: str = "127.0.0.1") -> Iterator[None]:
    """Listen on 127.0.0.1:`port` in the network of process `pid`; connect each caller to that port of `host`.

    Images are pulled so from a registry on 127.0.0.1, under the very name by which they were pushed.
    """
    with ThreadPoolExecutor(1) as once:  # only that thread enters the other network; the socket stays there
        listener = once.submit(_listener, pid, port).result()
    accepting = threading.Thread(target=_accept, args=(listener, port, host), daemon=True)
    accepting.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # wakes up accept()
        accepting.join()
        listener.close()


def _listener(pid: int, port: int) -> socket.socket:
    network = os.open(Path(f"/proc/{pid}/ns/net"), os.O_RDONLY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(network, 0) != 0:
            raise OSError(ctypes.get_errno(), "setns: the cluster tests need root on Linux")
    finally:
        os.close(network)
    return socket.create_server(("127.0.0.1", port), backlog=64)


def _accept(listener: socket.socket, port: int, host: str) -> None:
    while True:
        try:
            caller, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(caller, port, host), daemon=True).start()


def _serve(caller: socket.socket, port: int, host: str) -> None:
    with caller:
        try:
            callee = socket.create_connection((host, port))
        except OSError:
            return
        with callee:
            back = threading.Thread(target=_copy, args=(callee, caller), daemon=True)
            back.start()
            _copy(caller, callee)
            back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Copy until one side ends, then close the other."""
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
