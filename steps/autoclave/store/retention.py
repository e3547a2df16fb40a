"""Which content of a store may be removed: a pure decision over what is listed and what refers to what.

What is kept keeps all that it refers to, all that is attached to it, and what it is attached to.
What is not understood, or of unknown age, is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct


class Listed(Struct, frozen=True, kw_only=True):
    """A manifest that a store lists. `written` is when it came there, None when that is not known.

    `names` are those by which people find it; `subject` is what it is attached to, and `kind` as what (its
    predicate type, or else its artifact type). `refers` are digests that it needs. `is_known` is false for
    what is neither an image nor attached to one.
    """

    digest: str
    size: int
    written: datetime | None
    names: tuple[str, ...] = ()
    subject: str = ""
    kind: str = ""
    refers: tuple[str, ...] = ()
    is_known: bool = True


class Plan(Struct, frozen=True):
    """What is kept, by digest with the reason, and what may be removed."""

    kept: dict[str, str]
    removable: tuple[Listed, ...]


def plan(
    listed: Sequence[Listed], *, before: datetime, pinned: Mapping[str, str], deciding: Mapping[str, str]
) -> Plan:
    """Return what may be removed: what came before a time, and nothing needs.

    `pinned` are digests that something outside of the store refers to, with the reason; `deciding` are the
    kinds of attachments for which their subject is kept, with the reason.
    """
    items = {each.digest: each for each in listed}
    attached: dict[str, list[str]] = defaultdict(list)
    for each in listed:
        attached[each.subject].append(each.digest)
    kept: dict[str, str] = {}
    found = [
        (digest, why)
        for each in listed
        if (why := _root(each, before, pinned, deciding))
        for digest in (each.digest,)
    ]
    while found:
        digest, why = found.pop()
        if digest in kept or digest not in items:
            continue
        kept[digest] = why
        item = items[digest]
        related = (*item.refers, *attached[digest], *filter(None, (item.subject,)))
        found += [
            (other, f"belongs to {digest[:19]}, which {why}" if "belongs" not in why else why)
            for other in related
        ]
    return Plan(kept, tuple(each for each in listed if each.digest not in kept))


def _root(each: Listed, before: datetime, pinned: Mapping[str, str], deciding: Mapping[str, str]) -> str:
    """Return why a manifest is kept for its own sake; empty when it is not."""
    if each.names:
        return f"is called {each.names[0]}"
    if each.digest in pinned:
        return pinned[each.digest]
    if each.kind in deciding:
        return deciding[each.kind]
    if not each.is_known:
        return "is not known to be an image or a record"
    if each.written is None:
        return "is of unknown age"
    return "is newer" if each.written >= before else ""
