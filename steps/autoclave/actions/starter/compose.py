"""What a compose file says: services with their build, image, ports, environment and health check.

Read in the Compose Specification (compose-spec.io: build, ports, environment, healthcheck). Neither `extends`
nor `include` nor variables are followed: what depends on them is left out.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from autoclave.actions.starter import dockerfile, texts
from autoclave.actions.starter.facts import ComposeService, Healthcheck
from autoclave.actions.starter.repository import join
from autoclave.model.text import is_line

PATTERNS = (
    *("compose.yaml", "compose.yml", "compose.*.yaml", "compose.*.yml", "docker-compose.yaml"),
    *("docker-compose.yml", "docker-compose.*.yaml", "docker-compose.*.yml", "docker-compose-*.yml"),
)
_MOST = 100  # services of a file, and entries of one list
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_SECRET = re.compile(r"(?i)pass|secret|token|key|credential|pwd|private|auth|dsn|cert")
_GIVEN = re.compile(r"(?i)(?:pass|secret|token|key|pwd)[\w-]{0,50}[\"']?(?:[=:]| ) ?\S")
_LOGIN = re.compile(r"://[^/\s@]*:[^/\s@]*@")
_MOST_WORDS = 50  # of a command
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,300}")
_PORT = re.compile(r"(?:(?:[0-9.]+:)?(?P<published>[0-9]{1,5}):)?(?P<target>[0-9]{1,5})(?:/tcp)?")


def read(text: str, path: str) -> tuple[ComposeService, ...]:
    """Return the services of a compose file. Raises ConfigError when it is not YAML that can be used."""
    services = texts.table(texts.parse_yaml(text, path), "services")
    named = [(name, value) for name, value in services.items() if texts.to_name(name)][:_MOST]
    return tuple(_service(name, value, path) for name, value in named if isinstance(value, Mapping))


def _service(name: str, data: Mapping[str, Any], path: str) -> ComposeService:
    home = posixpath.dirname(path) or "."
    build = data.get("build")
    context, dockerfile_path, target, args = _build(build, home)
    _, of_build = _environment(build.get("args") if isinstance(build, Mapping) else None)
    environment, hidden = _environment(data.get("environment"))
    published = dict(_ports(data.get("ports")))
    exposed = [port for port in map(_number, _list(data.get("expose"))) if port]
    return ComposeService(
        name=name[:100],
        source=path,
        image=_match(_IMAGE, data.get("image")),
        context=context,
        dockerfile=dockerfile_path,
        target=target,
        args=args,
        ports=tuple(dict.fromkeys([*published, *exposed])),
        published={target: host for target, host in published.items() if host},
        environment=environment,
        hidden=(*hidden, *of_build),
        health=_health(data.get("healthcheck")),
        command=_words(data.get("command")),
        needs=tuple(name for name in _names(data.get("depends_on")) if texts.to_name(name)),
    )


def _build(build: object, home: str) -> tuple[str, str, str, dict[str, str]]:
    """Return context and Dockerfile as paths in the repository, the stage, and the arguments."""
    if isinstance(build, str):
        build = {"context": build}
    if not isinstance(build, Mapping):
        return "", "", "", {}
    written = build.get("context", ".")
    context = join(home, written) if _is_path(written) else ""
    name = build.get("dockerfile", "Dockerfile")
    args, _ = _environment(build.get("args"))
    target = texts.word(build, "target")
    return (context, join(context, name), target, args) if context and _is_path(name) else ("", "", "", {})


def _is_path(written: object) -> bool:
    return isinstance(written, str) and is_line(written) and not set("$:\\") & set(written)


def _environment(data: object) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the variables with plain values, and the names of those that look like secrets."""
    pairs: list[tuple[str, object]] = []
    if isinstance(data, Mapping):
        pairs = list(data.items())
    elif isinstance(data, list):
        pairs = [(name, value) for name, sign, value in (str(each).partition("=") for each in data) if sign]
    plain: dict[str, str] = {}
    hidden = []
    for name, value in pairs[:_MOST]:
        if not _VARIABLE.fullmatch(name) or isinstance(value, list | Mapping) or value is None:
            continue
        written = str(value).lower() if isinstance(value, bool) else str(value)
        if _SECRET.search(name) or _LOGIN.search(written):
            hidden.append(name)
        elif "$" not in written and is_line(written) and len(written) <= 500:
            plain[name] = written
    return plain, tuple(hidden)


def _ports(data: object) -> list[tuple[int, int]]:
    """Return the container's ports, each with the one of this machine, or 0."""
    found = []
    for each in _list(data):
        if isinstance(each, Mapping):
            if str(each.get("protocol", "tcp")) == "tcp" and (target := _number(each.get("target"))):
                found.append((target, _number(each.get("published"))))
            continue
        seen = _PORT.fullmatch(str(each))
        if seen and (target := _number(seen["target"])):
            found.append((target, _number(seen["published"])))
    return found


def _number(value: object) -> int:
    written = str(value)
    return int(written) if re.fullmatch(r"[0-9]{1,5}", written) and 0 < int(written) < 65_536 else 0


def _health(data: object) -> Healthcheck | None:
    if not isinstance(data, Mapping) or data.get("disable") is True:
        return None
    test = data.get("test")
    command: tuple[str, ...] = ()
    if isinstance(test, str):
        command = ("sh", "-c", test)
    elif isinstance(test, list) and test and all(isinstance(each, str) for each in test):
        first, *rest = test
        command = tuple(rest) if first == "CMD" else ("sh", "-c", *rest[:1]) if first == "CMD-SHELL" else ()
    if not command or not all(is_line(each) and len(each) <= 500 for each in command) or _tells(command):
        return None
    return dockerfile.health_of(command)


def _words(data: object) -> tuple[str, ...]:
    """Return the words of a command; none when one of them depends on a variable, or does not print."""
    if isinstance(data, str):
        try:
            data = shlex.split(data[:2000])
        except ValueError:
            return ()
    words = tuple(str(each) for each in _list(data)[:_MOST_WORDS])
    plain = all(is_line(each) and "$" not in each and len(each) <= 500 for each in words)
    return words if plain and not _tells(words) else ()


def _tells(words: Iterable[str]) -> bool:
    """Return whether a command seems to have a secret among its words."""
    said = " ".join(words)
    return bool(_GIVEN.search(said) or _LOGIN.search(said))


def _names(data: object) -> list[str]:
    return [str(each) for each in (list(data) if isinstance(data, Mapping) else _list(data))]


def _list(data: object) -> list[Any]:
    return list(data)[:_MOST] if isinstance(data, list) else []


def _match(pattern: re.Pattern[str], value: object) -> str:
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""
