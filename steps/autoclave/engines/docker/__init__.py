"""Docker (and engines with its API) through its SDK; local or remote, nothing is bind-mounted."""

from __future__ import annotations

import os
import posixpath
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import docker
from docker.constants import IS_WINDOWS_PLATFORM
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.utils import kwargs_from_env, parse_host
from urllib3.exceptions import HTTPError

from autoclave.engines.base import (
    PORT_LABEL,
    BuildRequest,
    ContainerSpec,
    ContainerState,
    EngineInfo,
    ImageState,
    NamedImage,
    NetworkState,
    Used,
    VolumeState,
)
from autoclave.engines.docker import build as docker_build
from autoclave.engines.docker import ignore, silence
from autoclave.engines.docker import networks as docker_networks
from autoclave.engines.docker.run import as_command, create_arguments
from autoclave.errors import EngineError
from autoclave.model.place import Place, normalise
from autoclave.runtime.neutral import split_lines
from autoclave.runtime.shell import Shell

_SCHEMES = {"http": "tcp", "https": "tcp"}
_CHUNK = 1 << 20
_NAMELESS = "<none>:<none>"
_TIMEOUT = 120  # seconds until the engine must have answered


def create(shell: Shell, command: str) -> DockerEngine:
    """Connect to the engine. Raises EngineError."""
    return DockerEngine(shell, command)


class DockerEngine:
    """The engine that DOCKER_HOST, else Docker's current context, names."""

    name = "docker"
    outbound_network = "bridge"
    buildkit_hint = docker_build.BUILDKIT_HINT

    def __init__(self, shell: Shell, client: str = "") -> None:
        self._shell = shell
        self._client_name = client
        self._used: dict[str, tuple[Used, ...] | None] = {}
        self._host = os.environ.get("DOCKER_HOST") or _context_host()
        with _translate_errors("the container engine does not answer", _display(self._host)):
            self._api = _connect(self._host)

    @property
    def address(self) -> str:
        """Where the engine is: its socket, or `tcp://HOST:PORT`."""
        return find_address(self._host)

    @cached_property
    def _client(self) -> docker_build.Client:
        return docker_build.find_client(self._shell, self._client_name)

    def info(self) -> EngineInfo:
        """Return which engine answers."""
        with _translate_errors("the engine does not report its version"):
            about = self._api.info()
        return EngineInfo(
            name=f"docker {about.get('ServerVersion', '?')}",
            kernel=str(about.get("KernelVersion", "")),
            probe_host=_probe_host(self._host),
            clock=str(about.get("SystemTime", "")),
        )

    def builder(self) -> str:
        """Return how images are built: `buildkit` or `classic`."""
        return self._client.builder

    def build(self, request: BuildRequest, line: Callable[[str], None]) -> str:
        """Build an image and return its id."""
        image_id, used = docker_build.build(self._shell, self._client, request, line)
        self._used[image_id] = used
        if self.image(image_id) is None:
            raise EngineError(
                f"the engine does not have the image {image_id} that was just built",
                why=f"the command {self._client.program} builds with another engine than {self._host}",
                next="set DOCKER_HOST, so that both use the same engine",
            )
        return image_id

    def used(self, image_id: str) -> tuple[Used, ...] | None:
        """Return what the builder says it used for an image just built."""
        return self._used.get(image_id)

    def build_arguments(self, request: BuildRequest) -> list[str]:
        """Return the arguments of the command that `build` runs."""
        return docker_build.command(self._client, request)[1:]

    def platform(self) -> str:
        """Return what images are built for: DOCKER_DEFAULT_PLATFORM, as for the client, else the engine's."""
        chosen = os.environ.get("DOCKER_DEFAULT_PLATFORM", "")
        if chosen:
            return chosen
        with _translate_errors("the engine does not report its platform"):
            about = self._api.version()
        return f"{about.get('Os', 'linux')}/{about.get('Arch', '')}".rstrip("/")

    def context_files(self, request: BuildRequest) -> list[Path]:
        """Return files and folders of the build context that the ignore file does not leave out."""
        name, raw = docker_build.read_ignore_file(self._client, request)
        patterns = ignore.read_ignore_file(raw, name)
        return ignore.walk(request.folder / request.context, patterns)

    def image(self, reference: str) -> ImageState | None:
        """Return an image by name or id, or None."""
        with _translate_errors(f"the engine does not report on image {reference}"):
            try:
                found = self._api.inspect_image(reference)
            except ImageNotFound:
                return None
        return ImageState(
            id=found["Id"],
            layers=tuple(found.get("RootFS", {}).get("Layers") or ()),
            size=int(found.get("Size") or 0),
            user=(found.get("Config") or {}).get("User") or "",
            repo_digests=tuple(found.get("RepoDigests") or ()),
            health=docker_networks.health_command(found.get("Config") or {}),
            environment=_variables((found.get("Config") or {}).get("Env") or ()),
            on_build=tuple((found.get("Config") or {}).get("OnBuild") or ()),
            platform="/".join(filter(None, (found.get(key) for key in ("Os", "Architecture", "Variant")))),
        )

    def tag(self, image: str, name: str) -> None:
        """Give an image a name, `repository:tag`; another image loses it."""
        repository, _, tag = name.rpartition(":")
        with _translate_errors(f"the engine does not name the image {image}"):
            self._api.tag(image, repository, tag)

    def list_images(self, prefix: str) -> list[NamedImage]:
        """List the images that have a name which begins so, once for each such name."""
        found = []
        with _translate_errors("the engine does not list its images"):
            for each in self._api.images():
                listed = [name for name in each.get("RepoTags") or () if name != _NAMELESS]
                names = [name for name in listed if name.startswith(prefix)]
                named = _moment(self._api.inspect_image(each["Id"])) if names else None
                found += [
                    NamedImage(name=name, id=each["Id"], size=int(each.get("Size") or 0), named=named)
                    for name in names
                ]
        return found

    def remove_name(self, name: str) -> None:
        """Take a name from an image, and remove it when nothing refers to it. Missing is not an error."""
        with _translate_errors(f"the engine does not remove {name}"), suppress(ImageNotFound):
            self._api.remove_image(name)

    def push(self, image: str, name: str, login: tuple[str, str] | None) -> None:
        """Push an image to a registry under a name, `registry/repository:tag`."""
        self.tag(image, name)
        repository, _, tag = name.rpartition(":")
        auth = {"username": login[0], "password": login[1]} if login else None
        with _translate_errors(f"the engine does not push to {name}"):
            for event in self._api.push(repository, tag, stream=True, decode=True, auth_config=auth):
                if "error" in event:
                    raise EngineError(f"the engine does not push to {name}", why=str(event["error"]))

    def pull(self, reference: str, line: Callable[[str], None]) -> None:
        """Pull an image from its registry, with the client's credentials."""
        if self._shell.stream([self._client.program, "pull", reference], line):
            raise EngineError(
                f"the image {reference} cannot be pulled",
                why="see the output of docker pull above",
                next="check the name and the network, or 'docker load' it from a file",
            )

    def save(self, image_id: str) -> Iterator[bytes]:
        """Stream an image as a tar archive."""
        self._shell.show(["docker", "save", image_id])
        with _translate_errors(f"the engine does not save image {image_id}"):
            yield from self._api.get_image(image_id, chunk_size=_CHUNK)

    def load(self, archive: Iterable[bytes]) -> None:
        """Load images from a tar archive."""
        self._shell.show(["docker", "load"])
        with _translate_errors("the engine does not load the image"):
            for event in self._api.load_image(archive, quiet=True):
                if "error" in event:
                    raise EngineError("the engine does not load the image", why=str(event["error"]))

    def create(self, spec: ContainerSpec) -> str:
        """Create a container and return its id."""
        self._shell.show(as_command(spec))
        with _translate_errors("the engine does not create the container"):
            host = self._api.create_host_config
            return str(
                self._api.create_container(use_config_proxy=False, **create_arguments(spec, host))["Id"]
            )

    def start(self, container: str) -> None:
        """Start a container."""
        with _translate_errors("the engine does not start the container"):
            self._api.start(container)

    def put(self, container: str, folder: str, archive: bytes) -> None:
        """Unpack a tar archive into a folder of a container."""
        with _translate_errors(f"the engine does not copy into {folder}"):
            self._api.put_archive(container, folder, archive)

    def get(self, container: str, path: str) -> Iterator[bytes] | None:
        """Stream a tar archive of a path in a container, or return None when it does not exist."""
        with _translate_errors(f"the engine does not copy {path} out"):
            try:
                stream, _ = self._api.get_archive(container, path, chunk_size=_CHUNK)
            except NotFound:
                return None
        return cast(Iterator[bytes], stream)

    def logs(self, container: str, *, follow: bool = False) -> Iterator[str]:
        """Yield the lines of a container's output."""
        with _translate_errors("the engine does not return the container's output"):
            for line in split_lines(self._api.logs(container, stream=True, follow=follow)):
                yield self._shell.readable(line)

    def state(self, container: str) -> ContainerState | None:
        """Return a container's state by id or name, or None."""
        with _translate_errors("the engine does not report on the container"):
            try:
                return _state(self._api.inspect_container(container))
            except NotFound:
                return None

    def wait(self, container: str) -> ContainerState:
        """Wait until a container has ended and return its state."""
        with _translate_errors("the engine does not report when the container ended"):
            try:
                self._api.wait(container)
            except NotFound as error:
                raise EngineError("the container was removed by somebody else while it ran") from error
        state = self.state(container)
        if state is None:
            raise EngineError("the container was removed by somebody else while it ran")
        return state

    def containers(self, labels: Mapping[str, str]) -> list[ContainerState]:
        """List containers, running or not, that carry all of these labels."""
        with _translate_errors("the engine does not list its containers"):
            listed = self._api.containers(all=True, filters=_label_filter(labels))
        found = [self.state(each["Id"]) for each in listed]
        return [state for state in found if state]

    def stop(self, container: str) -> None:
        """Stop a container, with time to end by itself."""
        with _translate_errors("the engine does not stop the container"):
            self._api.stop(container, timeout=10)

    def kill(self, container: str) -> None:
        """Kill a container; nothing happens when it does not run."""
        with _translate_errors("the engine does not kill the container"):
            try:
                self._api.kill(container)
            except APIError as error:
                if error.status_code not in {404, 409}:  # it does not exist, or does not run
                    raise

    def rename(self, container: str, name: str) -> None:
        """Rename a container."""
        with _translate_errors(f"the engine does not rename the container to {name}"):
            self._api.rename(container, name)

    def remove(self, container: str) -> None:
        """Remove a container and its anonymous volumes; nothing happens when it does not exist."""
        with _translate_errors("the engine does not remove the container"):
            try:
                self._api.remove_container(container, v=True, force=True)
            except APIError as error:
                if error.status_code not in {404, 409}:  # it does not exist, or is being removed
                    raise

    def execute(self, container: str, command: Sequence[str], seconds: float) -> int | None:
        """Run a command in a container; return its exit code, None when it cannot run or takes too long."""
        with _translate_errors("the engine does not run a command in the container"):
            return docker_networks.execute(self._api, container, command, seconds)

    def network(self, name: str) -> NetworkState | None:
        """Return a network by its name, or None."""
        with _translate_errors(f"the engine does not report on the network {name}"):
            found = self._api.networks(names=[name])  # those whose names contain it
        named = [each for each in found if each["Name"] == name]
        return NetworkState(name=name, labels=named[0].get("Labels") or {}) if named else None

    def create_network(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a private network."""
        with _translate_errors(f"the engine does not create the network {name}"):
            self._api.create_network(name, driver="bridge", check_duplicate=True, labels=dict(labels))

    def volume(self, name: str) -> VolumeState | None:
        """Return a named volume, or None."""
        with _translate_errors(f"the engine does not report on the volume {name}"):
            try:
                found = self._api.inspect_volume(name)
            except NotFound:
                return None
        return VolumeState(name=name, labels=found.get("Labels") or {})

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a named volume."""
        with _translate_errors(f"the engine does not create the volume {name}"):
            self._api.create_volume(name, labels=dict(labels))

    def create_closed_network(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a network whose containers reach each other and nothing else, the engine's host included."""
        with _translate_errors(f"the engine does not create the network {name}"):
            docker_networks.create_closed_network(self._api, name, labels)

    def connect(self, network: str, container: str) -> None:
        """Connect a container to one more network."""
        with _translate_errors(f"the engine does not connect the container to {network}"):
            self._api.connect_container_to_network(container, network)

    def networks(self, labels: Mapping[str, str]) -> list[NetworkState]:
        """List networks that carry all of these labels."""
        with _translate_errors("the engine does not list its networks"):
            found = self._api.networks(filters=_label_filter(labels))
        return [NetworkState(name=each["Name"], labels=each.get("Labels") or {}) for each in found]

    def remove_network(self, name: str) -> None:
        """Remove a network; nothing happens when it does not exist."""
        with _translate_errors(f"the engine does not remove the network {name}"):
            docker_networks.remove_network(self._api, name)

    def attach_command(self, container: str) -> list[str]:
        """Return the command that starts a container on the user's terminal."""
        return [self._client.program, "start", "--attach", "--interactive", container]

    def command_line(self, *words: str) -> str:
        """Return a line for a person to paste."""
        return shlex.join([self.name, *words])


def _moment(inspected: dict[str, Any]) -> datetime | None:
    """Return when an image was named last, or else made; None when the engine does not say."""
    for text in ((inspected.get("Metadata") or {}).get("LastTagTime"), inspected.get("Created")):
        with suppress(ValueError):
            when = datetime.fromisoformat(str(text or ""))
            if when.tzinfo and when.year > 1:  # an image that was loaded has the year 1
                return when
    return None


def _label_filter(labels: Mapping[str, str]) -> dict[str, list[str]]:
    return {"label": [f"{name}={value}" if value else name for name, value in labels.items()]}


def _state(found: dict[str, Any]) -> ContainerState:
    state = found["State"]
    ports = (found.get("NetworkSettings") or {}).get("Ports") or {}
    labels = (found.get("Config") or {}).get("Labels") or {}
    own = labels.get(PORT_LABEL)
    leading = [ports.get(own)] if own in ports else list(ports.values())
    bound = [int(each["HostPort"]) for binding in leading for each in binding or ()]
    return ContainerState(
        id=found["Id"],
        name=found["Name"].lstrip("/"),
        image=found["Image"],
        running=bool(state["Running"]),
        restarting=bool(state.get("Restarting")),
        exit_code=int(state["ExitCode"]),
        oom_killed=bool(state.get("OOMKilled")),
        health=(state.get("Health") or {}).get("Status", ""),
        labels=labels,
        host_port=bound[0] if bound else None,
        started=state.get("StartedAt", ""),
    )


def _context_host() -> str:
    from docker.context import ContextAPI

    current = ContextAPI.get_current_context()
    return str((current.Host if current else None) or "unix:///var/run/docker.sock")


class _DirectClient(docker.APIClient):  # type: ignore[misc]  # the SDK has no types
    """A client that asks no proxy: behind one, a loopback address is that of another machine."""

    def merge_environment_settings(self, *given: Any) -> Any:
        """Return the settings of a request, none of them from HTTP_PROXY and the like."""
        self.trust_env = False
        return super().merge_environment_settings(*given)


def _connect(host: str) -> docker.APIClient:
    """Connect to an engine, with the certificates that go with DOCKER_HOST if that names it."""
    kind = _DirectClient if Place("engine", find_address(host)).is_local else docker.APIClient
    settings: dict[str, Any] = {"base_url": host, "timeout": _TIMEOUT, "version": "auto"}
    return kind(**(settings | kwargs_from_env() if os.environ.get("DOCKER_HOST") else settings))


def find_address(host: str) -> str:
    """Return the address of an engine as the SDK reads DOCKER_HOST, in the words of Docker."""
    if host.startswith("ssh://"):  # the SDK hands it to ssh as it is
        return normalise(host)
    scheme, _, rest = parse_host(host, IS_WINDOWS_PLATFORM).partition("://")
    if scheme == "http+unix":
        return normalise("unix://" + posixpath.normpath("/" + rest.lstrip("/")))
    return normalise(f"{_SCHEMES.get(scheme, scheme)}://{rest}")


def _display(host: str) -> str:
    """Return an engine's address for a message; as it was given when the SDK cannot read it."""
    try:
        return find_address(host)
    except DockerException:
        return host


def _probe_host(host: str) -> str:
    """Return where ports published on 127.0.0.1 of the engine's machine are reached from here."""
    parts = urlsplit(host)
    local = parts.scheme in {"unix", "npipe"} or parts.hostname in {"127.0.0.1", "localhost", "::1"}
    return "127.0.0.1" if local else ""


@contextmanager
def _translate_errors(what: str, address: str = "") -> Iterator[None]:
    """Turn every error of the SDK and its connection, to the engine at an address, into EngineError."""
    try:
        yield
    except APIError as error:
        raise EngineError(what, why=str(error.explanation or error)) from error
    except (DockerException, HTTPError, OSError) as error:
        found = silence.explain(error, address)
        raise EngineError(what, why=found.why, next=found.next) from error


def _variables(listed: Sequence[str]) -> dict[str, str]:
    """Return an image's variables, which the engine lists as `NAME=value`."""
    return {name: value for name, _, value in (each.partition("=") for each in listed)}
