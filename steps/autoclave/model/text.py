"""What a text of a file may be: patterns that match to the very end, and one line that prints as it is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from msgspec import Meta

_END = r"\Z"
# Not printed, or printed as something else: control and format characters, blanks that are not the plain one,
# letters without a shape, selectors of variants, private use, surrogates.
_UNSEEN = (
    r"\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f"
    r"\u205f-\u206f\u2800\u3000\u3164\ud800-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U0010ffff"
)
_LINE = re.compile(rf"[^{_UNSEEN}]+(?: [^{_UNSEEN}]+)*")


def matching(pattern: str, *, says: str, example: str, **more: Any) -> Meta:
    """Return the constraint that the whole text matches a pattern; `says` is the pattern in words.

    A person reads the words and the example, and never the pattern (`runtime.values`). msgspec searches, and
    `$` also matches before a line end: neither begins nor ends a pattern in this project. Every pattern of a
    file's text is made here.
    """
    return Meta(pattern=rf"^(?:{pattern}){_END}", description=says, examples=[example], **more)


Line = Annotated[
    str,
    matching(
        _LINE.pattern,
        says="one line, without blanks at its ends and without signs that are not printed",
        example="infusion pump",
        min_length=1,
    ),
]
"""A text in one line, without anything that does not print as it is, and without blanks at its ends."""

UserId = Annotated[
    str,
    matching(
        r"[A-Za-z0-9][A-Za-z0-9._@+-]*",
        says="a user id of letters (a to z), digits and . _ @ + -, beginning with a letter or a digit",
        example="ada.lovelace",
        max_length=100,
    ),
]
"""A person's user id: ASCII alone, so that no two of them look alike but for their case."""

HYPHENATED = "lower-case letters, digits and single hyphens between them"
"""The rule of names and roles, in words."""

Role = Annotated[str, matching(r"[a-z0-9]+(-[a-z0-9]+)*", says=HYPHENATED, example="quality", max_length=50)]
"""The role of a person in an organisation, as `quality`."""


def is_line(text: str) -> bool:
    """Return whether a text is a `Line` and in the normal form (NFC), in which equal names are equal."""
    return _LINE.fullmatch(text) is not None and unicodedata.is_normalized("NFC", text)


def find_alike(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the first two names that are the same, but for case and compatible forms; None without them."""
    seen: dict[str, str] = {}
    for name in names:
        folded = unicodedata.normalize("NFKC", name).casefold()
        if folded in seen:
            return seen[folded], name
        seen[folded] = name
    return None


def for_schema(schema: Any) -> Any:
    """Return a JSON schema with its patterns as JSON Schema has them: there, `$` is the very end."""
    if isinstance(schema, Mapping):
        return {
            key: value.removesuffix(_END) + "$"
            if key == "pattern" and isinstance(value, str)
            else for_schema(value)
            for key, value in schema.items()
        }
    return [for_schema(each) for each in schema] if isinstance(schema, list) else schema
