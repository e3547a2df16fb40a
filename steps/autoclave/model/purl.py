"""Package URLs, read by the field's own library, and whether a general one is about a specific one.

Sources: the package URL specification (ECMA-427); OpenVEX's comparison, `PurlMatches` in go-vex 0.2.7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packageurl import PackageURL

_LONGEST = 4096
_EPOCH = re.compile(r"([0-9]+):(.+)")
_WITH_EPOCH = frozenset({"deb", "rpm", "alpm"})


@lru_cache(maxsize=8192)
def parse(text: str) -> PackageURL | None:
    """Return a package URL by its parts; None for what is not one.

    A character that is not printed is refused: the library leaves line ends and tabs out, so that another
    text would have the parts of this one. So is a `/` inside a name, which would be read as a namespace.
    """
    from packageurl import PackageURL  # here: most commands never read one

    if not text.startswith("pkg:") or len(text) > _LONGEST or not text.isprintable():
        return None
    try:
        found = PackageURL.from_string(text)
    except ValueError:
        return None
    return None if "/" in found.name else found


def package_of(text: str) -> str:
    """Return what a package URL names, in canonical spelling, without version; empty when it is not one."""
    found = parse(text)
    if found is None:
        return ""
    return found._replace(version=None, qualifiers={}, subpath=None).to_string()


def version_of(text: str) -> str:
    """Return the version in a package URL, decoded; empty without one."""
    found = parse(text)
    return (found.version or "") if found else ""


def type_of(text: str) -> str:
    """Return the type of a package URL (`pypi`, `deb`); empty when it is not one."""
    found = parse(text)
    return found.type if found else ""


def qualifier_of(text: str, name: str) -> str:
    """Return a qualifier of a package URL, decoded; empty without it."""
    found = parse(text)
    return found.qualifiers.get(name, "") if found else ""


def is_listed(text: str, patterns: Iterable[str]) -> bool:
    """Return whether the package of a package URL is one of those that the patterns name (`*`: anything)."""
    from packageurl import unquote

    package = package_of(text)
    spellings = {package, unquote(package)}  # a person writes @scope, the canonical spelling is %40scope
    return bool(package) and any(
        package_of(each) == package if "*" not in each else any(fnmatchcase(one, each) for one in spellings)
        for each in patterns
    )


def covers(general: str, specific: str) -> bool:
    """Return whether a package URL is about what a more specific one names.

    Type, namespace and name must be equal, and version and qualifiers where the general one has them. An
    epoch may be written in the version or as a qualifier; `distro=debian-12` includes `debian-12.5`.
    """
    one, other = parse(general), parse(specific)
    if (
        one is None
        or other is None
        or (one.type, one.namespace, one.name)
        != (
            other.type,
            other.namespace,
            other.name,
        )
    ):
        return False
    epoch, version = _split_epoch(one)
    if version and (version != _split_epoch(other)[1] or epoch not in {"", _split_epoch(other)[0]}):
        return False
    if one.subpath and one.subpath != other.subpath:
        return False
    return all(
        _has_qualifier(name, value, other.qualifiers)
        for name, value in one.qualifiers.items()
        if name != "epoch"
    )


def _has_qualifier(name: str, value: str, qualifiers: dict[str, str]) -> bool:
    found = qualifiers.get(name, "")
    return found == value or (name == "distro" and found.startswith(f"{value}."))


def _split_epoch(purl: PackageURL) -> tuple[str, str]:
    """Return epoch and version: Trivy writes the epoch as a qualifier, Syft and Grype in the version."""
    version = purl.version or ""
    written = _EPOCH.fullmatch(version) if purl.type in _WITH_EPOCH else None
    epoch, version = (written[1], written[2]) if written else (purl.qualifiers.get("epoch", ""), version)
    return epoch.lstrip("0"), version


def write(kind: str, name: str, version: str) -> str:
    """Return the package URL of a thing without namespace."""
    from packageurl import PackageURL

    return PackageURL(kind, None, name, version).to_string()


def spellings(text: str) -> tuple[str, ...]:
    """Return the package URLs, without qualifiers, by which scanners name this version of a package.

    The epoch is in the version (Syft, Grype) or not (Trivy); Go's versions have a `v` or not.
    """
    found = parse(text)
    if found is None:
        return ()
    epoch, version = _split_epoch(found)
    versions = [version]
    if epoch and found.type in _WITH_EPOCH:
        versions.append(f"{epoch}:{version}")
    if found.type == "golang":
        versions.append(version.removeprefix("v") if version.startswith("v") else f"v{version}")
    return tuple(found._replace(version=each, qualifiers={}, subpath=None).to_string() for each in versions)


def with_version(text: str, version: str) -> str:
    """Return a package URL with a version; empty when it is not one, or names another version."""
    found = parse(text)
    if found is None or found.version not in {None, "", version}:
        return ""
    return found._replace(version=version).to_string()
