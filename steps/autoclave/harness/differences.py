"""What a stage of tests shows otherwise than the image under test: it may only add to it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from autoclave.store.archive.overlay import Entry, Files

_SHOWN = 50  # differences that a record keeps

# Where package managers keep what is installed: an added package changes it, and no program runs from there.
_BOOKKEEPING = (
    "etc/apk/world",
    "lib/apk/db",
    "usr/lib/sysimage/rpm",
    "var/cache/apk",
    "var/cache/apt",
    "var/cache/debconf",
    "var/cache/dnf",
    "var/cache/ldconfig",
    "var/lib/apt",
    "var/lib/dnf",
    "var/lib/dpkg",
    "var/lib/rpm",
    "var/log/alternatives.log",
    "var/log/apt",
    "var/log/dpkg.log",
)

# What makes released programs load other code, without a change of a released file.
# Files by which the loaders of glibc and musl (ldso/dynlink.c) load other libraries. Not
# etc/ld.so.cache, though it can name some too: any added package writes it where the image has none.
_LOADED_FIRST = re.compile(r"etc/(ld\.so\.preload|ld-musl-[^/]+\.path)")
_LOADERS = frozenset(
    {
        "BASH_ENV",
        "CLASSPATH",
        "DOTNET_STARTUP_HOOKS",
        "ENV",
        "GCONV_PATH",
        "GLIBC_TUNABLES",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "NODE_OPTIONS",
        "NODE_PATH",
        "OPENSSL_CONF",
        "OPENSSL_MODULES",
        "PATH",
        "PERL5LIB",
        "PERL5OPT",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "RUBYLIB",
        "RUBYOPT",
        "_JAVA_OPTIONS",
    }
)
_LOADERS_PREFIX = "LD_"  # every variable of the dynamic loader


def compare_files(released: Files, tested: Files) -> tuple[str, ...]:
    """Return which files of the released image the tests do not see as they are, in words."""
    found: list[str] = []
    gone: set[str] = set()  # below them nothing more is named
    for path, entry in sorted(released.items()):
        if any(path == each or path.startswith(f"{each}/") for each in _BOOKKEEPING):
            continue
        if gone and _parents(path) & gone:
            continue
        now = tested.get(path)
        if now is None or now.kind != entry.kind:
            gone.add(path)
        if now != entry:
            found.append(f"/{path} {_describe(entry, now)}")
    for path in sorted(each for each in tested if each not in released and _LOADED_FIRST.fullmatch(each)):
        found.append(f"/{path} is added, by which all programs load other code")
    if len(found) > _SHOWN:
        found[_SHOWN:] = [f"{len(found) - _SHOWN} more paths"]
    return tuple(found)


def compare_variables(released: Mapping[str, str], tested: Mapping[str, str]) -> tuple[str, ...]:
    """Return which variables the stage sets otherwise; of those that it adds, the ones that load code."""
    changed = [name for name, value in released.items() if tested.get(name) != value]
    added = [name for name in tested if _is_loader(name) and name not in released]
    return tuple(f"the variable {name} has another value" for name in sorted(changed)) + tuple(
        f"the variable {name} is added, by which programs load other code" for name in sorted(added)
    )


def _is_loader(name: str) -> bool:
    return name in _LOADERS or name.startswith(_LOADERS_PREFIX)


def _describe(entry: Entry, now: Entry | None) -> str:
    if now is None:
        return "is removed"
    if now.kind != entry.kind:
        return f"is a {now.kind} instead of a {entry.kind}"
    if now.content != entry.content:
        return "leads elsewhere" if entry.kind == "link" else "has other content"
    if now.owner != entry.owner:
        return f"belongs to {now.owner} instead of {entry.owner}"
    if now.mode != entry.mode:
        return f"has the mode {now.mode:o} instead of {entry.mode:o}"
    return "has other extended attributes"


def _parents(path: str) -> set[str]:
    parts = path.split("/")
    return {"/".join(parts[:count]) for count in range(1, len(parts))}
