"""What the device file says of a container, on the real engine: /tmp, ports, health, secrets, command."""

from __future__ import annotations

import socket
from pathlib import Path

from builders.devices import KNOWN_BAD, Repository, free_port
from builders.prepared_devices import prepare

CHECK = "tests/check.py"
RUNS_A_PROGRAM = """\
import os, subprocess, sys
program = Path("/tmp/built/suite.test")
program.parent.mkdir()
program.write_text("#!/bin/sh\\nexit 0\\n")
program.chmod(0o755)
subprocess.run([program], check=True)
assert sys.argv[0] == "/autoclave/tests/check.py", sys.argv
compile("""
SERVES = """\
import os, socket, sys, threading
kept = []
assert sys.argv[1:] == ["--role", "archive"], sys.argv
secret = open("/run/secrets/password").read()
if (secret, os.environ["LEVEL"], os.environ["KEPT"]) != ("s3cret", "debug", "yes"):
    sys.exit("not what was said")
"""
LISTENS = """\
def serve(port):
    server = socket.create_server(("", port))
    while True:
        connection, _ = server.accept()
        connection.sendall(b"%d" % port)
        kept.append(connection)
threading.Thread(target=serve, args=(11112,), daemon=True).start()
serve(8080)
"""
MORTAL = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
FURTHER = free_port()


def use_all(repository: Repository) -> None:
    """Make a service that speaks no HTTP, with everything that the file can say of its container."""
    repository.edit(CHECK, "compile(", RUNS_A_PROGRAM)
    (repository.folder / "app.py").write_text(MORTAL + SERVES + LISTENS)
    repository.edit(
        "autoclave.toml",
        'health = "/health"',
        'health = "tcp"\nports = { dicom = "11112/tcp" }\nsecrets = ["password"]\n'
        'command = ["python", "app.py"]\narguments = ["--role", "archive"]\n'
        'environment = { LEVEL = "info", KEPT = "yes" }',
    )
    repository.edit("autoclave.toml", 'copy = ["tests"]', 'copy = ["tests/check.py"]')
    repository.edit(
        "autoclave.toml",
        "publish = { app = ",
        f'variables = {{ app = {{ LEVEL = "debug" }} }}\npublish = {{ "app.dicom" = {FURTHER}, app = ',
    )


def answer(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        return connection.recv(10)


def test_a_container_is_what_the_device_file_says(tmp_path: Path) -> None:
    """The tests ran a program in /tmp: the device would not be signed otherwise."""
    with prepare(KNOWN_BAD / "control", tmp_path, to="sign", change=use_all) as repository:
        refused = repository.run("deploy", "staging")
        assert refused.code == 25, refused.err
        assert "app needs the secrets password: name the folder" in refused.message
        folder = tmp_path / "secrets"
        folder.mkdir()
        (folder / "password").write_text("s3cret")
        done = repository.run("deploy", "staging", "--secrets", str(folder))
        assert done.code == 0, done.err
        assert answer(repository.port) == b"8080"
        assert answer(FURTHER) == b"11112"
        (container,) = repository.containers()
        assert "s3cret" not in str(container.attrs)
        # Under a wrong secret the new version ends, and what ran before answers again, with its own.
        (folder / "password").write_text("wrong")
        failed = repository.run("deploy", "staging", "--again", "--secrets", str(folder))
        assert failed.code == 50, failed.err
        assert answer(repository.port) == b"8080"


def fail_its_check(repository: Repository) -> None:
    """Let a command in the container decide, which finds no file."""
    repository.edit("autoclave.toml", 'health = "/health"', 'health-command = ["test", "-e", "/tmp/ready"]')
    repository.edit("autoclave.toml", "start-timeout = 10", "start-timeout = 2")


def test_a_health_command_decides(tmp_path: Path) -> None:
    with prepare(KNOWN_BAD / "control", tmp_path, to="sign", change=fail_its_check) as repository:
        failed = repository.run("deploy", "staging")
        assert failed.code == 50, failed.err
        assert "its health command ends with exit code 1" in failed.message
        assert repository.containers() == []


def compile_tests(repository: Repository) -> None:
    """Let a builder's stage make the tests, and a stage on top of the released one bring them."""
    (repository.folder / "suite.py").write_text((repository.folder / CHECK).read_text())
    dockerfile = repository.folder / "Dockerfile"
    dockerfile.write_text(
        dockerfile.read_text().replace("FROM ${BASE}\n", "FROM ${BASE} AS release\n")
        + "FROM ${BASE} AS test-build\nCOPY suite.py /\n"
        "RUN mkdir /out && python -m compileall -b -q /suite.py && mv /suite.pyc /out/\n"
        "FROM release AS test\nCOPY --from=test-build /out /opt/tests\n"
    )
    repository.edit("autoclave.toml", 'name = "app"\n', 'name = "app"\ntarget = "release"\n')
    repository.edit("autoclave.toml", '"/autoclave/tests/check.py"', '"/opt/tests/suite.pyc"')
    repository.edit("autoclave.toml", 'copy = ["tests"]', 'stage = "test"')


def test_tests_come_from_a_builder_and_run_in_the_released_image(tmp_path: Path) -> None:
    with prepare(KNOWN_BAD / "control", tmp_path, to="build", change=compile_tests) as repository:
        done = repository.run("unit-test")
        assert done.code == 0, done.err
        assert "1 passed" in done.err
