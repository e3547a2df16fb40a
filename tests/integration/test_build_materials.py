"""What an image is made of, on the real engine: known by digest, and built again when it moves."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import docker

from builders.devices import KNOWN_BAD, Repository, copy_device, own_name
from builders.flow import device
from integration.known_bad import assert_stopped


def materials(repository: Repository, digest: str) -> dict[str, str]:
    """Return the materials in the record of a build, with their digests."""
    shown = json.loads(repository.run("show", digest, "provenance").out)
    facts: dict[str, Any] = shown["predicate"]["facts"]
    return {each["name"]: each["digest"].get("sha256", "") for each in facts["materials"]}


def tag_image(name: str, content: str) -> str:
    """Give a name to an image with one file, /tool; return its id."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, text in (("Dockerfile", "FROM scratch\nCOPY tool /tool\n"), ("tool", content)):
            entry = tarfile.TarInfo(path)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    made.seek(0)
    client = docker.from_env()
    image, _ = client.images.build(fileobj=made, custom_context=True, tag=name, rm=True)
    client.close()
    return str(image.id)


@contextmanager
def served(content: list[bytes]) -> Iterator[str]:
    """Serve the last content at every path of an address."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content[-1])

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_image_that_is_only_copied_from_is_recorded_and_built_again_when_it_moves(tmp_path: Path) -> None:
    tools = own_name("t-tools") + ":1"
    first = tag_image(tools, "one")
    with device(KNOWN_BAD / "control", tmp_path, name="t-copied") as repository:
        # Saved with a byte order mark, and with an argument in the default of another one.
        text = (repository.folder / "Dockerfile").read_text("utf-8")
        text = text.replace(
            "ARG BASE=python:3.11-slim-bookworm",
            "ARG SUITE=bookworm\nARG BASE=python:3.11-slim-${SUITE}",
        )
        text = text.replace("EXPOSE", f"COPY --from={tools} /tool /app/tool\nEXPOSE")
        (repository.folder / "Dockerfile").write_text("\ufeff" + text, "utf-8")
        repository.commit()
        done = repository.run("build")
        assert done.code == 0, done.err
        known = materials(repository, done.out.split()[1])
        assert known[f"image {tools}"] == first.removeprefix("sha256:")
        assert known["base python:3.11-slim-bookworm"]
        assert "has changed" in repository.run("build").err
        second = tag_image(tools, "two")
        again = repository.run("build")
        assert again.code == 0, again.err
        assert again.out.split()[1] != done.out.split()[1]
        known = materials(repository, again.out.split()[1])
        assert known[f"image {tools}"] == second.removeprefix("sha256:")
    client = docker.from_env()
    client.images.remove(tools, force=True)
    client.close()


def test_a_file_fetched_without_a_checksum_closes_the_gate_and_is_never_the_same(tmp_path: Path) -> None:
    content = [b"one\n"]
    with served(content) as address:
        repository = copy_device(KNOWN_BAD / "unchecked-download", tmp_path, name="t-unchecked-download")
        repository.edit(
            "autoclave.toml", 'name = "app"\n', f'name = "app"\nargs = {{ DOWNLOADS = "{address}" }}\n'
        )
        repository.commit()
        done = repository.run("run")
        assert_stopped(
            "file fetched without a checksum",
            repository,
            done,
            step="build",
            code=21,
            says=f"the build fetches {address}/calibration.csv without a checksum",
        )
        repository.edit("autoclave.toml", 'safety-class = "B"', 'safety-class = "A"')
        (repository.folder / ".dockerignore").write_text(
            ".autoclave\n", "utf-8"
        )  # class A builds the work tree
        repository.commit()
        first = repository.run("build")
        assert first.code == 0, first.err
        content.append(b"two\n")
        second = repository.run("build")
        assert second.code == 0, second.err
        assert "has changed" not in second.err
    repository.remove()


def test_the_context_of_a_work_tree_is_what_the_builder_is_sent(tmp_path: Path) -> None:
    with device(KNOWN_BAD / "control", tmp_path, name="t-sent") as repository:
        folder = repository.folder
        (folder / ".dockerignore").write_bytes("# Prüfung\n.autoclave\n.git\nextra.txt\n".encode("latin-1"))
        (folder / "Dockerfile.dockerignore").write_bytes(b"\xef\xbb\xbf.autoclave\n.git\n*.log\n")
        repository.edit("Dockerfile", "COPY app.py ./", "COPY app.py extra.txt ./")
        (folder / "extra.txt").write_text("1")
        first = repository.run("build", "--worktree")
        assert first.code == 0, first.err
        (folder / "job.log").write_text("left out")
        assert "has changed" in repository.run("build", "--worktree").err
        (folder / "extra.txt").write_text("2")
        second = repository.run("build", "--worktree")
        assert second.code == 0, second.err
        assert second.out.split()[1] != first.out.split()[1]


def test_the_second_workspace_of_a_jenkins_job_is_built_and_scanned(tmp_path: Path) -> None:
    with device(KNOWN_BAD / "control", tmp_path / "job@2", name="t-at-two") as repository:
        done = repository.run("build")
        assert done.code == 0, done.err
        scanned = repository.run("scan")
        assert scanned.code == 0, scanned.err
