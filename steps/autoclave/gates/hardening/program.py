"""Whether a container runs the program that was built, tested and scanned, and no other code."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any

from autoclave.gates.hardening.check import Check, Pod, for_containers
from autoclave.gates.hardening.variables import can_load
from autoclave.model.facts import Severity


def _command(pod: Pod, container: Mapping[str, Any]) -> str:
    if container.get("command"):
        return f"command is {_join(container['command'])}"
    if container.get("workingDir"):  # a program may be named relative to it
        return f"workingDir is {container['workingDir']}"
    started = ((container.get("lifecycle") or {}).get("postStart") or {}).get("exec")
    return f"postStart runs {_join(started.get('command'))}" if started else ""


def _arguments(pod: Pod, container: Mapping[str, Any]) -> str:
    return f"args are {_join(container['args'])}" if container.get("args") else ""


def _join(words: Any) -> str:
    text = " ".join(map(str, words)) if isinstance(words, list) else str(words)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


_LONGEST = 60
_WHOLE = frozenset(
    {"/", "/usr", "/usr/local", "/opt", "/app", "/srv", "/code", "/workspace", "/etc", "/var", "/home"}
)
_BELOW = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/proc", "/sys", "/etc/ld.so.conf.d")
_FILES = frozenset({"/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.cache"})
_FOLDERS = frozenset(
    {"bin", "sbin", "lib", "lib64", "libexec", "site-packages", "dist-packages", "node_modules"}
)
_CODE = re.compile(
    r"\.(py|pyc|pth|js|mjs|cjs|ts|jar|war|class|so(\.\d+)*|sh|rb|php|pl|lua|wasm|dll|exe|elf|beam|r)\Z", re.I
)


def _mounts(pod: Pod, container: Mapping[str, Any]) -> str:
    ours = pod.programs.get(str(container.get("name")), frozenset())
    paths = [str(mount.get("mountPath")) for mount in container.get("volumeMounts") or ()]
    covering = [path for path in paths if _covers_program(path) or _covers(path, ours)]
    return f"a volume covers {', '.join(covering)}" if covering else ""


def list_programs(command: Sequence[str], working_dir: str) -> frozenset[str]:
    """Return the paths at which an image has what it runs, by its entrypoint and command.

    The working directory is one of them where words may be relative to it: a script, a module. Every absolute
    path inside of a word is one: what a shell runs, what an option loads. Whether it is there is not known.
    """
    folder = _normal(working_dir)
    words = [word for word in command[1:] if not word.startswith("-")]
    words += [word for word in command[:1] if "/" in word]  # without a slash it is looked up on PATH
    words += [value for word in command[1:] for value in _RELATIVE.findall(word) if _is_code(value)]
    places = {_normal(posixpath.join(folder, word)) for word in words}
    places |= {_normal(path) for word in command[1:] for path in _find_paths(word)}
    return frozenset(places | ({folder} if any(not word.startswith("/") for word in words) else set()))


_ENDS = r"\s'\"`;,|&<>(){}"
_FILE_URL = re.compile(r"\bfile://(localhost(?=/))?")
_URL = re.compile(rf"\b[A-Za-z][\w+.-]{{0,30}}://[^{_ENDS}]*")
_OUTPUT = re.compile(rf">\s*[^{_ENDS}$]+")
_OPTION = re.compile(rf"(?<![^{_ENDS}])--?(?:D(?=[a-z]))?([\w.-]+)=([^{_ENDS}]*)")
_RELATIVE = re.compile(rf"\A-[\w.-]+=([^{_ENDS}/:][^{_ENDS}:]*)\Z")
_PATH = re.compile(rf"(?:(?<![\w.~%}})!/*?-])|(?<=\A-\w)|(?<=\s-\w))/[^{_ENDS}:!=$\\\[\]*?]*")
_DATA = re.compile(
    r"data|datadir|dbpath|db|database|storage|store|wal|logs?|logfile|logdir|cache|te?mp|te?mpdir|state|pid|pidfile"
    r"|socket|sock|uds|uploads?|output|report|config|conf|cfg|settings|certs?|certfile|certificate|key|keyfile"
    r"|keystore|truststore|ca|cafile|cacert|tls|ssl|secret|token|password|credentials|license"
)
_PART_OF_NAME = re.compile(
    r"dir|directory|path|file|folder|location|additional|tsdb|error|access|worker|client|server|private|public"
    r"|trusted|root|spring|logging|javax|net"
)


def _find_paths(word: str) -> list[str]:
    """Return the absolute paths inside of a word, but for URLs, a shell's output, and data."""
    local = _FILE_URL.sub(" ", word)
    return _PATH.findall(_OPTION.sub(_blank_data, _OUTPUT.sub(" ", _URL.sub(" ", local))))


def _blank_data(option: re.Match[str]) -> str:
    """Leave out an option whose name says that its value is data, unless that is a program by its name."""
    words = [each for each in re.split(r"[._-]", option[1].lower()) if each]
    others = [each for each in words if not _DATA.fullmatch(each)]
    is_data = len(others) < len(words) and all(_PART_OF_NAME.fullmatch(each) for each in others)
    return " " if is_data and not _CODE.search(option[2]) else option[0]


def _is_code(value: str) -> bool:
    return value.startswith(("./", "../")) or _CODE.search(value) is not None


def _covers(path: str, places: frozenset[str]) -> bool:
    path = _normal(path)
    return any(place == path or place.startswith(f"{path}/") for place in places)


def _normal(path: str) -> str:
    return posixpath.normpath("/" + path.lstrip("/"))


def _covers_program(path: str) -> bool:
    """Return whether programs or their libraries are at a path, by the names that they have everywhere."""
    path = _normal(path)
    if path in _WHOLE or path in _FILES or _CODE.search(path):
        return True
    if any(path == each or path.startswith(f"{each}/") for each in _BELOW):
        return True
    return not path.startswith("/var/") and not _FOLDERS.isdisjoint(path.split("/"))


def _loader(pod: Pod, container: Mapping[str, Any]) -> str:
    variables: list[tuple[str, str | None]] = []
    for source in container.get("envFrom") or ():
        data = pod.settings.get(str((source.get("configMapRef") or {}).get("name"))) or {}
        variables += [(f"{source.get('prefix') or ''}{key}", str(value)) for key, value in data.items()]
    known = dict(variables)
    for each in container.get("env") or ():
        name = str(each.get("name"))
        # What comes from elsewhere (`valueFrom`) can be anything.
        value = None if each.get("valueFrom") else _expand(str(each.get("value") or ""), known)
        known[name] = "" if _is_of_pod(each.get("valueFrom")) else value
        variables.append((name, value))
    named = dict.fromkeys(name for name, value in variables if can_load(name, value))
    return f"{', '.join(named)} {'is' if len(named) == 1 else 'are'} set" if named else ""


def _expand(text: str, known: Mapping[str, str | None]) -> str | None:
    """Return a value with what Kubernetes puts into it for `$(NAME)`; None when that is not known."""
    names = [name for name in _REFERENCE.findall(text) if name]
    if any(known.get(name) is None for name in names):
        return None

    def replace(found: re.Match[str]) -> str:
        return (known[found[1]] or "") if found[1] else "$"  # `$$` is a `$`

    return _REFERENCE.sub(replace, text)


_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")


def _is_of_pod(source: Any) -> bool:
    """Return whether a value is an address, a name or a number of the pod: nobody chooses its text."""
    path = str(((source or {}).get("fieldRef") or {}).get("fieldPath") or "")
    return path.startswith(("status.", "metadata.uid")) or bool((source or {}).get("resourceFieldRef"))


_SOURCE = "NIST SP 800-190 4.4.4"

CHECKS: tuple[Check, ...] = (
    Check("AK-COMMAND", Severity.HIGH, "the image's own program runs", _SOURCE, for_containers(_command)),
    Check("AK-LOADER", Severity.HIGH, "no other code is loaded", _SOURCE, for_containers(_loader)),
    Check(
        "AK-PROGRAM-MOUNT", Severity.HIGH, "no volume replaces a program", _SOURCE, for_containers(_mounts)
    ),
    Check(
        "AK-ARGUMENTS",
        Severity.MEDIUM,
        "the program gets its own arguments",
        _SOURCE,
        for_containers(_arguments),
    ),
)
