"""What a container engine does for the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct

RUN_LABEL = "dev.autoclave.run"
OWNER_LABEL = "dev.autoclave.owner"
DEVICE_LABEL = "dev.autoclave.device"
IMAGE_LABEL = "dev.autoclave.image"
ENVIRONMENT_LABEL = "dev.autoclave.environment"
DIGEST_LABEL = "dev.autoclave.digest"
INPUTS_LABEL = "dev.autoclave.inputs"
ROLE_LABEL = "dev.autoclave.role"
PORT_LABEL = "dev.autoclave.port"
"""Which port, as `8080/tcp`, a container's `host_port` leads to, where it has several."""
VOLUME_LABEL = "dev.autoclave.volume"

DEPLOYED = "service"
"""The role of a container that was deployed."""


class EngineInfo(Struct, frozen=True, kw_only=True):
    """Which engine answers (`docker 20.10.24`), its kernel and clock, and the host at which its ports are.

    `probe_host` is empty when published ports cannot be reached from here.
    """

    name: str
    kernel: str
    probe_host: str
    clock: str


class BuildRequest(Struct, frozen=True, kw_only=True):
    """One image to build, with paths relative to `folder`, where the command runs.

    `secrets` maps ids to the environment variables that hold their values. `text` is the Dockerfile to
    use instead of the one in the folder, whose ignore file still counts. `cache_from` are images whose
    layers may be used; with `inline_cache` the image records what its layers were made from. `logins` are
    (user, password) by host. Proxies of the client's configuration enter the build only with `client_proxy`.
    """

    folder: Path
    context: Path
    dockerfile: Path
    target: str = ""
    args: Mapping[str, str] = {}
    labels: Mapping[str, str] = {}
    secrets: Mapping[str, str] = {}
    source_date_epoch: int | None = None
    text: bytes = b""
    cache_from: tuple[str, ...] = ()
    inline_cache: bool = False
    client_proxy: bool = False
    logins: Mapping[str, tuple[str, str]] = {}


class Used(Struct, frozen=True, kw_only=True):
    """Something that the builder says it used: an image, or an address that it fetched, with the digest."""

    name: str
    digest: str
    is_image: bool


class ImageState(Struct, frozen=True, kw_only=True):
    """An image in the engine; `repo_digests` are `name@sha256:…` of where it was pulled from.

    `health` is the command of its HEALTHCHECK, empty without one; `environment` are the variables it sets.
    `on_build` are instructions that run in builds based on it; `platform` is `os/architecture/variant`, empty
    when the engine does not know it. `size` is in bytes, 0 when it is not known.
    """

    id: str
    layers: tuple[str, ...]
    user: str
    repo_digests: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    on_build: tuple[str, ...] = ()
    platform: str = ""
    size: int = 0


class NamedImage(Struct, frozen=True, kw_only=True):
    """An image under one of its names, `size` in bytes; `named` is when it got the name, None if unknown."""

    name: str
    id: str
    size: int
    named: datetime | None


class ContainerSpec(Struct, frozen=True, kw_only=True):
    """A container and its limits. Always: all capabilities dropped, no new privileges, read-only root.

    `command` replaces the image's ENTRYPOINT and CMD, `arguments` its CMD alone; with both, they follow it.
    Files in `tmpfs` can be run as programs if `executable_tmp`. `memory` is bytes and the swap limit as well
    (so: no swap). `scratch` are paths that get an anonymous volume. `publish` is (container port, host port;
    0 lets the engine choose) on 127.0.0.1; `further_ports` are host ports by `11112/tcp`. `network` is one
    of the engine's, "none" for no network. `dns` are the name servers behind the engine's own one.
    """

    image: str
    name: str = ""
    command: tuple[str, ...] = ()
    user: str = ""
    environment: Mapping[str, str] = {}
    arguments: tuple[str, ...] = ()
    tmpfs: tuple[str, ...] = ("/tmp",)  # noqa: S108 -- a path inside the container
    executable_tmp: bool = True
    network: str = "none"
    aliases: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    memory: int = 0
    cpus: float = 0.0
    pids: int = 0
    volumes: Mapping[str, str] = {}
    scratch: tuple[str, ...] = ()
    publish: tuple[int, int] | None = None
    further_ports: Mapping[str, int] = {}
    labels: Mapping[str, str] = {}
    restart: bool = False
    interactive: bool = False


class ContainerState(Struct, frozen=True, kw_only=True):
    """A container as it is. `health` is empty without a HEALTHCHECK; `image` is the engine's image id."""

    id: str
    name: str
    image: str
    running: bool
    exit_code: int
    restarting: bool = False
    oom_killed: bool = False
    health: str = ""
    labels: Mapping[str, str] = {}
    host_port: int | None = None
    started: str = ""


class NetworkState(Struct, frozen=True, kw_only=True):
    """A network of the engine."""

    name: str
    labels: Mapping[str, str]


class VolumeState(Struct, frozen=True, kw_only=True):
    """A named volume of the engine."""

    name: str
    labels: Mapping[str, str]


class Engine(Protocol):
    """A container engine. Every method raises EngineError when the engine does not answer or refuses."""

    @property
    def name(self) -> str:
        """The engine's name, as `--engine` takes it: plans name it, and hash it."""

    @property
    def address(self) -> str:
        """Where the engine is, as a URL (see model.place.normalise): what it runs, runs there."""

    @property
    def outbound_network(self) -> str:
        """The network that is always there, and from which containers reach other machines."""

    @property
    def buildkit_hint(self) -> str:
        """What a person can do when `builder` is `classic` and an image needs BuildKit, as an imperative."""

    def info(self) -> EngineInfo:
        """Return which engine answers."""

    def builder(self) -> str:
        """Return how images are built: `buildkit` or `classic`."""

    def platform(self) -> str:
        """Return what images are built for, `os/architecture/variant`, unless a Dockerfile says otherwise."""

    def build(self, request: BuildRequest, line: Callable[[str], None]) -> str:
        """Build an image and return its id. Raises BuildFailed; output goes to `line` as it comes."""

    def used(self, image_id: str) -> tuple[Used, ...] | None:
        """Return what the builder says it used for an image just built; None when it does not say."""

    def build_arguments(self, request: BuildRequest) -> list[str]:
        """Return the arguments of the command that `build` runs, for the plan: the same on every machine."""

    def context_files(self, request: BuildRequest) -> list[Path]:
        """Return files and folders of the build context that the builder is sent, relative and sorted."""

    def image(self, reference: str) -> ImageState | None:
        """Return an image by name or id, or None."""

    def tag(self, image: str, name: str) -> None:
        """Give an image a name, `repository:tag`; another image loses it."""

    def list_images(self, prefix: str) -> list[NamedImage]:
        """List the images that have a name which begins so, once for each such name."""

    def remove_name(self, name: str) -> None:
        """Take a name from an image, and remove it when nothing refers to it. Missing is not an error."""

    def push(self, image: str, name: str, login: tuple[str, str] | None) -> None:
        """Push an image to a registry under a name, `registry/repository:tag`."""

    def pull(self, reference: str, line: Callable[[str], None]) -> None:
        """Pull an image from its registry."""

    def save(self, image_id: str) -> Iterator[bytes]:
        """Stream an image as a tar archive."""

    def load(self, archive: Iterable[bytes]) -> None:
        """Load images from a tar archive."""

    def create(self, spec: ContainerSpec) -> str:
        """Create a container and return its id."""

    def start(self, container: str) -> None:
        """Start a container."""

    def put(self, container: str, folder: str, archive: bytes) -> None:
        """Unpack a tar archive into a folder of a container."""

    def get(self, container: str, path: str) -> Iterator[bytes] | None:
        """Stream a tar archive of a path in a container, or return None when it does not exist."""

    def logs(self, container: str, *, follow: bool = False) -> Iterator[str]:
        """Yield the lines of a container's output."""

    def state(self, container: str) -> ContainerState | None:
        """Return a container's state by id or name, or None."""

    def wait(self, container: str) -> ContainerState:
        """Wait until a container has ended and return its state."""

    def containers(self, labels: Mapping[str, str]) -> list[ContainerState]:
        """List containers, running or not, that carry all of these labels."""

    def stop(self, container: str) -> None:
        """Stop a container, with time to end by itself."""

    def kill(self, container: str) -> None:
        """Kill a container; nothing happens when it does not run."""

    def rename(self, container: str, name: str) -> None:
        """Rename a container."""

    def remove(self, container: str) -> None:
        """Remove a container and its anonymous volumes; nothing happens when it does not exist."""

    def execute(self, container: str, command: Sequence[str], seconds: float) -> int | None:
        """Run a command in a container; return its exit code, None when it cannot run or takes too long."""

    def network(self, name: str) -> NetworkState | None:
        """Return a network by its name, or None."""

    def create_network(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a private network."""

    def volume(self, name: str) -> VolumeState | None:
        """Return a named volume, or None."""

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a named volume."""

    def create_closed_network(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a network whose containers reach each other and nothing else, the engine's host included."""

    def connect(self, network: str, container: str) -> None:
        """Connect a container to one more network."""

    def networks(self, labels: Mapping[str, str]) -> list[NetworkState]:
        """List networks that carry all of these labels."""

    def remove_network(self, name: str) -> None:
        """Remove a network; nothing happens when it does not exist."""

    def attach_command(self, container: str) -> list[str]:
        """Return the command that starts a container on the user's terminal."""

    def command_line(self, *words: str) -> str:
        """Return a line to paste; `words` are those of docker's command line, without `docker` itself."""
