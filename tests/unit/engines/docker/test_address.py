"""The engine's address, as the SDK reads DOCKER_HOST."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from autoclave.engines.docker import _connect, find_address
from autoclave.model.place import Place


@pytest.mark.parametrize(
    ("host", "address", "local"),
    [
        ("unix:///var/run/docker.sock", "unix:///var/run/docker.sock", True),
        ("unix://var/run/docker.sock", "unix:///var/run/docker.sock", True),
        ("tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375", True),
        ("127.0.0.1:2375", "tcp://127.0.0.1:2375", True),
        (":2375", "tcp://127.0.0.1:2375", True),
        ("tcp://[::1]:2375", "tcp://[::1]:2375", True),
        ("https://Clinic:2376", "tcp://clinic:2376", False),
        ("tcp://docker:2375", "tcp://docker:2375", False),
        ("ssh://ci:secret@Localhost", "ssh://ci@localhost", False),
        ("npipe:////./pipe/docker_engine", "npipe:////./pipe/docker_engine", True),
    ],
)
def test_an_address_is_what_the_sdk_connects_to(host: str, address: str, local: bool) -> None:
    assert find_address(host) == address
    assert Place("engine", find_address(host)).is_local is local


class _Version(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"ApiVersion": "1.41"}')

    def log_message(self, *_: object) -> None:
        pass


def test_an_engine_on_this_machine_is_reached_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy a loopback address is the proxy's machine, whatever that runs."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with HTTPServer(("127.0.0.1", 0), _Version) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        assert _connect(f"tcp://127.0.0.1:{server.server_port}").api_version == "1.41"
        server.shutdown()
