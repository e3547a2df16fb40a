"""Group components by where they come from, so that a register has entries that one person can review.

A distribution's packages, a maker's, those of one npm scope, Go owner or Java group, and what is left of a
registry: each is one entry, with a pattern, or one for each first number of a version where versions must be
named.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from autoclave.actions.soup_origins import ORIGINS, Origin
from autoclave.gates.soup import identity
from autoclave.model.declared import Component

FEW = 12
"""So many packages of a registry, at most, have an entry each."""

_BEGINNING = re.compile(r"[^0-9*?\[]*[0-9]+")
_REGISTRIES = {
    "npm": ("npm packages", "https://www.npmjs.com"),
    "golang": ("Go modules", "https://pkg.go.dev"),
    "pypi": ("Python packages", "https://pypi.org"),
    "maven": ("Java libraries", "https://central.sonatype.com"),
    "nuget": (".NET packages", "https://www.nuget.org"),
    "cargo": ("Rust crates", "https://crates.io"),
    "gem": ("Ruby gems", "https://rubygems.org"),
    "composer": ("PHP packages", "https://packagist.org"),
}


class Group(Struct, frozen=True, kw_only=True):
    """Components for which one entry is proposed; `is_open` when its pattern also matches other packages."""

    title: str
    component: str
    version: str
    members: tuple[Component, ...]
    origin: Origin | None = None
    home: str = ""
    is_open: bool = False


def group(components: Sequence[Component], *, named: bool) -> list[Group]:
    """Return the groups of components, the specific ones first; with `named`, each names a version."""
    found: list[Group] = []
    left = list(components)
    for pick in (_by_distribution, _by_origin, _by_owner):
        chosen: dict[tuple[str, str], list[Component]] = defaultdict(list)
        rest = []
        for each in left:
            key = pick(each)
            chosen[key].append(each) if key else rest.append(each)
        for (title, pattern), members in chosen.items():
            if pick is _by_owner and len(members) == 1:
                rest += members
            else:
                found += _split(title, pattern, members, named=named and pick is not _by_distribution)
        left = rest
    return [*found, *_by_registry(left, named=named)]


def _by_distribution(component: Component) -> tuple[str, str] | None:
    """Return the packages of a distribution: who maintains it answers for all of them."""
    name = identity(component)
    if not component.distro or not name.startswith("pkg:"):
        return None
    return component.distro, "/".join(name.split("/")[:2]) + "/*"


def _by_origin(component: Component) -> tuple[str, str] | None:
    origin = find_origin(identity(component))
    return (origin.title, origin.pattern) if origin and "*" in origin.pattern else None


def _by_owner(component: Component) -> tuple[str, str] | None:
    """Return the npm scope, the owner of a Go module, or the group of a Java library; None without one."""
    kind, _, rest = identity(component).partition("/")
    parts = rest.split("/")
    if kind == "pkg:npm" and rest.startswith("%40") and len(parts) == 2:
        return f"@{parts[0].removeprefix('%40')} (npm)", f"{kind}/{parts[0]}/*"
    if kind == "pkg:golang" and len(parts) >= 3:
        return f"{parts[0]}/{parts[1]} (Go)", f"{kind}/{parts[0]}/{parts[1]}/*"
    if kind in {"pkg:maven", "pkg:composer"} and len(parts) == 2:
        return f"{parts[0]} ({kind.removeprefix('pkg:')})", f"{kind}/{parts[0]}/*"
    return None


def _by_registry(components: Sequence[Component], *, named: bool) -> list[Group]:
    """Return what is left: few packages one by one, many of a registry together."""
    kinds: dict[str, list[Component]] = defaultdict(list)
    for each in components:
        name = identity(each)
        kinds[name.partition("/")[0] if name.startswith("pkg:") else ""].append(each)
    found = []
    for kind, members in kinds.items():
        title, home = _REGISTRIES.get(kind.removeprefix("pkg:"), (kind, ""))
        if kind and len(members) > FEW:
            found += _split(title, f"{kind}/*", members, named=named, home=home)
        else:
            found += [_single(each) for each in members]
    return sorted(found, key=lambda each: each.is_open)


def _single(component: Component) -> Group:
    name = identity(component)
    return Group(
        title=component.name,
        component=_escape(name),
        version=_escape(component.version) or "*",
        members=(component,),
        origin=find_origin(name),
    )


def _split(
    title: str, pattern: str, members: Sequence[Component], *, named: bool, home: str = ""
) -> list[Group]:
    """Return one group, or one for each beginning of a version, as `2.*`, when a version must be named."""
    origin = next((each for each in ORIGINS if each.pattern == pattern), None)
    make = _version_of_distribution if members[0].distro else (_beginning if named else _any)
    versions: dict[str, list[Component]] = defaultdict(list)
    for each in members:
        versions[make(each)].append(each)
    return [
        Group(
            title=_name(origin.title if origin else title, version, members[0], one=len(versions) == 1),
            component=pattern,
            version=version,
            members=tuple(those),
            origin=origin,
            home=home,
            is_open=True,
        )
        for version, those in sorted(versions.items())
    ]


def _name(title: str, version: str, example: Component, *, one: bool) -> str:
    if example.distro:
        number = version.partition("-")[2].rstrip("*")
        return f"{title} {number}" if number and title != example.distro else title
    return title if one and version == "*" else f"{title}, {version}"


def _version_of_distribution(component: Component) -> str:
    """Return the distribution without its last number: a point release is the same distribution."""
    name, _, number = component.distro.partition("-")
    parts = number.split(".")
    kept = parts[:1] if name == "debian" else parts[:2]
    return f"{name}-{'.'.join(kept)}*" if number else f"{name}*"


def _beginning(component: Component) -> str:
    """Return the beginning of a version up to its first number, `2.*`; the version itself without more."""
    found = _BEGINNING.match(component.version)
    if found and component.version.startswith(f"{found[0]}."):
        return f"{found[0]}.*"
    return _escape(component.version) or "*"


def _escape(text: str) -> str:
    """Return a text that matches itself alone: what an image calls a component must not match others."""
    return re.sub(r"([*?\[])", r"[\1]", text)


def _any(component: Component) -> str:
    return "*"


def find_origin(name: str) -> Origin | None:
    """Return the well-known maker of a package, by its package URL without version; None when it is none."""
    is_known: Callable[[Origin], bool] = lambda each: fnmatchcase(name, each.pattern)  # noqa: E731
    return next(filter(is_known, ORIGINS), None)
