"""What a device file must be besides its keys and values: names that are there, once, and mean one thing."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from autoclave.device.schema import Device, Environment, Flow, Service, TestService, UnitTest, parse_size
from autoclave.errors import ConfigError
from autoclave.runtime.toml import nearest

_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PINNED = re.compile(r"[a-z0-9][a-zA-Z0-9._:/-]{0,255}@sha256:[0-9a-f]{64}")
_MEMORY = (6 << 20, 1 << 40)  # bytes: less starts no container, more is no machine's


def find_inconsistencies(device: Device, source: str) -> Iterator[ConfigError]:
    """Yield everything about which the tables of a device file contradict each other."""
    images = [image.name for image in device.image]
    yield from _find_twice("image", images, source)
    yield from _find_twice("environment", [each.name for each in device.environment], source)
    for environment in device.environment:
        yield from _check_environment(environment, device, source)
    for image in device.image:
        yield from _check_service(image.name, image.service, source)
    for whose, tests in _tests_of(device):
        yield from _check_tests(whose, tests, images, source)
    for flow in device.flow:
        yield from _check_flow(flow, images, source)


def _tests_of(device: Device) -> Iterator[tuple[str, UnitTest]]:
    """Yield the tests of the device and of each image, once."""
    if device.unit_test:
        yield "[unit-test]", device.unit_test
    for image in device.image:
        if image.unit_test:
            yield f"the tests of image '{image.name}'", image.unit_test


def _find_twice(kind: str, names: list[str], source: str) -> Iterator[ConfigError]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield ConfigError(f"{source}: two {kind}s are called '{name}'", next="give each its own name")


def _check_environment(environment: Environment, device: Device, source: str) -> Iterator[ConfigError]:
    if environment.production is False:
        yield ConfigError(
            f"{source}: environment '{environment.name}' has production = false",
            why="a device file can only require more: where it deploys to decides, and the policy",
            next="remove it; the organisation's policy exempts places (production.exempt)",
        )
    services = {image.name: image.service for image in reversed(device.image)}
    for name in environment.variables:
        if name not in services:
            yield ConfigError(
                f"{source}: environment '{environment.name}' has variables of the unknown image '{name}'",
                next=nearest(name, services),
            )
    outside = list(environment.publish.values())
    for number in sorted({port for port in outside if outside.count(port) > 1}):
        yield ConfigError(
            f"{source}: environment '{environment.name}' publishes port {number} twice",
            why="a port of the host leads to one container",
            next="give each a port of its own",
        )
    for written in environment.publish:
        name, _, port = written.partition(".")
        if name not in services:
            yield ConfigError(
                f"{source}: environment '{environment.name}' publishes the unknown image '{name}'",
                next=nearest(name, services),
            )
        elif port:
            ports = (service.ports if (service := services[name]) else {}) or {}
            if port not in ports:
                yield ConfigError(
                    f"{source}: environment '{environment.name}' publishes '{written}', and image '{name}' "
                    f"has no port of the name '{port}'",
                    next=nearest(port, ports)
                    if ports
                    else f'add ports = {{ {port} = "11112/tcp" }} to its [image.service]',
                )
        elif (service := services[name]) is None or service.port is None:
            yield ConfigError(
                f"{source}: environment '{environment.name}' publishes '{name}', which has no port",
                next=f"add [image.service] with port to image '{name}'",
            )


def _check_ports(image: str, service: Service, source: str) -> Iterator[ConfigError]:
    own = [f"{service.port}/tcp"] if service.port else []
    inside = [*own, *service.ports.values()]
    for port in sorted({port for port in inside if inside.count(port) > 1}):
        yield ConfigError(
            f"{source}: image '{image}' names the port {port} twice",
            why="image.service.port is one of its ports as well",
            next="remove one of them",
        )
    for name, port in service.ports.items():
        if int(port.partition("/")[0]) > 65_535:
            yield ConfigError(
                f"{source}: the port '{name}' of image '{image}' is {port}",
                why="it must be a port from 1 to 65535, and /tcp or /udp behind it",
                next=f'write it such as {name} = "11112/tcp"',
            )


def _check_service(image: str, service: Service | None, source: str) -> Iterator[ConfigError]:
    if service is None:
        return
    yield from _check_memory(f"image '{image}'", service.memory, source)
    yield from _check_ports(image, service, source)
    if service.health and service.health_command:
        yield ConfigError(
            f"{source}: image '{image}' has health and health-command",
            why="one of them decides whether it is healthy",
            next="remove one of them",
        )
    if service.health and service.port is None:
        yield ConfigError(
            f"{source}: image '{image}' has health = \"{service.health}\" but no port",
            why="the health request goes to the service's port",
            next="add the port to its [image.service], for example port = 8080",
        )
    paths = list(service.volumes.values())
    for path in sorted({path for path in paths if paths.count(path) > 1}):
        yield ConfigError(
            f"{source}: two volumes of image '{image}' are at {path}", next="give each its own path"
        )


def _check_tests(whose: str, tests: UnitTest, images: list[str], source: str) -> Iterator[ConfigError]:
    named = [*(("junit", each) for each in tests.junit), ("coverage", tests.coverage)]
    for key, name in named:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            yield ConfigError(
                f"{source}: unit-test.{key} '{name}' must be below /autoclave/results",
                why="the name is relative to that folder",
                next=f"write it such as {key} = {_example(key, name)}",
            )
    yield from _check_memory(whose, tests.memory, source)
    yield from _check_test_services(tests.service, images, source)


def _example(key: str, name: str) -> str:
    last = PurePosixPath(name).name or "junit.xml"
    return f'"{last}"' if key == "coverage" else f'["{last}"]'


def _check_memory(whose: str, memory: str, source: str) -> Iterator[ConfigError]:
    least, most = _MEMORY
    if not least <= parse_size(memory) <= most:
        yield ConfigError(
            f"{source}: memory '{memory}' of {whose} cannot be a limit",
            why="a container has at least 6m, and at most 1024g",
            next="write it such as 512m",
        )


def _check_test_services(
    services: Iterable[TestService], images: list[str], source: str
) -> Iterator[ConfigError]:
    services = list(services)
    names = [service.name for service in services]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield ConfigError(
            f"{source}: two unit-test services are called '{name}'", next="give each its own name"
        )
    for service in services:
        yield from _check_memory(f"the unit-test service '{service.name}'", service.memory, source)
        if service.image in images or _PINNED.fullmatch(service.image):
            continue
        yield ConfigError(
            f"{source}: unit-test service '{service.name}' runs the image '{service.image}', which is "
            "neither an image of this device nor pinned by digest",
            why="a tag can refer to another image tomorrow, and the record must name what ran with the tests",
            next=f"write it as NAME@sha256:…, or: {nearest(service.image, images)}",
        )


def _check_flow(flow: Flow, images: list[str], source: str) -> Iterator[ConfigError]:
    flow_name = f"{source}: the flow from '{flow.source}' to '{flow.to}'"
    if flow.source not in images and flow.to not in images:
        yield ConfigError(
            f"{flow_name} touches no image of the device", next=f"one end must be one of: {', '.join(images)}"
        )
    for end, others in ((flow.source, {"outside"}), (flow.to, {"outside", "dns"})):
        if end in images and end in {"outside", "dns"}:
            yield ConfigError(
                f"{flow_name} is ambiguous: an image is called '{end}'", next="rename the image"
            )
        if end not in images and end not in others and not _is_network(end):
            yield ConfigError(
                f"{flow_name} has the unknown end '{end}'",
                why=nearest(end, images),
                next="name an image, outside, a CIDR, namespace/NAME, or dns as its target",
            )
    if flow.to == "dns" and flow.ports:
        yield ConfigError(
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
