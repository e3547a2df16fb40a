"""A device whose tests need a service: one small image that serves, and a test that sends it requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker

from autoclave.engines.base import OWNER_LABEL
from builders.devices import KNOWN_BAD, Repository
from builders.flow import device
from builders.prepared_devices import prepare

ASKS = 'assert ask() == "{name}", ask()'
STORE = "t-shelf"
"""What the service of the prepared device answers."""

_STORE = '''\
"""Answer with this store's name; end on request."""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        print("asked for", self.path, flush=True)
        if self.path == "/end":
            os._exit(3)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["STORE"].encode())


open("/data/written", "w").write("the volume can be written")
print("the store begins", flush=True)
ThreadingHTTPServer(("", 9000), Answer).serve_forever()
'''
_DOCKERFILE = """\
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
RUN install -d -o 10001 -g 10001 /data
COPY store.py /
USER 10001:10001
VOLUME /data
HEALTHCHECK --interval=1h CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9000/')"]
CMD ["python", "/store.py"]
"""
_SERVICE = """
[[image]]
name = "store"
dockerfile = "store.Dockerfile"
[[unit-test.service]]
name = "shelf"
image = "store"
environment = { STORE = "STORE-NAME" }
memory = "64m"
start-timeout = 20
"""
_CHECK = """\
import socket, time, urllib.error, urllib.request
from pathlib import Path

def ask(path="/"):
    return urllib.request.urlopen("http://shelf:9000" + path, timeout=3).read().decode()

def out(address, seconds=2):
    try:
        socket.create_connection(address, seconds).close()
    except OSError:
        return False
    return True

{body}
Path("/autoclave/results/junit.xml").write_text(
    '<testsuite name="check" tests="1"><testcase classname="check" name="asks"><properties>'
    '<property name="requirement" value="REQ-1"/></properties></testcase></testsuite>'
)
"""


@contextmanager
def make_device(folder: Path, body: str, *, name: str) -> Iterator[Repository]:
    """Make the device for the time of a test; `body` is what its tests do."""
    with device(KNOWN_BAD / "control", folder, name=name) as repository:
        add_service(repository, store=name)
        write_check(repository, body)
        yield repository


@contextmanager
def prepare_device(folder: Path, body: str = "") -> Iterator[Repository]:
    """The same with both images built already, from all but `body`; `unit-test` takes them as they are.

    Without a body the device is the very one that was built, whose tests request `STORE` from the service.
    """
    with prepare(KNOWN_BAD / "control", folder, to="build", change=_add_store) as repository:
        if body:
            write_check(repository, body)
        yield repository


def add_service(repository: Repository, *, store: str) -> None:
    """Give the device a second image, and let it serve beside the tests; it answers with `store`."""
    here = repository.folder
    (here / "store.py").write_text(_STORE)
    (here / "store.Dockerfile").write_text(_DOCKERFILE)
    with (here / "autoclave.toml").open("a") as file:
        file.write(_SERVICE.replace("STORE-NAME", store))


def _add_store(repository: Repository) -> None:
    add_service(repository, store=STORE)
    write_check(repository, ASKS.format(name=STORE))


def write_check(repository: Repository, body: str) -> None:
    """Let the device's tests do something else."""
    (repository.folder / "tests" / "check.py").write_text(_CHECK.format(body=body))
    repository.commit()


def networks(repository: Repository) -> list[str]:
    """The names of this device's networks."""
    client = docker.from_env()
    found = client.networks.list(filters={"label": f"dev.autoclave.device={repository.name}"})
    client.close()
    return [each.name for each in found]


def volumes_of(containers: list[Any]) -> list[str]:
    """The names of the volumes that containers use."""
    return [each["Name"] for one in containers for each in one.attrs["Mounts"] if each["Type"] == "volume"]


def existing_volumes(volumes: list[str]) -> list[str]:
    """Those of the volumes that exist."""
    client = docker.from_env()
    known = {each.name for each in client.volumes.list()}
    client.close()
    return [each for each in volumes if each in known]


def services(repository: Repository) -> list[Any]:
    """The running service containers of this device's tests."""
    found = [each for each in repository.containers() if OWNER_LABEL in each.labels]
    return [
        each for each in found if each.status == "running" and "/store.py" in str(each.attrs["Config"]["Cmd"])
    ]
