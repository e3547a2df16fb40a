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


def in_vers(version: str, versions: str) -> bool | None:
    """Return whether a version is in a range of the form `vers:TYPE/…`; None when that cannot be judged."""
    from univers.version_range import VersionRange

    try:
        found: Any = VersionRange.from_string(versions)  # type: ignore[no-untyped-call]
        return found.version_class(version) in found
    except (ValueError, TypeError, AttributeError, NotImplementedError, RecursionError):
        # What univers ends with for ranges that are malformed, or of a kind that it cannot order.
        return None


def is_range(versions: str) -> bool:
    """Return whether the text can be read as versions or a range."""
    return bool(versions) and all(_PART.fullmatch(part.strip()) for part in versions.split(","))


def _is_within(version: str, sign: str, bound: str, kind: str) -> bool:
    parsed = _class(kind)
    if parsed is None:
        return False
    try:
        return bool(_COMPARE[sign](parsed(version), parsed(bound)))
    except (ValueError, TypeError):  # univers' InvalidVersion is a ValueError
        return False


@lru_cache
def _class(kind: str) -> Callable[[str], Any] | None:
    """Return the class of an ecosystem's versions. Imported here: most runs have no waiver."""
    from univers.version_range import RANGE_CLASS_BY_SCHEMES

    found = RANGE_CLASS_BY_SCHEMES.get(kind)
    return found.version_class if found else None
