"""Draft links from tests to requirements: a test that names an id is linked, the others wait for a person."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from autoclave.model.declared import Requirement
from autoclave.model.text import is_line

HEADER = """\
# Which test verifies which requirement, for tests that do not name it themselves. 'test' is a name, or a
# pattern with * ? […], of "classname::name" or of "name". 'autoclave trace --write-links' adds tests that are
# missing: those that name an id are linked, the others are comments until a person fills them in.
"""
_LONGEST = 500


class LinkDraft(Struct, frozen=True):
    """Text to add to a links file: `linked` tests have their requirements, `open` ones are comments."""

    text: str
    linked: int
    open: int


def draft(tests: Iterable[str], requirements: Sequence[Requirement], present: str) -> LinkDraft:
    """Return what a links file lacks of these tests. `present` is its text: what it names is not named again.

    A parametrised test is one entry, for all its parameters.
    """
    ids = {each.id: _pattern_of(each.id) for each in requirements}
    entries, linked, waiting = [], 0, 0
    for test, pattern in _patterns(tests).items():
        value = json.dumps(pattern, ensure_ascii=False)
        if len(pattern) > _LONGEST or not is_line(pattern) or f"test = {value}\n" in present:
            continue
        named = [one for one, regex in ids.items() if regex.search(test)]
        lines = ["[[link]]", f"test = {value}", f"requirements = {json.dumps(named, ensure_ascii=False)}"]
        if named:
            linked += 1
        else:
            waiting += 1
            lines = [f"# {line}" for line in lines]
        entries.append("\n".join([*lines, ""]))
    return LinkDraft("\n".join(entries), linked, waiting)


def append(text: str, made: LinkDraft, untested: Mapping[str, str]) -> str:
    """Return the text of a links file with a draft at its end; an empty text becomes a new file.

    `untested` are the requirements without a test, with their words: for who fills in the rest.
    """
    before = text.rstrip("\n") + "\n" if text.strip() else HEADER
    if not made.text:
        return before
    help_ = [f"#   {_shorten(one)}: {_shorten(words)}" for one, words in untested.items()]
    notes = ["# requirements without a test:", *help_, ""] if made.open and help_ else []
    return "\n".join([before, *notes, made.text])


def _patterns(tests: Iterable[str]) -> dict[str, str]:
    """Return a pattern for each test by its name; one for all parameters of a parametrised test."""
    by_base: dict[str, list[str]] = defaultdict(list)
    for test in dict.fromkeys(tests):
        by_base[test.partition("[")[0] if test.endswith("]") else test].append(test)
    return {
        (base if len(names) > 1 else names[0]): f"{_escape(base)}[[]*" if len(names) > 1 else names[0]
        for base, names in by_base.items()
    }


def _escape(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)


def _pattern_of(requirement: str) -> re.Pattern[str]:
    """Return the pattern for an id in a test's name, as SRS-14 is in `test_srs_14_stops` and `SRS14Test`."""
    parts = map(re.escape, re.findall(r"[^\W_]+", requirement))
    body = "[-_. ]?".join(parts) or re.escape(requirement)
    return re.compile(rf"(?<![^\W_]){body}(?![0-9])(?![.-][0-9])", re.IGNORECASE)


def _shorten(words: str) -> str:
    text = "".join(each if each == " " or is_line(each) else "?" for each in words)
    return text if len(text) <= 90 else f"{text[:89]}…"
