"""Files that a package's list names and that the package did not install.

Scanners leave out packages of languages whose files belong to the system's packages: the distribution's
advisories are about those. An edited list of files hides them.
"""

from __future__ import annotations

from collections.abc import Iterator

from autoclave.inventory.history import History, State
from autoclave.model.inventory import LostPackage

_METADATA = (
    "/METADATA", "/PKG-INFO", ".egg-info", "/package.json", ".gemspec", ".jar", ".war", ".ear", ".deps.json",
    "/installed.json",
)  # fmt: skip
# Where packages install (Filesystem Hierarchy Standard 3.0): never in /usr/local.
_SYSTEM = ("usr/", "lib", "etc/", "var/", "bin/", "sbin/", "boot/", "opt/")
_LOCAL = "usr/local/"


def find_claims(history: History, last: State, earlier: list[State]) -> Iterator[LostPackage]:
    """Yield each package of which the list of files names another's: by its place, or since a lower layer."""
    known: dict[tuple[str, str], set[str]] = {}
    for state in earlier:  # the lowest layer that has it counts: a later one may have been edited already
        for key, each in state.found.items():
            if (key, each.version) not in known:
                known[key, each.version] = set(each.files)
    for key, package in last.found.items():
        before = known.get((key, package.version))
        for path in package.files:
            added = before is not None and path not in before
            if path.endswith(_METADATA) and (added or _is_elsewhere(path)) and history.find(path):
                why = f"the list of its files names {path}, which it did not install"
                yield LostPackage(name=package.name, version=package.version, why=why)
                break


def _is_elsewhere(path: str) -> bool:
    return path.startswith(_LOCAL) or not path.startswith(_SYSTEM)


_RELEASES = frozenset({
    "etc/alpine-release", "etc/debian_version", "etc/lsb-release", "etc/os-release", "usr/lib/os-release",
})  # fmt: skip


def find_other_release(history: History, states: list[State]) -> Iterator[LostPackage]:
    """Yield a package whose file says which release the system is, when it says another now.

    Scanners look for the advisories of that release. A package that is upgraded changes it, too.
    """
    last = {each.name: each.version for each in states[-1].found.values()}
    for state in states:
        for package in state.found.values():
            if last.get(package.name) != package.version:
                continue
            for path in _RELEASES.intersection(package.files):
                there = history.find(path)
                if path in state.contents and (there is None or there[1].content != state.contents[path]):
                    why = f"its file {path} was edited or removed: by it scanners know the release"
                    yield LostPackage(name=package.name, version=package.version, why=why)
                    return
