"""Packages that a database no longer lists, or lists otherwise, while their files are in the image."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from msgspec.structs import replace

from autoclave.inventory.claims import find_claims, find_other_release
from autoclave.inventory.history import History, Kind, State, list_states
from autoclave.inventory.packages import Package, read_dpkg_lists
from autoclave.inventory.rpm import has_form
from autoclave.model.inventory import LostPackage, PackageDatabase

_COPIES = ("COPY", "ADD", "/bin/sh -c #(nop) COPY", "/bin/sh -c #(nop) ADD")
_SETTINGS = "etc/"  # what a removed package may leave
_SYSTEM = ("lib", "usr/lib")
_LIBRARIES = ("libc.so.6", "ld-musl-")


def find_losses(history: History) -> tuple[PackageDatabase, ...]:
    """Return each package database that any layer had, with what is wrong with it."""
    found = [_judge(history, kind, states) for kind, states in list_states(history)]
    if any(each.packages is None or each.packages for each in found):
        return tuple(found)
    library = _find_library(history)
    if library and not found:
        why = "is there, but no package database says of which version: the system's was left out"
        return (PackageDatabase(kind="none", path=library, packages=0, defect=why),)
    if library:
        why = f"lists no package, and the C library of a system is there: {library}"
        return tuple(replace(each, defect=each.defect or why) for each in found)
    return tuple(found)  # a static program next to an empty one, for example


def _judge(history: History, kind: Kind, states: list[State]) -> PackageDatabase:
    last, earlier = states[-1], states[:-1]
    lists = sorted(path for path in last.digests if kind.is_list(path))
    before = sorted({path for state in earlier for path in state.digests if kind.is_list(path)})
    path = next(iter(lists or before or sorted(last.digests)), kind.name)
    owned = _find_owned(history, states)
    found = (
        *_find_lost(history, last, earlier, owned),
        *find_claims(history, last, earlier),
        *find_other_release(history, states),
    )
    lost = tuple(dict.fromkeys(found))
    if kind.name == "dpkg":
        lost += tuple(_find_orphans(history, states, owned, {each.name for each in lost}))
    defect = _explain(history, kind, states, lists)
    if not defect and before and not lists and (lost or kind.name == "rpm"):
        defect = "is missing: a lower layer has it"
    # As scanners count: a package of several architectures is one.
    listed = {(each.name, each.version) for each in last.found.values()}
    packages = None if kind.name == "rpm" else len(listed)
    return PackageDatabase(kind=kind.name, path=path, packages=packages, lost=lost, defect=defect)


def _explain(history: History, kind: Kind, states: list[State], lists: list[str]) -> str:
    """Return why a database cannot be relied on as it is, or an empty string."""
    for path in lists:
        if history.body(path) is None:
            return "cannot be read: it is a link, or larger than 64 MiB"
    if kind.name == "rpm" and lists and not any(has_form(path, history.body(path) or b"") for path in lists):
        return "is not a package database of RPM"
    for below, state in pairwise(states):
        if state.command.startswith(_COPIES):
            changed = [path for path in below.digests if kind.is_list(path) and _differs(path, below, state)]
            if changed:
                return f"was overwritten: {state.command[:200]}"
    return ""


def _differs(path: str, below: State, state: State) -> bool:
    return state.digests.get(path, "") != below.digests[path]


def _find_lost(history: History, last: State, earlier: list[State], owned: set[str]) -> Iterator[LostPackage]:
    """Yield each package that any lower layer listed and that is lost, as often as one did.

    All of them are judged, not the newest alone: one layer may spoil what a later one compares with.
    """
    now: dict[str, list[Package]] = {}
    for each in last.found.values():
        now.setdefault(each.name, []).append(each)
    present = {entry.content for entry in history.files.values()} if earlier else set()
    for state in earlier:
        for package in state.found.values():
            why = ""
            there = now.get(package.name, [])
            if not there:
                if _is_left(history, package, state, owned, present):
                    why = "a lower layer lists it, and its files are still there"
            elif changed := _find_changed(package, there):
                why = f"its source is now given as '{changed.source}', at the same version"
            elif package.version not in {each.version for each in there}:
                files = {*package.files, *(path for each in there for path in each.files)}
                if _is_untouched(history, files, state):
                    why = f"version {there[0].version} is listed now, but none of its files was replaced"
            if why:
                yield LostPackage(name=package.name, version=package.version, why=why)


def _find_changed(package: Package, there: list[Package]) -> Package | None:
    """Return the same version of a package with another source, when none has the source that it had."""
    same = [each for each in there if each.version == package.version]
    return same[0] if same and package.source not in {each.source for each in same} else None


def _is_left(history: History, package: Package, state: State, owned: set[str], present: set[str]) -> bool:
    """Return whether files that a package had in a layer are still there, and nobody else's."""
    had = [path for path in package.files if path in state.contents and not path.startswith(_SETTINGS)]
    left = [
        (path, there) for path in had if (there := history.find(path)) is not None and there[0] not in owned
    ]
    if any(there[1].content == state.contents[path] for path, there in left):
        return True
    programs = {state.contents[path] for path in had} & history.programs.keys()
    return bool(programs & present) or (bool(left) and 2 * len(left) >= len(had))


def _is_untouched(history: History, files: set[str], state: State) -> bool:
    there = [found[0] for path in files if (found := history.find(path)) is not None]
    return bool(there) and all(history.written.get(path, 0) <= state.layer for path in there)


def _find_orphans(
    history: History, states: list[State], owned: set[str], reported: set[str]
) -> Iterator[LostPackage]:
    """Yield packages of which a layer has dpkg's list of files, with files of it, but no layer the entry."""
    *earlier, last = states
    listed = {each.name for state in earlier for each in state.found.values()}  # and judged by that
    done = {each.name for each in last.found.values()} | reported
    read: set[tuple[str, str]] = set()
    for state in reversed(states):
        fresh = state.digests.items() - read
        read |= fresh
        bodies = {path: body for path, digest in fresh if (body := history.bodies.get(digest)) is not None}
        for package in read_dpkg_lists(bodies).values():
            if package.name in done or (state is not last and package.name in listed):
                continue
            left = [
                path
                for path in package.files
                if not path.startswith(_SETTINGS) and (there := history.find(path)) and there[0] not in owned
            ]
            if left:
                done.add(package.name)
                where = "is there" if state is last else "is in a lower layer"
                why = f"the list of its files {where}, and {len(left)} of them are"
                yield LostPackage(name=package.name, version="", why=why)


def _find_owned(history: History, states: list[State]) -> set[str]:
    """Return the files of the packages that are listed now.

    A package takes a file over by installing its own: a list that names one which was there before is not
    enough. What the lowest layer with a database lists is taken as it is.
    """
    since: dict[str, dict[str, int]] = {}
    before: dict[str, Package] = {}
    for state in states:
        layer = state.layer if state is not states[0] else 0
        for key, each in state.found.items():
            if before.get(key) != each:
                first = since.setdefault(each.name, {})
                for path in each.files:
                    first.setdefault(path, layer)
        before = state.found
    return {
        there[0]
        for each in states[-1].found.values()
        for path in each.files
        if (there := history.find(path)) and history.written.get(there[0], 0) >= since[each.name][path]
    }


def _find_library(history: History) -> str:
    """Return where the image has the C library of a distribution, or an empty string."""
    for path in history.files:
        if path.startswith(_SYSTEM) and path.rpartition("/")[2].startswith(_LIBRARIES):
            return path
    return ""
