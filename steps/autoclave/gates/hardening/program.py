"""Whether a container runs the program that was built, tested and scanned, and no other code."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any

from autoclave.gates.hardening.check import Check, Pod, for_containers
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

    The working directory is one of them where words may be relative to it: a script, a module.
    """
    folder = _normal(working_dir)
    words = [word for word in command[1:] if not word.startswith("-")]
    words += [word for word in command[:1] if "/" in word]  # without a slash it is looked up on PATH
    places = {posixpath.normpath(posixpath.join(folder, word)) for word in words}
    return frozenset(places | ({folder} if any(not word.startswith("/") for word in words) else set()))


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


_ALWAYS = ""
_AGENT = r"-javaagent|-agentpath|-agentlib|-Xbootclasspath|-cp\b|-classpath|(^|\s)@"
_LOADED: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "GCONV_PATH", "PATH", "BASH_ENV",
            "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP",
            "NODE_PATH", "CLASSPATH", "RUBYLIB", "PERL5LIB", "PERL5DB",
            "DOTNET_STARTUP_HOOKS", "CORECLR_PROFILER_PATH", "PHPRC", "PHP_INI_SCAN_DIR",
        ),
        _ALWAYS,
    ),
    **dict.fromkeys(("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "JAVA_OPTS"), _AGENT),
    "NODE_OPTIONS": r"-r\b|--require|--import|--loader|--experimental-loader",
    "RUBYOPT": r"-r|-I",
    "PERL5OPT": r"-[MmI]",
}  # fmt: skip
"""Variables by which other code is loaded, and which values of them do; all values where nothing is named."""


def _loader(pod: Pod, container: Mapping[str, Any]) -> str:
    # What comes from elsewhere (`valueFrom`) can be anything.
    variables = [
        (str(each.get("name")), None if each.get("valueFrom") else str(each.get("value") or ""))
        for each in container.get("env") or ()
    ]
    for source in container.get("envFrom") or ():
        data = pod.settings.get(str((source.get("configMapRef") or {}).get("name"))) or {}
        variables += [(f"{source.get('prefix') or ''}{key}", str(value)) for key, value in data.items()]
    named = [
        name
        for name, value in variables
        if name in _LOADED and (value is None or re.search(_LOADED[name], value))
    ]
    return f"{', '.join(named)} {'is' if len(named) == 1 else 'are'} set" if named else ""


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
