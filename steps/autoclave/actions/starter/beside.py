"""What runs beside the tests: services of compose files, as `[[unit-test.service]]`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from autoclave.actions.starter import texts
from autoclave.actions.starter.facts import ComposeService
from autoclave.actions.starter.images import Image

_PINNED = re.compile(r"[a-z0-9][a-zA-Z0-9._:/-]{0,255}@sha256:[0-9a-f]{64}")
_TOOLS = re.compile(
    r"adminer|pgadmin|mongo-express|phpmyadmin|traefik|nginx|caddy|grafana|prometheus|jaeger|mailhog"
)


class _Known(Struct, frozen=True):
    """A service that many devices have: its health check, its user, folders that it writes."""

    health: tuple[str, ...]
    user: str = ""
    scratch: tuple[str, ...] = ()


_KNOWN: Mapping[str, _Known] = {
    "postgres": _Known(("pg_isready", "--quiet", "--host=127.0.0.1"), "999", ("/var/run/postgresql",)),
    "mongo": _Known(("mongosh", "--quiet", "--eval", "db.runCommand('ping')"), "999", ("/tmp",)),  # noqa: S108
    "mysql": _Known(("mysqladmin", "ping", "--silent"), "999", ("/var/run/mysqld", "/tmp")),  # noqa: S108
    "mariadb": _Known(
        ("healthcheck.sh", "--connect", "--innodb_initialized"),
        "999",
        ("/run/mysqld", "/tmp"),  # noqa: S108
    ),
    "redis": _Known(("redis-cli", "ping"), "999"),
    "valkey": _Known(("valkey-cli", "ping"), "999"),
    "rabbitmq": _Known(("rabbitmq-diagnostics", "--quiet", "ping"), "999"),
}
"""As the images of these names are on Docker Hub (their Dockerfiles: USER, VOLUME, exec of gosu)."""


class Beside(Struct, frozen=True, kw_only=True):
    """A service beside the tests. It is active when it can be written as it is, else a comment.

    `image` is an image of the device, or a reference; `hidden` are variables whose values were left out.
    """

    name: str
    image: str
    source: str
    is_active: bool
    health: tuple[str, ...] = ()
    user: str = ""
    scratch: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    hidden: tuple[str, ...] = ()


def find(image: Image, images: Sequence[Image], services: Iterable[ComposeService]) -> tuple[Beside, ...]:
    """Return what the tests of an image need beside them: what its service in a compose file depends on."""
    by_name: dict[str, ComposeService] = {}
    for each in services:
        by_name.setdefault(each.name, each)
    own = {each.name for each in image.services}
    wanted: list[str] = [name for each in image.services for name in each.needs]
    if not wanted and own:
        wanted = [
            name for name, each in by_name.items() if each.image and not each.context and _is_store(each)
        ]
    found: dict[str, Beside] = {}
    for name in wanted:
        service = by_name.get(name)
        made = _beside(service, images) if service and name not in own else None
        if made:
            found.setdefault(made.name, made)
    return tuple(found.values())


def _is_store(service: ComposeService) -> bool:
    return _known(service.image) is not None


def _beside(service: ComposeService, images: Sequence[Image]) -> Beside | None:
    ours = next((each for each in images if service in each.services), None)
    if ours is None and (not service.image or _TOOLS.search(service.image)):
        return None
    known = None if ours else _known(service.image)
    health = service.health.command if service.health else known.health if known else ()
    has_health = bool(health) or (
        ours is not None and any(each.has_health for each in ours.file.chain(ours.stage))
    )
    return Beside(
        name=texts.to_name(service.name),
        image=ours.name if ours else service.image,
        source=service.source,
        is_active=has_health and not service.hidden and bool(ours or _PINNED.fullmatch(service.image)),
        health=health,
        user=known.user if known else "",
        scratch=known.scratch if known else (),
        environment=service.environment,
        hidden=service.hidden,
    )


def _known(image: str) -> _Known | None:
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return _KNOWN.get(name)
