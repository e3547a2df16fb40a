"""Build images with the engine's own command line: with BuildKit where it is installed, else classic."""

from __future__ import annotations

import base64
import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from msgspec import Struct

from autoclave.engines.base import BuildRequest, Used
from autoclave.engines.docker import provenance
from autoclave.errors import BuildFailed, ConfigError, SourceError, ToolError
from autoclave.runtime.shell import Shell
from autoclave.runtime.surroundings import docker_folder

BUILDKIT_HINT = "install buildx (Debian: apt-get install docker.io), or name a client with --engine-command"

_LARGEST_IGNORE_FILE = 1 << 20  # bytes; what is longer is refused where it is read
_TAIL = 20  # lines of a failed build that the error shows


class Client(Struct, frozen=True):
    """A docker command and how it builds: `buildkit` or `classic`."""

    program: str
    builder: str
    has_metadata: bool = False  # buildx can write what it did into a file

    @property
    def environment(self) -> dict[str, str]:
        """The variables that select the builder, and keep buildx from running git.

        It would ask git about the folder that the context is in, under that repository's configuration
        (buildx, build/git.go), and write the answer into the image's labels.
        """
        return {
            "DOCKER_BUILDKIT": "1" if self.builder == "buildkit" else "0",
            "BUILDX_GIT_INFO": "false",
            "BUILDX_GIT_LABELS": "false",
            "BUILDX_METADATA_PROVENANCE": "min",
            "GIT_DIR": os.devnull,
        }


def find_client(shell: Shell, named: str = "") -> Client:
    """Choose the docker command: the named one, else the first on PATH that has BuildKit, else the first.

    There may be several, for example a bare client before the distribution's. Raises ToolError.
    """
    programs = shell.find_all(named or "docker")
    if not programs:
        raise ToolError(
            f"the command '{named or 'docker'}' is not installed",
            why="images are built with the engine's own command line",
            next="install Docker's client (Debian: apt-get install docker.io)",
        )
    clients = (_look_at(shell, program) for program in programs)
    return next(
        (client for client in clients if client.builder == "buildkit"), Client(programs[0], "classic")
    )


def _look_at(shell: Shell, program: str) -> Client:
    """Return how a client builds: buildx is BuildKit; clients before 23 contain BuildKit."""
    if shell.run([program, "buildx", "version"], ok=range(256)).code == 0:
        return Client(program, "buildkit", has_metadata=True)
    version_line = shell.run([program, "--version"], ok=range(256)).out.decode("utf-8", "replace")
    version = re.search(r"version (\d+)\.", version_line)
    return Client(program, "buildkit" if version and 18 < int(version[1]) < 23 else "classic")


def command(
    client: Client, request: BuildRequest, *, id_file: str = "", metadata_file: str = "", dockerfile: str = ""
) -> list[str]:
    """Return the build command. Secret values are never in it: BuildKit reads them from the environment."""
    argv = [client.program, "build", "--file", dockerfile or str(request.dockerfile)]
    if id_file:
        argv += ["--iidfile", id_file]
    if metadata_file:
        argv += ["--metadata-file", metadata_file]
    if client.builder == "buildkit":
        argv += ["--progress", "plain"]
        if request.source_date_epoch is not None:
            argv += ["--build-arg", f"SOURCE_DATE_EPOCH={request.source_date_epoch}"]
        if request.inline_cache:
            argv += ["--build-arg", "BUILDKIT_INLINE_CACHE=1"]
        for name in request.cache_from:
            argv += ["--cache-from", name]
    if request.target:
        argv += ["--target", request.target]
    for name, value in sorted(request.args.items()):
        argv += ["--build-arg", f"{name}={value}"]
    for name, value in sorted(request.labels.items()):
        argv += ["--label", f"{name}={value}"]
    for name, variable in sorted(request.secrets.items()):
        argv += ["--secret", f"id={name},env={variable}"]
    return [*argv, str(request.context)]


def build(
    shell: Shell, client: Client, request: BuildRequest, line: Callable[[str], None]
) -> tuple[str, tuple[Used, ...] | None]:
    """Build; return the image id, and what the builder says it used, None when it does not say.

    Raises BuildFailed, ConfigError for unusable secrets.
    """
    _check_secrets(client, request)
    tail: list[str] = []

    def keep_line(text: str) -> None:
        if text.strip():
            tail.append(text)
            del tail[:-_TAIL]
            line(text)

    with tempfile.TemporaryDirectory(prefix="autoclave-build-") as folder:
        id_file, metadata = Path(folder) / "id", Path(folder) / "metadata.json"
        dockerfile = Path(folder) / "Dockerfile"
        if request.text:
            dockerfile.write_bytes(request.text)
            _keep_ignore_file(client, request, dockerfile)
        argv = command(
            client,
            request,
            id_file=str(id_file),
            metadata_file=str(metadata) if client.has_metadata else "",
            dockerfile=str(dockerfile) if request.text else "",
        )
        # Docker's client names what it sends by this path: one of two that are "." is taken for the other.
        argv[-1] = str(request.folder.absolute() / request.context)
        code = shell.stream(
            argv,
            keep_line,
            cwd=request.folder,
            env=client.environment | _configure(request, Path(folder), shell),
            shown=command(client, request),
        )
        if code != 0 or not id_file.exists():
            raise BuildFailed(
                f"the build of {request.dockerfile} failed (exit code {code})",
                why="\n".join(tail),
                next="fix the Dockerfile; 'autoclave build -v' shows the command to run by hand",
            )
        return id_file.read_text("ascii").strip(), _read_metadata(metadata)


def _read_metadata(file: Path) -> tuple[Used, ...] | None:
    if not file.is_file():
        return None
    with file.open("rb") as opened:
        return provenance.read(opened.read(provenance.LARGEST))


def read_ignore_file(client: Client, request: BuildRequest) -> tuple[str, bytes]:
    """Return the ignore file of a build by name, and its bytes: none when there is no such file.

    BuildKit reads the one beside the Dockerfile, and only without it the context's (dockerui/config.go).
    """
    name = str(request.context / ".dockerignore")
    beside = f"{request.dockerfile}.dockerignore"
    if client.builder == "buildkit" and (request.folder / beside).is_file():
        name = beside
    file = request.folder / name
    return name, _read_limited(file, request.folder) if file.is_file() else b""


def _keep_ignore_file(client: Client, request: BuildRequest, dockerfile: Path) -> None:
    """Put the ignore file of the Dockerfile in the folder beside the one that is used in its place."""
    name, raw = read_ignore_file(client, request)
    if name == f"{request.dockerfile}.dockerignore":
        dockerfile.with_name(f"{dockerfile.name}.dockerignore").write_bytes(raw)


def _read_limited(file: Path, folder: Path) -> bytes:
    if not file.resolve().is_relative_to(folder.resolve()):
        raise SourceError(f"{file} leads out of the device folder", next="make it a plain file")
    try:
        with file.open("rb") as opened:
            return opened.read(_LARGEST_IGNORE_FILE + 1)
    except OSError as error:
        raise SourceError(f"{file} cannot be read", why=str(error)) from error


def _configure(request: BuildRequest, folder: Path, shell: Shell) -> dict[str, str]:
    """Return the variable of a client configuration with the request's logins, and its proxies or none."""
    known = docker_folder()
    config = _read_config(known / "config.json")
    proxies = config.get("proxies")
    if proxies and request.client_proxy:
        shell.mask.add(_passwords(proxies))
    if not request.logins and (request.client_proxy or not proxies):
        return {}
    if not request.client_proxy:
        config.pop("proxies", None)
    own = folder / "client"
    own.mkdir(mode=0o700)
    for each in known.iterdir() if known.is_dir() else ():  # plug-ins such as buildx, and contexts
        if each.name != "config.json":
            (own / each.name).symlink_to(each)
    for host, (user, password) in request.logins.items():
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        config.setdefault("auths", {}).setdefault(host, {"auth": token})
    made = os.open(own / "config.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(made, "w") as out:
        json.dump(config, out)
    return {"DOCKER_CONFIG": str(own)}


def _read_config(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_bytes()) if file.exists() else {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read as JSON", why=str(error)) from error
    if not isinstance(config, dict):
        raise ConfigError(f"{file} is no JSON object")
    return config


def _passwords(proxies: Any) -> list[str]:
    """Return what must not be printed of a client's proxies: user and password, as written and decoded."""
    found: list[str] = []
    for each in proxies.values() if isinstance(proxies, dict) else ():
        for address in each.values() if isinstance(each, dict) else ():
            user, at, _ = str(address).partition("://")[2].rpartition("@")
            if at:
                found += [user, user.partition(":")[2], unquote(user.partition(":")[2])]
    return found


def _check_secrets(client: Client, request: BuildRequest) -> None:
    if request.secrets and client.builder != "buildkit":
        raise ConfigError(
            "the image needs build secrets, which the classic builder cannot mount",
            why="as build arguments they would stay in the image's history",
            next=BUILDKIT_HINT,
        )
    missing = sorted(variable for variable in request.secrets.values() if not os.environ.get(variable))
    if missing:
        raise ConfigError(
            f"the build secret in ${missing[0]} is not set", next=f"export {missing[0]} before the build"
        )
