"""What `autoclave.toml` describes: the device, its images, tests, policy and environments."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from autoclave.errors import ConfigError, SourceError
from autoclave.model.facts import Severity
from autoclave.model.text import Line, for_schema, matching
from autoclave.runtime.folder import Folder
from autoclave.runtime.toml import convert, nearest, parse_toml

FILE = "autoclave.toml"
DECISIONS, WAIVER, VEX = "decisions", ".waiver.json", ".vex.json"

_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PINNED = re.compile(r"[a-z0-9][a-zA-Z0-9._:/-]{0,255}@sha256:[0-9a-f]{64}")
_MEMORY = (6 << 20, 1 << 40)  # bytes: less starts no container, more is no machine's
_LARGEST = 1 << 20  # bytes of a device file
_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}

Name = Annotated[str, matching(r"[a-z0-9]+(-[a-z0-9]+)*", max_length=50)]
Size = Annotated[str, matching(r"[1-9][0-9]{0,15}[kmg]?", description="bytes, or with k, m, g")]
Cpus = Annotated[float, Meta(ge=0.01, le=64)]
Pids = Annotated[int, Meta(ge=1, le=32_768)]
Seconds = Annotated[int, Meta(ge=1, le=86_400)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Variable = Annotated[str, matching(r"[A-Za-z_][A-Za-z0-9_]*", max_length=200)]


class SafetyClass(StrEnum):
    """IEC 62304 software safety class (4.3)."""

    A = "A"
    B = "B"
    C = "C"


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A TOML table: keys in kebab case; unknown keys are refused."""


class Identity(_Table, frozen=True):
    """`[device]`: which device this is. Paths are relative to the device folder.

    `requirements` is a file or folder of requirements, `soup` the SOUP register (TOML), `decisions` the
    folder with signed waivers and suppliers' VEX documents.
    """

    name: Name
    version: Annotated[str, matching(r"[0-9A-Za-z][0-9A-Za-z.+-]*", max_length=64)]
    safety_class: SafetyClass
    requirements: str = ""
    soup: str = ""
    decisions: str = DECISIONS


class BuildSecret(_Table, frozen=True):
    """A secret for the build: BuildKit mounts it; its value is in an environment variable."""

    id: Annotated[str, matching(r"[A-Za-z0-9_.-]+", max_length=200)]
    env: Variable


class Service(_Table, frozen=True):
    """`[image.service]`: how the image runs when it is deployed. Times are seconds."""

    port: Port | None = None
    health: Annotated[str, matching(r"/[!-~]*", max_length=2000)] = ""
    volumes: dict[Name, Annotated[str, matching(r"/[^:\x00-\x1f\x7f]+", max_length=1000)]] = {}
    environment: dict[Variable, str] = {}
    memory: Size = "512m"
    cpus: Cpus = 1.0
    pids: Pids = 256
    start_timeout: Seconds = 60


class TestService(_Table, frozen=True):
    """`[[unit-test.service]]`: a container that runs with the tests, on their network. Times are seconds.

    `image` is an image of this device, or a reference pinned by digest; `health` is a command that exits
    with 0 in the container once it is ready (none: the image's own HEALTHCHECK). The container's root is
    read-only: `scratch` are folders of the image that get a volume during the tests, besides those that the
    image declares. `user` is a number (none: the image's own, or `nobody` when the image runs as root).
    """

    __test__ = False  # not a pytest class

    name: Name
    image: str
    health: list[str] = []
    user: Annotated[str, matching(r"[1-9][0-9]{0,9}(:[0-9]{1,10})?")] | None = None
    scratch: list[Annotated[str, matching(r"/[^:\x00-\x1f\x7f]+", max_length=1000)]] = []
    environment: dict[Variable, str] = {}
    memory: Size = "512m"
    cpus: Cpus = 1.0
    pids: Pids = 256
    start_timeout: Seconds = 60


class UnitTest(_Table, frozen=True):
    """`[unit-test]`: the command, what it needs, and its limits. Times are seconds.

    `junit` are files below /autoclave/results, or patterns of them: `*` and `?` match within a name, `**`
    any folders.
    """

    command: Annotated[list[str], Meta(min_length=1)]
    stage: str = ""
    copy: list[str] = []
    junit: Annotated[tuple[str, ...], Meta(min_length=1, max_length=100)] = ("junit.xml",)
    coverage: str = ""
    timeout: Seconds = 600
    memory: Size = "1g"
    cpus: Cpus = 1.0
    pids: Pids = 256
    environment: dict[Variable, str] = {}
    network: bool = False
    service: list[TestService] = []


class Image(_Table, frozen=True):
    """`[[image]]`: one container image of the device. Paths are relative to the device folder.

    `secrets` must be allowed by the organisation's policy (`build.secrets`). With `client-proxy` the build
    uses the proxies of the engine's client configuration; otherwise they enter no build. They never enter a
    container.
    """

    name: Name
    context: str = "."
    dockerfile: str = "Dockerfile"
    target: str = ""
    args: dict[Variable, str] = {}
    secrets: list[BuildSecret] = []
    client_proxy: bool = False
    service: Service | None = None
    unit_test: UnitTest | None = None


class Kubernetes(_Table, frozen=True):
    """`[environment.kubernetes]`: what is applied where. Paths are relative to the device folder.

    One of `manifests` (files, or folders of `*.yaml`), `kustomization` (a folder) and `chart` (a Helm
    chart's folder, with `values` files). `context` is the kubeconfig's; `repository` is where the cluster
    pulls from, if that is not the address of the store. `timeout` is in seconds, for a whole rollout.
    """

    namespace: Annotated[str, matching(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")]
    manifests: list[str] = []
    kustomization: str = ""
    chart: str = ""
    values: list[str] = []
    context: str = ""
    repository: str = ""
    timeout: Seconds = 300


class Environment(_Table, frozen=True):
    """`[[environment]]`: a place to deploy to; `publish` maps image names to ports on 127.0.0.1.

    Whether it is production is decided by the place that it leads to and the organisation's policy; with
    `production = true` it is in any case. `settings` has the keys of a target that is not described here; the
    target itself checks them.
    """

    name: Name
    target: str = "docker"
    publish: dict[Name, Port] = {}
    production: bool | None = None
    kubernetes: Kubernetes | None = None
    settings: dict[str, Any] = {}


class Flow(_Table, frozen=True):
    """`[[flow]]`: network traffic that the device needs in a cluster; all other traffic is denied.

    `from` and `to` are an image of the device, `outside` (any address), a CIDR, `namespace/NAME`, or, for
    `to` alone, `dns`. At least one end is an image of the device.
    """

    source: Annotated[str, Meta(min_length=1)] = msgspec.field(name="from")
    to: Annotated[str, Meta(min_length=1)]
    ports: list[Port] = []
    protocol: Literal["tcp", "udp"] = "tcp"


class Traceability(_Table, frozen=True):
    """`[traceability]`: how tests name their requirements. Paths are relative to the device folder.

    `property` is the name of a test's property in the JUnit report, `links` a TOML file that maps tests to
    requirements. With `pytest-plugin`, tests find Autoclave's marker plugin (`-p autoclave_requirements`).
    `not-requirements` are elements of StrictDoc by tag, and objects of ReqIF by type, that are no
    requirements.
    """

    property: Annotated[str, Meta(min_length=1, max_length=100)] = "requirement"
    links: str = ""
    pytest_plugin: bool = False
    not_requirements: tuple[Annotated[Line, Meta(max_length=100)], ...] = ()


class Report(_Table, frozen=True):
    """`[[report]]`: a report of another tool, such as a static analysis, in SARIF, in the device folder.

    `tool` is the name that the report has of its tool. Results of the severities in `block` close the scan
    gate, besides those that the policy names; each can be waived.
    """

    path: Annotated[str, Meta(min_length=1, max_length=1000)]
    tool: Annotated[str, Meta(min_length=1, max_length=100)]
    block: list[Severity] = []


class Device(_Table, frozen=True):
    """The whole device file."""

    device: Identity
    image: Annotated[list[Image], Meta(min_length=1)]
    unit_test: UnitTest | None = None
    environment: list[Environment] = []
    flow: list[Flow] = []
    report: list[Report] = []
    traceability: Traceability = Traceability()
    policy: dict[str, Any] = {}

    def tests_of(self, image: Image) -> UnitTest | None:
        """Return the tests of an image: its own, else the device's."""
        return image.unit_test or self.unit_test

    def find_image(self, name: str) -> Image:
        """Return an image by name. Raises ConfigError naming the nearest one."""
        for image in self.image:
            if image.name == name:
                return image
        raise ConfigError(
            f"the device has no image '{name}'", next=nearest(name, [image.name for image in self.image])
        )

    def find_environment(self, name: str) -> Environment:
        """Return an environment by name. Raises ConfigError naming the nearest one."""
        for environment in self.environment:
            if environment.name == name:
                return environment
        known = [environment.name for environment in self.environment]
        raise ConfigError(
            f"the device has no environment '{name}'",
            next=nearest(name, known) if known else "declare it with [[environment]] in autoclave.toml",
        )


def load(folder: Path) -> Device:
    """Read the device file of a repository. Raises ConfigError, SourceError for paths that leave it."""
    device = _read(folder)
    resolve_inside(folder, device.device.decisions)
    for key in ("requirements", "soup"):
        name = getattr(device.device, key)
        if name and not resolve_inside(folder, name).exists():
            raise SourceError(f"'{name}' does not exist", next=f"fix device.{key} in {FILE}")
    links = device.traceability.links
    if links and not resolve_inside(folder, links).is_file():
        raise SourceError(f"'{links}' is not a file", next=f"fix traceability.links in {FILE}")
    for image in device.image:
        resolve_inside(folder, image.context)
        resolve_inside(folder, str(PurePosixPath(image.context) / image.dockerfile))
        tests = device.tests_of(image)
        for item in tests.copy if tests else []:
            resolve_inside(folder, item)
    return device


def parse(raw: bytes, *, source: str) -> Device:
    """Read a device file that stands alone: the files that it names are not there. Raises ConfigError."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source} cannot be read", why=str(error)) from error
    return _check(parse_toml(text, source), source)


def _check(data: dict[str, Any], source: str) -> Device:
    device = convert(data, Device, source=source)
    _check_names(device, source)
    return device


def _read(folder: Path) -> Device:
    """Read the device file: a plain file, and not a link to another one. Raises ConfigError, SourceError."""
    device, path = Folder(folder), folder / FILE
    if device.kind(FILE) is None:
        raise ConfigError(f"{path} does not exist", next="'autoclave init' writes a starter")
    return parse(device.read(FILE, limit=_LARGEST), source=str(path))


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the device file."""
    schema: dict[str, Any] = for_schema(msgspec.json.schema(Device))
    return schema


def parse_size(size: str) -> int:
    """Turn a size such as `512m` into bytes."""
    number = size.rstrip("kmg")
    return int(number) * _BYTES[size.removeprefix(number)]


def resolve_inside(folder: Path, relative: str) -> Path:
    """Resolve a path of the device file; raise SourceError when it leaves the device folder."""
    resolved = (folder / relative).resolve()
    # Not back in by the folder's own name either: a commit is written into a folder of another name.
    leaves = PurePosixPath(posixpath.normpath(relative)).parts[:1] == ("..",)
    if leaves or PurePosixPath(relative).is_absolute() or not resolved.is_relative_to(folder.resolve()):
        raise SourceError(
            f"path '{relative}' leaves the device folder",
            why=f"it resolves to {resolved}",
            next="use a path inside the repository, without a link out of it",
        )
    return resolved


def _check_names(device: Device, source: str) -> None:
    images = [image.name for image in device.image]
    places = [environment.name for environment in device.environment]
    for kind, names in (("image", images), ("environment", places)):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"{source}: two {kind}s are called '{twice[0]}'", next="give each its own name")
    for environment in device.environment:
        _refuse_exemption(environment, source)
        for name in environment.publish:
            if name not in images:
                raise ConfigError(
                    f"{source}: environment '{environment.name}' publishes the unknown image '{name}'",
                    next=nearest(name, images),
                )
            service = device.find_image(name).service
            if service is None or service.port is None:
                raise ConfigError(
                    f"{source}: environment '{environment.name}' publishes '{name}', which has no port",
                    next=f"add [image.service] with port to image '{name}'",
                )
    for image in device.image:
        tests = device.tests_of(image)
        named = [*(("junit", each) for each in tests.junit), ("coverage", tests.coverage)] if tests else []
        for key, name in named:
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise ConfigError(f"{source}: unit-test.{key} '{name}' must be below /autoclave/results")
        _check_services(tests.service if tests else [], images, source)
        _check_memory(f"image '{image.name}'", image.service, source)
        if tests:
            _check_memory(f"the tests of image '{image.name}'", tests, source)
        for each in tests.service if tests else []:
            _check_memory(f"the unit-test service '{each.name}'", each, source)
    for flow in device.flow:
        _check_flow(flow, images, source)


def _check_memory(whose: str, limits: Service | UnitTest | TestService | None, source: str) -> None:
    least, most = _MEMORY
    if limits and not least <= parse_size(limits.memory) <= most:
        raise ConfigError(
            f"{source}: memory '{limits.memory}' of {whose} cannot be a limit",
            why="a container has at least 6m, and at most 1024g",
            next="write it such as 512m",
        )


def _refuse_exemption(environment: Environment, source: str) -> None:
    """Refuse an environment that says of itself not to be production: that is not for a device to say."""
    if environment.production is False:
        raise ConfigError(
            f"{source}: environment '{environment.name}' has production = false",
            why="a device file can only require more: where it deploys to decides, and the policy",
            next="remove it; the organisation's policy exempts places (production.exempt)",
        )


def _check_services(services: list[TestService], images: list[str], source: str) -> None:
    names = [service.name for service in services]
    for service in services:
        if names.count(service.name) > 1:
            raise ConfigError(
                f"{source}: two unit-test services are called '{service.name}'", next="give each its own name"
            )
        if service.image in images or _PINNED.fullmatch(service.image):
            continue
        raise ConfigError(
            f"{source}: unit-test service '{service.name}' runs the image '{service.image}', which is "
            "neither an image of this device nor pinned by digest",
            why="a tag can refer to another image tomorrow, and the record must name what ran with the tests",
            next=f"write it as NAME@sha256:…, or: {nearest(service.image, images)}",
        )


def _check_flow(flow: Flow, images: list[str], source: str) -> None:
    flow_name = f"{source}: the flow from '{flow.source}' to '{flow.to}'"
    if flow.source not in images and flow.to not in images:
        raise ConfigError(
            f"{flow_name} touches no image of the device", next=f"one end must be one of: {', '.join(images)}"
        )
    for end, others in ((flow.source, {"outside"}), (flow.to, {"outside", "dns"})):
        if end in images and end in {"outside", "dns"}:
            raise ConfigError(
                f"{flow_name} is ambiguous: an image is called '{end}'", next="rename the image"
            )
        if end not in images and end not in others and not _is_network(end):
            raise ConfigError(
                f"{flow_name} has the unknown end '{end}'",
                why=nearest(end, images),
                next="name an image, outside, a CIDR, namespace/NAME, or dns as its target",
            )
    if flow.to == "dns" and flow.ports:
        raise ConfigError(
            f"{flow_name} names ports, but name resolution has its own", next="remove the ports"
        )


def _is_network(end: str) -> bool:
    kind, _, name = end.partition("/")
    if kind == "namespace":
        return bool(_NAMESPACE.fullmatch(name))
    try:
        ipaddress.ip_network(end)
    except ValueError:
        return False
    return True
