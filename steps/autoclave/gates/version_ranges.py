"""Is a version of a package in a range? By the rules of its ecosystem, as the package URL names it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from autoclave.model.purl import type_of

_PART = re.compile(r"(<=|>=|<|>|=)?\s*([^\s,<>=]+)")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def in_range(version: str, versions: str, purl: str) -> bool:
    """Return whether a version is one of `versions`: exact versions, or bounds that must all be met.

    `1.2, 1.3` are two versions; `>=1.0, <2.10.1` is a range. A version that its ecosystem cannot order, or an
    ecosystem that is not known, is in no range.
    """
    parts = [_PART.fullmatch(part.strip()) for part in versions.split(",")]
    if not version or not all(parts):
        return False
    split = [(part[1] or "=", part[2]) for part in parts if part]
    exact = [bound for sign, bound in split if sign == "="]
    bounds = [(sign, bound) for sign, bound in split if sign != "="]
    if version in exact:
        return True
    return bool(bounds) and all(_is_within(version, sign, bound, type_of(purl)) for sign, bound in bounds)


def in_vers(version: str, versions: str, purl: str) -> bool | None:
    """Return whether a package's version is in a range `vers:TYPE/…`; None when that cannot be judged.

    Nor can it by the rules of another ecosystem than the package's: each orders versions in its own way.
    """
    found = _read_vers(versions)
    if found is None or not version or not _is_of(found, type_of(purl)):
        return None
    try:
        return bool(found.version_class(version) in found)
    except _failures():
        return None


def is_open(versions: str) -> bool:
    """Return whether a range `vers:TYPE/…` has all versions in it, but for single ones that it excludes."""
    found = _read_vers(versions)
    if found is None or found.scheme == "none":
        return False
    rest = [each for each in found.constraints if each.comparator != "!="]
    if found.scheme == "all" or not rest or any(each.comparator == "*" for each in rest):
        return True
    (first, *others) = rest
    from_zero = first.comparator in {">", ">="} and re.fullmatch(r"0(\.0)*", first.version.string)
    return bool(from_zero) and not others


def is_range(versions: str) -> bool:
    """Return whether the text can be read as versions or a range."""
    return bool(versions) and all(_PART.fullmatch(part.strip()) for part in versions.split(","))


def _is_within(version: str, sign: str, bound: str, kind: str) -> bool:
    parsed = _class(kind)
    if parsed is None:
        return False
    try:
        return bool(_COMPARE[sign](parsed(version), parsed(bound)))
    except _failures():
        return False


def _read_vers(versions: str) -> Any:
    """Return a range as univers has it; None when it is malformed or of an unknown kind."""
    from univers.version_range import VersionRange

    try:
        return VersionRange.from_string(versions)  # type: ignore[no-untyped-call]
    except _failures():
        return None


def _is_of(found: Any, kind: str) -> bool:
    """Return whether a range is by the rules of a type of packages, or the type has none of its own."""
    from univers.version_range import RANGE_CLASS_BY_SCHEMES

    own = RANGE_CLASS_BY_SCHEMES.get(kind)
    return kind == "generic" or own is None or type(found) is own


@lru_cache
def _failures() -> tuple[type[Exception], ...]:
    """Return all that univers ends with for a version or a range that it cannot read or order.

    Its own classes have no common base, and four of them are plain exceptions; what it passes on of Python's
    is by experiment with random texts of all ecosystems.
    """
    from univers.conan.errors import ConanException
    from univers.nuget import InvalidNuGetVersion
    from univers.version_constraint import InvalidConstraintsError
    from univers.version_range import InvalidVersionRange

    own = (ConanException, InvalidNuGetVersion, InvalidConstraintsError, InvalidVersionRange)
    return (*own, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError)


@lru_cache
def _class(kind: str) -> Callable[[str], Any] | None:
    """Return the class of an ecosystem's versions. Imported here: most runs have no waiver."""
    from univers.version_range import RANGE_CLASS_BY_SCHEMES

    found = RANGE_CLASS_BY_SCHEMES.get(kind)
    return found.version_class if found else None
