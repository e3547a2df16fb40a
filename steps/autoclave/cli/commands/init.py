"""`autoclave init`: a commented device file for a repository."""

from __future__ import annotations

import re
from pathlib import Path

import click

from autoclave import __version__, hosts
from autoclave.device.files import PRIVATE
from autoclave.device.schema import FILE
from autoclave.errors import ConfigError, UsageError
from autoclave.runtime.folder import Folder, Kind

_LARGEST = 1 << 20  # bytes of an ignore file
_SKIPPED = {*PRIVATE, ".venv", "node_modules", "vendor"}


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    folder = click.Option(["--folder", "-C"], default=".", help="the device repository")
    named = [each for each in hosts.names() if hosts.create(each).starter(__version__)]
    host = click.Option(["--host"], type=click.Choice(named), help="write the file of this CI host as well")
    return click.Command(
        name,
        callback=lambda folder, host: run(Path(folder), host or ""),
        params=[folder, host],
        help=text,
        short_help=text,
    )


def run(folder: Path, host: str = "") -> int:
    """Write autoclave.toml, the ignore files and a host's file. Raises ConfigError when one exists."""
    device = Folder(folder.resolve())
    if host:
        _write_host(device, host)
    if device.kind(FILE) is not None:
        if host:
            return 0
        raise ConfigError(
            f"{folder / FILE} exists already", next="edit it; 'autoclave schema' describes every key"
        )
    files = _list_files(device)
    found = _dockerfiles(files)
    ignored = [(f"{each.parent}/.dockerignore", ".autoclave") for each in found or [Path("Dockerfile")]]
    # All is read before anything is written: a file that cannot be read leaves no half of a start.
    changed = [
        (name, _add_line(device, name, line)) for name, line in (*ignored, (".gitignore", ".autoclave/"))
    ]
    text = starter(device.path.name, found, tests=_tests(device), manifests=_manifests(files, device))
    device.create(FILE, [text.encode()])
    for name, content in changed:
        if content is not None:
            device.write(name, [content])
    print(f"wrote {folder / FILE}: read it and commit it, then 'autoclave doctor' and 'autoclave run'")
    return 0


def _write_host(device: Folder, host: str) -> None:
    starter = hosts.create(host).starter(__version__)
    if starter is None:
        raise UsageError(f"the CI host '{host}' needs no file", next="leave --host out")
    path = device.path / starter.name
    try:
        device.create(starter.name, [starter.content])
    except FileExistsError as error:
        raise ConfigError(
            f"{path} exists already", next=f"add this to it:\n{starter.content.decode('utf-8')}"
        ) from error
    print(f"wrote {path}: name your copy of the templates in it")


def starter(folder: str, dockerfiles: list[Path], *, tests: str, manifests: list[Path]) -> str:
    """Return the device file for what was found (paths relative to the repository)."""
    name = _to_name(folder) or "device"
    parts = [_HEAD.format(name=name)]
    if not dockerfiles:
        parts.append("# No Dockerfile was found: write one, then correct the path here.\n")
    for dockerfile in dockerfiles or [Path("Dockerfile")]:
        image = _to_name(dockerfile.parent.as_posix()) or name
        parts.append(
            _IMAGE.format(image=image, context=dockerfile.parent.as_posix(), dockerfile=dockerfile.name)
        )
    parts.append(_TESTS.format(tests=tests or "tests"))
    if manifests:
        listed = ", ".join(each.as_posix() for each in manifests[:5])
        parts.append(f"# Kubernetes manifests were found ({listed}): the target 'kubernetes' deploys them.\n")
    parts.append(_ENVIRONMENT)
    return "\n".join(parts)


def _to_name(text: str) -> str:
    """Turn a folder's name into a name of the device file."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:50].strip("-")


def _list_files(folder: Folder, above: Path = Path()) -> list[Path]:
    """Return the plain files of the repository, those that a link leads to left out."""
    found: list[Path] = []
    for name in folder.names():
        kind = folder.kind(name)
        if kind is Kind.FOLDER and name not in _SKIPPED:
            found += _list_files(folder.at(name), above / name)
        elif kind is Kind.FILE:
            found.append(above / name)
    return found


def _dockerfiles(files: list[Path]) -> list[Path]:
    found = [path for path in files if path.name == "Dockerfile"]
    return sorted(found, key=lambda path: (len(path.parts), path))


def _tests(device: Folder) -> str:
    return next((name for name in ("tests", "test") if device.kind(name) is Kind.FOLDER), "")


def _manifests(files: list[Path], device: Folder) -> list[Path]:
    named = sorted(each for each in files if each.suffix in {".yaml", ".yml"})
    return [each for each in named if _is_manifest(each, device)]


def _is_manifest(path: Path, device: Folder) -> bool:
    with device.stream(path.as_posix()) as file:
        head = file.read(4096).decode("utf-8", "replace")
    return bool(re.search(r"^apiVersion:", head, re.M) and re.search(r"^kind:", head, re.M))


def _add_line(device: Folder, name: str, line: str) -> bytes | None:
    """Return an ignore file with a line; None when it has it. Raises SourceError for a link."""
    before = b"" if device.kind(name) is None else device.read(name, limit=_LARGEST)
    lines = before.decode("utf-8", "surrogateescape").splitlines()
    if {line, line.rstrip("/"), f"{line.rstrip('/')}/"} & set(lines):
        return None
    return "\n".join([*lines, line, ""]).encode("utf-8", "surrogateescape")


_HEAD = """\
# What Autoclave knows about this device. 'autoclave schema' describes every key; unknown keys are errors.

[device]
name = "{name}"
version = "0.1.0"
# IEC 62304 software safety class: A, B or C. It selects the policy; if you do not know it, keep C.
safety-class = "C"
# requirements = "requirements.csv"   # needed for a release in classes B and C: id,text,kind,hazard,method
# soup = "soup.toml"                  # needed as well; 'autoclave soup' writes a first version
"""

_IMAGE = """\
[[image]]
name = "{image}"
context = "{context}"
dockerfile = "{dockerfile}"
# target = "release"                  # a stage of the Dockerfile
# args = {{ BASE = "…" }}               # build arguments, never secrets
# secrets = [{{ id = "pip", env = "PIP_TOKEN" }}]   # not in the image; the policy must allow it

# How the image runs when it is deployed.
[image.service]
port = 8080
health = "/health"                    # without it, the image's HEALTHCHECK
# volumes = {{ data = "/var/lib/data" }}
"""

_TESTS = """\
# Runs in a container of exactly the built image: non-root, read-only root, no network.
[unit-test]
# stage = "test"                      # a stage on top of the image, when test tools must not be released
command = ["python", "-m", "pytest", "/autoclave/{tests}", "--junit-xml=/autoclave/results/junit.xml"]
copy = ["{tests}"]                      # copied to /autoclave
timeout = 300                         # seconds

# Tests name the requirements that they verify: @pytest.mark.requirement("SRS-1"), or a file that maps them.
# [traceability]
# pytest-plugin = true                # and "-p", "autoclave_requirements" in the command
# links = "links.toml"
"""

_ENVIRONMENT = """\
# Whether it is production, the place that it leads to and the policy decide, never its name.
[[environment]]
name = "staging"
# target = "kubernetes"               # the container engine without it; "openshift", "registry"
# publish = { IMAGE = 8080 }            # host port on 127.0.0.1

# [policy]                            # may only tighten what the safety class requires
# scan = { block = ["critical", "high", "medium", "low"] }
"""
