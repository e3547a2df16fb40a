"""The SOUP gate: does the register have every component of the image (IEC 62304 8.1.2, 7.1.3)?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from fnmatch import fnmatchcase

from msgspec import Struct

from autoclave.model.declared import Component, SoupEntry
from autoclave.model.purl import is_listed, package_of
from autoclave.policy.schema import SoupPolicy

_SHOWN = 8
_PATTERN = re.compile(r"[*?\[]")
# A version as it is written, or the beginning of one: with a digit before the first wildcard.
_NAMED = re.compile(r"[^*?\[]+|(?=[^*?\[]*[0-9])[^*?\[]+[*?\[].*")


class Match(Struct, frozen=True):
    """One component and its entry in the register; `changed` is one for another version, without it."""

    component: Component
    entry: SoupEntry | None
    changed: SoupEntry | None = None


def match_components(components: Sequence[Component], register: Sequence[SoupEntry]) -> tuple[Match, ...]:
    """Return each component with the first entry of the register that matches it."""
    exact: dict[str, list[SoupEntry]] = {}
    for entry in register:
        if not _PATTERN.search(entry.component):
            exact.setdefault(package_of(entry.component) or entry.component, []).append(entry)
    patterns = [entry for entry in register if _PATTERN.search(entry.component)]
    return tuple(_match(each, exact, patterns) for each in components)


def judge(
    components: Sequence[Component], register: Sequence[SoupEntry] | None, policy: SoupPolicy, today: date
) -> tuple[str, ...]:
    """Judge the register against the components of one image."""
    if register is None:
        if not policy.demanded:
            return ()
        return (
            "the device names no SOUP register, which the policy demands: "
            "'autoclave soup' drafts one from the SBOM",
        )
    if not components:
        return ("the SBOM names no component, so the SOUP register cannot be judged",)
    found = match_components(components, register)
    used = {id(each.entry): each.entry for each in found if each.entry}
    reasons = [_missing_reason(found)] if policy.demanded else []
    reasons += [
        f"SOUP register: {entry.title}: {why}"
        for entry in used.values()
        if (why := defect(entry, policy, today))
    ]
    return tuple(filter(None, reasons))


def defect(entry: SoupEntry, policy: SoupPolicy, today: date) -> str:
    """Return why an entry does not count for its components, or an empty string."""
    for name, text in (("manufacturer", entry.manufacturer), ("why", entry.why)):
        if not text.strip():
            return f"'{name}' is not filled in"
    if policy.versions and not _NAMED.fullmatch(entry.version):
        return (
            f"its version '{entry.version}' is for any version, the policy demands that one is named "
            "(2.10.1, or the beginning of one: 2.10.*)"
        )
    if entry.support_end and entry.support_end < today and not policy.allow_unsupported:
        return f"its support ended on {entry.support_end}"
    return _review_defect(entry, policy, today) if policy.demanded else ""


def _review_defect(entry: SoupEntry, policy: SoupPolicy, today: date) -> str:
    if not entry.reviewed_by or entry.reviewed_on is None or not entry.anomalies:
        return "nobody has reviewed its published anomalies (anomalies, reviewed-by, reviewed-on)"
    if entry.reviewed_on > today:
        return f"the review of its anomalies is dated in the future ({entry.reviewed_on})"
    days = (today - entry.reviewed_on).days
    if days > policy.review_days:
        return f"its anomalies were reviewed {days} days ago, the policy allows {policy.review_days}"
    return ""


def identity(component: Component) -> str:
    """Return a component's package URL without version, or its name where it has none."""
    return package_of(component.purl) or component.purl or component.name


def _match(component: Component, exact: dict[str, list[SoupEntry]], patterns: Sequence[SoupEntry]) -> Match:
    name = identity(component)
    # With an entry of its own, it is not matched by a pattern as well: another version must not pass so.
    candidates = exact.get(name) or [
        each
        for each in patterns
        if fnmatchcase(name, each.component) or is_listed(component.purl, (each.component,))
    ]
    for entry in candidates:
        if fnmatchcase(component.version, entry.version):
            return Match(component, entry)
        if component.distro and fnmatchcase(component.distro, entry.version):
            return Match(component, entry)
    return Match(component, None, candidates[0] if candidates else None)


def _missing_reason(found: Sequence[Match]) -> str:
    lacking = [each for each in found if each.entry is None]
    if not lacking:
        return ""
    named = ", ".join(_describe(each) for each in lacking[:_SHOWN])
    more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
    return (
        f"{len(lacking)} of {len(found)} components have no entry in the SOUP register: {named}{more} "
        "('autoclave soup' lists them)"
    )


def _describe(match: Match) -> str:
    text = f"{identity(match.component)} {match.component.version}"
    return f"{text} (changed: the register has {match.changed.version})" if match.changed else text
