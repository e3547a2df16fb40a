"""Write the entries that a SOUP register lacks: what is known is filled in, the judgement is left to people.

`why` and the review stay empty. The release gate stays closed until somebody has filled them in.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import structs

from autoclave.actions.soup_groups import Group, group
from autoclave.gates.soup import Match
from autoclave.model.declared import Component, SoupEntry
from autoclave.model.text import is_line

_NONE = re.compile(r"^soup[ \t]*=[ \t]*\[[ \t]*\][ \t]*$\n?", re.MULTILINE)
"""How a register without entries is written, beside which no [[soup]] can be."""

_WIDTH = 110
_NAMED = 8
_OPEN = "the pattern also matches packages that are added later: give those that matter most an entry each"

HEADER = """\
# The SOUP register: software of unknown provenance in this device, why it is used, and who reviewed its
# published anomalies (IEC 62304 5.3.3, 5.3.4, 7.1.3, 8.1.2). 'autoclave soup --write' adds what is missing; a
# person fills in what is empty, and the release gate is closed until then. An entry for exactly one package
# goes before a pattern.
"""


def draft(lacking: Sequence[Match], *, named: bool) -> list[str]:
    """Return the TOML of one entry for each group of the components that lack one, specific ones first.

    `named` says that the policy requires a version in each entry.
    """
    changed = [each for each in lacking if each.changed and "*" not in each.changed.component]
    groups = group([each.component for each in lacking if each not in changed], named=named)
    return [
        *(_renew(each.component, each.changed) for each in changed if each.changed),
        *map(_describe_group, groups),
    ]


def append(text: str, entries: Iterable[str]) -> str:
    """Return the text of a register with more entries at its end; an empty text becomes a new register."""
    text = _NONE.sub("", text)
    before = text.rstrip("\n") + "\n" if text.strip() else HEADER
    return "\n".join([before, *entries])


def _describe_group(each: Group) -> str:
    origin = each.origin
    suppliers = Counter(one.supplier for one in each.members if one.supplier)
    only = next(iter(suppliers)) if len(suppliers) == 1 else ""
    comments = [f"{_count(len(each.members))}: {_name_some(each.members)}"] if each.is_open else []
    licences = Counter(one.license for one in each.members if one.license)
    if licences:
        comments.append(f"licences, as the packages say: {_most(licences)}")
    if len(suppliers) > 1 and not origin:
        comments.append(f"suppliers, as the packages say: {_most(suppliers)}")
    if home := origin.home if origin else each.home:
        comments.append(f"home page: {home}")
    if each.is_open and not each.members[0].distro:
        comments.append(_OPEN)
    return _table(
        comments,
        title=each.title,
        component=each.component,
        version=each.version,
        manufacturer=origin.manufacturer if origin else only,
        anomalies=origin.anomalies if origin else "",
    )


def _renew(component: Component, before: SoupEntry) -> str:
    """Return the entry of a component that has another version now: what was judged is to be judged again."""
    fields = structs.asdict(before)
    comments = [f"was {before.version}; reviewed on {before.reviewed_on or 'no day'}: review it again"]
    return _table(
        comments,
        title=before.title.replace(before.version, component.version),
        component=before.component,
        version=component.version or "*",
        manufacturer=before.manufacturer,
        why=fields["why"],
        level=before.support_level,
        anomalies=before.anomalies,
    )


def _table(
    comments: Iterable[str],
    *,
    title: str,
    component: str,
    version: str,
    manufacturer: str,
    anomalies: str,
    why: str = "",
    level: str = "",
) -> str:
    fields = {
        "title": title[:200],
        "component": component[:500],
        "version": version[:200],
        "manufacturer": manufacturer[:1000],
        "why": why,
        **({"support-level": level} if level else {}),
        "anomalies": anomalies,
        "reviewed-by": "",
    }
    lines = [line for each in comments for line in _comment(each)]
    lines += ["[[soup]]", *(f"{key} = {_quote(value)}" for key, value in fields.items())]
    return "\n".join([*lines, "# reviewed-on = 2026-01-31", "# support-end = 2028-06-30", ""])


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        _plain(text), _WIDTH, initial_indent="# ", subsequent_indent="#   ", break_on_hyphens=False
    )


def _name_some(members: Sequence[Component]) -> str:
    named = ", ".join(f"{each.name[:60]} {each.version[:40]}".strip() for each in members[:_NAMED])
    more = len(members) - _NAMED
    return f"{named} and {more} more" if more > 0 else named


def _count(number: int) -> str:
    return f"{number:,} component{'s' if number > 1 else ''}"


def _most(counts: Counter[str]) -> str:
    shown = ", ".join(f"{name[:60]} {count}" for name, count in counts.most_common(_NAMED))
    return shown + (f" and {len(counts) - _NAMED} more" if len(counts) > _NAMED else "")


def _plain(text: str) -> str:
    """Return text for one line; what does not print as it is becomes `?`, which matches it in a pattern."""
    shown = "".join(each if each == " " or is_line(each) else "?" for each in text)
    return re.sub(r"\A | \Z|(?<= ) ", "?", shown)


def _quote(text: str) -> str:
    """Return text as a TOML string; names out of an image may hold anything."""
    return '"' + re.sub(r'(["\\])', r"\\\1", _plain(text)) + '"'
