"""What `autoclave.toml` describes: the device, its images, tests, policy and environments."""

from __future__ import annotations

import os
import posixpath
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from autoclave.errors import ConfigError, SourceError
from autoclave.model.facts import Severity
from autoclave.model.text import HYPHENATED, Line, matching
from autoclave.runtime.toml import nearest
from autoclave.runtime.values import UNIT

FILE = "autoclave.toml"
DECISIONS, WAIVER, VEX = "decisions", ".waiver.json", ".vex.json"

_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}

_LONGEST_PATH, _LONGEST_NAME = 2000, 255  # bytes

Name = Annotated[
    str, matching(r"[a-z0-9]+(-[a-z0-9]+)*", says=HYPHENATED, example="infusion-pump", max_length=50)
]
Size = Annotated[
    str,
    matching(
        r"[1-9][0-9]{0,15}[kmg]?",
        says="a number of bytes, or of KiB, MiB or GiB with k, m or g behind it, from 6m to 1024g",
        example="512m",
    ),
]
Cpus = Annotated[float, Meta(ge=0.01, le=64, extra={UNIT: "processors"})]
Pids = Annotated[int, Meta(ge=1, le=32_768, extra={UNIT: "processes and threads"})]
Seconds = Annotated[int, Meta(ge=1, le=86_400, extra={UNIT: "seconds"})]
Port = Annotated[int, Meta(ge=1, le=65_535)]
SecretName = Annotated[
    str,
    matching(
        r"[A-Za-z0-9][A-Za-z0-9._-]*",
        says="the name of a file: letters, digits and . _ -, beginning with a letter or a digit",
        example="database-password",
        max_length=100,
    ),
]
PortProtocol = Annotated[
    str,
    matching(
        r"[1-9][0-9]{0,4}/(tcp|udp)",
        says="a port from 1 to 65535, and /tcp or /udp behind it",
        example="11112/tcp",
    ),
]
Published = Annotated[
    str,
    matching(
        r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)?",
        says="the name of an image, or IMAGE.PORT in quotes, where PORT is a name in its ports",
        example="gateway.dicom",
        max_length=101,
    ),
]
Variable = Annotated[
    str,
    matching(
        r"[A-Za-z_][A-Za-z0-9_]*",
        says="the name of a variable: letters, digits and _, not beginning with a digit",
        example="LOG_LEVEL",
        max_length=200,
    ),
]
ContainerPath = Annotated[
    str,
    matching(
        r"/[^:\x00-\x1f\x7f]+",
        says="a path in the container that begins with / and has no colon",
        example="/var/lib/data",
        max_length=1000,
    ),
]


HealthCheck = Annotated[
    str,
    matching(
        r"/[!-~]*|tcp",
        says="a path that begins with /, without blanks, or the word tcp",
        example="/health",
        max_length=2000,
    ),
]


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
    version: Annotated[
        str,
        matching(
            r"[0-9A-Za-z][0-9A-Za-z.+-]*",
            says="letters, digits and . + -, beginning with a letter or a digit",
            example="1.4.0",
            max_length=64,
        ),
    ]
    safety_class: SafetyClass
    requirements: str = ""
    soup: str = ""
    decisions: str = DECISIONS


class BuildSecret(_Table, frozen=True):
    """A secret for the build: BuildKit mounts it; its value is in an environment variable."""

    id: Annotated[
        str,
        matching(r"[A-Za-z0-9_.-]+", says="letters, digits and _ . -", example="pip-token", max_length=200),
    ]
    env: Variable


class Service(_Table, frozen=True):
    """`[image.service]`: how the image runs when it is deployed. Times are seconds."""

    port: Port | None = None
    ports: dict[Name, PortProtocol] = {}
    health: HealthCheck = ""
    health_command: list[str] = []
    command: list[str] = []
    arguments: list[str] = []
    volumes: dict[Name, ContainerPath] = {}
    environment: dict[Variable, str] = {}
    secrets: list[SecretName] = []
    executable_tmp: bool = True
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
    command: list[str] = []
    arguments: list[str] = []
    user: (
        Annotated[
            str,
            matching(
                r"[1-9][0-9]{0,9}(:[0-9]{1,10})?",
                says="the number of a user other than root, or numbers of user and group",
                example="1000:1000",
            ),
        ]
        | None
    ) = None
    scratch: list[ContainerPath] = []
    environment: dict[Variable, str] = {}
    executable_tmp: bool = True
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
    executable_tmp: bool = True
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

    namespace: Annotated[
        str,
        matching(
            r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
            says="at most 63 lower-case letters, digits and hyphens, none of these at an end",
            example="infusion",
        ),
    ]
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
    publish: dict[Published, Port] = {}
    variables: dict[Name, dict[Variable, str]] = {}
    production: bool | None = None
    kubernetes: Kubernetes | None = None
    settings: dict[str, Any] = {}

    def further_ports(self, image: Image) -> dict[str, int]:
        """Return the further ports of an image that are published: `11112/tcp` → port of the host."""
        ports = image.service.ports if image.service else {}
        named = {inside: self.publish.get(f"{image.name}.{name}") for name, inside in ports.items()}
        return {inside: outside for inside, outside in named.items() if outside}


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
    image: Annotated[list[Image], Meta(min_length=1, max_length=500)]
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


def parse_size(size: str) -> int:
    """Turn a size such as `512m` into bytes."""
    number = size.rstrip("kmg")
    return int(number) * _BYTES[size.removeprefix(number)]


def resolve_inside(folder: Path, relative: str) -> Path:
    """Resolve a path of the device file; raise SourceError when it leaves the device folder."""
    parts = PurePosixPath(relative).parts
    if len(os.fsencode(relative)) > _LONGEST_PATH or any(
        len(os.fsencode(each)) > _LONGEST_NAME for each in parts
    ):
        raise SourceError(
            f"path '{relative[:60]}…' is too long",
            why=f"a path has at most {_LONGEST_PATH} bytes, and a name in it {_LONGEST_NAME}",
            next="fix it in autoclave.toml",
        )
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
