"""Tools from each source: a server on this machine in the vendors' place, a real image, a real build.

The vendors' servers cannot be reached where the tests run, so what is fetched is made here.
"""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from msgspec.structs import replace

from autoclave import engines, tools
from autoclave.actions.tools import Means, install, modules, release_file
from autoclave.actions.tools.sources import Exchanged
from autoclave.cli import main
from autoclave.errors import ToolError
from autoclave.runtime import programs
from autoclave.runtime.shell import Shell
from autoclave.tools import Build, File, Release, Tool

SCRIPT = b"#!/bin/sh\necho v3.22.1\n"


def packed(member: str, *, mode: str = "w:gz") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as tar:  # type: ignore[call-overload]
        header = tarfile.TarInfo(member)
        header.size, header.mode = len(SCRIPT), 0o755
        tar.addfile(header, io.BytesIO(SCRIPT))
    return made.getvalue()


RELEASE = packed(f"{release_file.find_platform()}/helm")


class Server(http.server.BaseHTTPRequestHandler):
    """A vendor: a file, a redirect to it, one that leads out of it, one that is cut short."""

    def do_GET(self) -> None:
        place = self.path.rpartition("/")[0]
        if place == "/moved":
            self._send(302, b"", Location="/v3/helm.tar.gz")
        elif place == "/away":
            self._send(302, b"", Location="http://192.0.2.1/helm.tar.gz")
        elif place == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", str(len(RELEASE) + 10))
            self.end_headers()
            self.wfile.write(RELEASE)
        elif place == "/v3":
            self._send(200, RELEASE)
        else:
            self._send(404, b"")

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def vendor() -> Iterator[str]:
    """The address of the server."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv(
        "PATH",
        "/usr/local/go/bin:/usr/bin:/bin" if "/usr/local/go" in os.environ["PATH"] else os.environ["PATH"],
    )
    monkeypatch.delenv("AUTOCLAVE_HELM", raising=False)
    return tmp_path


def helm(raw: bytes = RELEASE) -> Tool:
    file = File("https://example.invalid/helm.tar.gz", hashlib.sha256(raw).hexdigest())
    release = Release("3.22.0", {release_file.find_platform(): file}, member="PLATFORM/helm")
    return replace(tools.find("helm"), release=release, build=None)


def means(notes: list[str], **more: str) -> Means:
    shell = Shell()
    return Means(shell=shell, engine=lambda: engines.create("docker", shell, ""), note=notes.append, **more)


@pytest.mark.parametrize("place", ["v3", "moved"])
def test_a_release_file_is_fetched_verified_and_used(vendor: str, place: str) -> None:
    got = install(helm(), means([], mirror=f"{vendor}/{place}"))
    assert (got.version, got.origin) == ("3.22.1", f"release file {vendor}/{place}/helm.tar.gz")
    assert Shell().which("helm") == got.path == str(programs.folder() / "bin" / "helm")
    assert Shell().run(["helm", "version"]).out == b"v3.22.1\n"


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("away", "it redirects to an address that is not encrypted"),
        ("cut", "cannot be fetched"),
        ("none", "the server answers 404"),
    ],
)
def test_a_server_that_fails_is_no_source(vendor: str, place: str, why: str) -> None:
    notes: list[str] = []
    with pytest.raises(ToolError) as caught:
        install(helm(), means(notes, mirror=f"{vendor}/{place}"))
    assert why in caught.value.why
    assert Shell().which("helm") is None or "data" not in str(Shell().which("helm"))


def test_a_file_of_another_content_is_refused(vendor: str) -> None:
    with pytest.raises(Exchanged):
        install(helm(RELEASE + b"x"), means([], mirror=f"{vendor}/v3"))


def test_the_command_refuses_a_mirror_s_file_that_is_not_the_vendor_s(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the real table: nobody here has the vendor's file, so every other one must be refused."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    file = tools.find("trivy").release.files[release_file.find_platform()]  # type: ignore[union-attr]
    (mirror / file.url.rpartition("/")[2]).write_bytes(packed("trivy"))
    words = ["tools", "install", "trivy", "-C", str(tmp_path), "--from", str(mirror)]
    assert main.main(words) == 34
    assert f"it must be {file.sha256}" in capsys.readouterr().err


def test_a_program_is_copied_out_of_an_image_named_by_digest(tmp_path: Path) -> None:
    client = docker.from_env()
    digest = client.api.import_image_from_data(packed("usr/local/bin/helm", mode="w"), repository="t-tools")
    image = str(json.loads(digest)["status"])
    try:
        got = install(helm(), means([], mirror=str(tmp_path), image=image))
        assert (got.version, got.origin) == ("3.22.1", f"step image {image}")
        assert got.tried[0].startswith("a release file: ")
        assert client.containers.list(all=True, filters={"ancestor": image}) == []
    finally:
        client.images.remove(image, force=True)
        client.close()


def test_a_program_is_built_from_pinned_modules(tmp_path: Path) -> None:
    """A small one: Helm itself takes minutes, and setup/helm.sh builds it of the same files."""
    notes: list[str] = []
    small = Build("registry", "0.22.1", "github.com/google/go-containerregistry/cmd/registry", ())
    origin = modules.build(small, Shell(), tmp_path / "registry", notes.append)
    assert origin.endswith("cmd/registry 0.22.1, pinned by go.sum")
    assert (tmp_path / "registry").stat().st_size > 1 << 20
    assert "building registry 0.22.1 from its modules" in notes[-1]


def test_a_module_that_go_sum_does_not_name_is_not_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever GOFLAGS of the surroundings say."""
    monkeypatch.setenv("GOFLAGS", "-mod=mod")
    other = Build("registry", "1.0", "github.com/spf13/pflag", ())
    with pytest.raises(ToolError) as caught:
        modules.build(other, Shell(), tmp_path / "x", lambda _: None)
    assert "github.com/spf13/pflag" in caught.value.why
