"""A VEX document of any format, as what it claims."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from autoclave.model.declared import Justification, VexStatus
from autoclave.model.vex import Named, Statement

_SHA256 = re.compile(r"(?:.*@)?sha256:([0-9a-fA-F]{64})")


class Claim(Struct, frozen=True, kw_only=True):
    """One statement with its status, its reason and the time from which it holds."""

    statement: Statement
    status: VexStatus
    created: datetime
    justification: Justification | None = None
    rationale: str = ""


class Document(Struct, frozen=True, kw_only=True):
    """What a document claims, and who wrote it. `defect` is why all of it does not count, if so."""

    author: str
    claims: tuple[Claim, ...]
    defect: str = ""


def name(
    texts: Iterable[str], *, sha256: Iterable[str] = (), others: Iterable[str] = (), versions: str = ""
) -> Named:
    """Return a product or component by its names: package URLs, images by digest, and what is neither.

    `sha256` are digests of the thing itself, in hexadecimal.
    """
    found = [each for each in dict.fromkeys(texts) if each]
    images = [
        match[1] for each in found if not each.startswith("pkg:") and (match := _SHA256.fullmatch(each))
    ]
    return Named(
        purls=tuple(each for each in found if each.startswith("pkg:")),
        digests=tuple(dict.fromkeys(f"sha256:{each.lower()}" for each in (*images, *sha256))),
        others=tuple(
            each for each in (*found, *others) if not each.startswith("pkg:") and not _SHA256.fullmatch(each)
        ),
        versions=versions,
    )
