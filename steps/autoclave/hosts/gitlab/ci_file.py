"""What a `.gitlab-ci.yml` says about Autoclave: which template it includes, and what it overrides.

The file belongs to its repository: it is read without building objects of its tags (`!reference`), without
following its includes, and changed only in the characters of the ref.
Sources: docs.gitlab.com/ci/yaml (include, default, variables), docs.gitlab.com/ci/yaml/yaml_optimization.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.error import YAMLError

LARGEST = 1 << 18  # bytes: far more than anybody writes by hand, and still parsed in seconds
REF = re.compile(r"(?!.*(?:\.\.|//|\.lock\Z))[0-9A-Za-z][0-9A-Za-z._/+-]{0,99}(?<![/.])")

_VERSION = re.compile(r"v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")
_DEEPEST = 100  # brackets open at once: the parser's time grows with the square of it

_RAW = re.compile(r"/(?:-/)?raw/(?P<ref>[^/?#]+)/")


class Include(Struct, frozen=True, kw_only=True):
    """One include of the template. `kind` is project, component, remote or local; `ref` may be empty.

    `line` and `column` are the place of the text with the ref (both from 0); -1 when there is none.
    """

    kind: str
    source: str
    ref: str
    line: int = -1
    column: int = -1


class Override(Struct, frozen=True):
    """A job of the template that the file defines again, and the keys that it sets."""

    job: str
    keys: tuple[str, ...]


class CiFile(Struct, frozen=True, kw_only=True):
    """A configuration. `problem` is empty, or why it cannot be read; then the rest is empty."""

    includes: tuple[Include, ...] = ()
    overrides: tuple[Override, ...] = ()
    variables: tuple[str, ...] = ()
    problem: str = ""


def read(text: str, template: str) -> CiFile:
    """Return what a file says about the template, whose includes name it (`template`, in any case)."""
    if len(text.encode()) > LARGEST:
        return CiFile(problem=f"larger than {LARGEST:,} bytes")
    if _depth(text) > _DEEPEST:
        return CiFile(problem="nested too deeply")
    try:
        content = _load(text)
        includes = tuple(each for each in _includes(content) if _is_template(each, template))
        variables = content.get("variables")
        names = variables if isinstance(variables, dict) else {}
        return CiFile(
            includes=includes,
            overrides=tuple(_overrides(content)),
            variables=tuple(sorted(str(name) for name in names if str(name).startswith("AUTOCLAVE_"))),
        )
    except (YAMLError, ValueError, RecursionError) as error:
        return CiFile(problem=f"not valid YAML: {' '.join(str(error).split())[:200]}")


def replace_ref(text: str, template: str, ref: str) -> str:
    """Return the file with every ref of the template replaced, all else as it was.

    Raises ValueError, with a reason for a person, when changing the refs alone is not enough.
    """
    before = read(text, template)
    if before.problem:
        raise ValueError(before.problem)
    lines = text.splitlines(keepends=True)
    # From the end, so that the text before keeps its place.
    for each in sorted(before.includes, key=lambda one: (one.line, one.column), reverse=True):
        new = _spell(ref, each)
        if each.kind == "local" or each.ref == new:
            continue
        if not each.ref or each.line < 0:
            raise ValueError(f"the include of {each.source} has no ref to change")
        lines[each.line] = _line(lines[each.line], each, new)
    changed = "".join(lines)
    after = read(changed, template)
    wanted = [_spell(ref, each) if each.kind != "local" else each.ref for each in before.includes]
    if [each.ref for each in after.includes] != wanted or after.overrides != before.overrides:
        raise ValueError("the ref is written in a form that only a person can change")
    return changed


def _spell(ref: str, include: Include) -> str:
    """Return a version as an include spells it: a component of the catalog has no `v` before its number."""
    if include.kind == "component" and include.ref[:1].isdigit() and _VERSION.fullmatch(ref):
        return ref.removeprefix("v")
    return ref


def _depth(text: str) -> int:
    """Return the greatest number of brackets that are open at once, anywhere in the text."""
    deepest = depth = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth = depth + 1 if bracket in "[{" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest


def _load(text: str) -> dict[Any, Any]:
    try:
        with warnings.catch_warnings():
            # An anchor that is defined twice concerns the file's owner, not the reader of the fleet.
            warnings.simplefilter("ignore")
            documents = [each for each in YAML(typ="rt", pure=True).load_all(text) if each is not None]
    except YAMLError:
        raise
    except Exception as error:  # any error of the parser in a hostile file is the file's
        raise ValueError(f"{type(error).__name__}: {error}") from error
    # A file with `spec:` has its configuration in the second document.
    content = documents[-1] if documents else {}
    if not isinstance(content, dict):
        raise ValueError("it is not a mapping")  # noqa: TRY004 -- the file's fault, not a type of ours
    return content


def _includes(content: Any) -> Iterator[Include]:
    value: Any = content.get("include")
    if isinstance(value, str):
        yield _text(value, *_place(content, "include"))
    elif isinstance(value, dict):
        yield from _from_mapping(value)
    elif isinstance(value, CommentedSeq):
        for number, entry in enumerate(value):
            if isinstance(entry, dict):
                yield from _from_mapping(entry)
            elif isinstance(entry, str):
                yield _text(entry, *value.lc.item(number))


def _text(text: str, line: int, column: int) -> Include:
    return _from_text("remote" if "://" in text else "local", text, line, column)


def _from_mapping(entry: Any) -> Iterator[Include]:
    if "project" in entry:
        ref = entry.get("ref")
        line, column = _place(entry, "ref")
        shown = "" if ref is None else str(ref)
        yield Include(kind="project", source=str(entry["project"]), ref=shown, line=line, column=column)
        return
    for kind in ("component", "remote", "local"):
        if kind in entry:
            yield _from_text(kind, str(entry[kind]), *_place(entry, kind))


def _place(mapping: Any, key: str) -> tuple[int, int]:
    """Return the place of a key's value; one that is merged in (`<<`) has none."""
    try:
        line, column = mapping.lc.value(key)
    except (AttributeError, KeyError, TypeError):
        return -1, -1
    return line, column


def _from_text(kind: str, text: str, line: int, column: int) -> Include:
    """Return an include that is one text: a component with its version, or an address with its ref."""
    if kind == "component":
        source, _, ref = text.rpartition("@")
        return Include(kind=kind, source=source or text, ref=ref if source else "", line=line, column=column)
    found = _RAW.search(text) if kind == "remote" else None
    return Include(kind=kind, source=text, ref=found["ref"] if found else "", line=line, column=column)


def _is_template(include: Include, template: str) -> bool:
    return template.lower() in include.source.lower()


def _overrides(content: dict[Any, Any]) -> Iterator[Override]:
    for name, job in content.items():
        if re.match(r"\.?autoclave([-:_ ]|\Z)", str(name)) and isinstance(job, dict):
            yield Override(str(name), tuple(sorted(map(str, job))))


def _line(line: str, include: Include, ref: str) -> str:
    """Return the line with the ref replaced, inside its quotes."""
    head, tail = line[: include.column], line[include.column :]
    before = after = ""
    if include.kind == "component":
        before = f"{include.source}@"
    elif found := _RAW.search(include.source):
        before, after = include.source[: found.start("ref")], include.source[found.end("ref") :]
    for quote in ('"', "'", ""):
        written = f"{quote}{before}{include.ref}{after}{quote}"
        rest = tail.removeprefix(written)
        if rest != tail and (quote or not rest.strip() or rest[0] in " \t\r\n,]}"):
            # Unquoted, a ref such as 2.0 would become a number.
            mark = quote or ('"' if include.kind == "project" and not _stays_text(ref) else "")
            return f"{head}{mark}{before}{ref}{after}{mark}{rest}"
    raise ValueError("the ref is written in a form that only a person can change")


def _stays_text(ref: str) -> bool:
    return isinstance(YAML(typ="safe", pure=True).load(ref), str)
