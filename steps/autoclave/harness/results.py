"""The JUnit files that the tests wrote: find them by name or pattern, keep them, and count their tests."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from msgspec import Struct

from autoclave.context import Context
from autoclave.errors import SourceError
from autoclave.harness import archive as copying
from autoclave.junit import reader
from autoclave.model.facts import RawReport, TestFacts
from autoclave.store.oci import Descriptor

MOST_BYTES = 2 << 30  # of all JUnit files of a run
_MOST_FILES = 500  # each is attached to the record

XML = "application/xml"


class Results(Struct, frozen=True, kw_only=True):
    """The kept files, by their paths below the folder of results, and what they say."""

    files: dict[str, Descriptor] = {}
    report: TestFacts

    @property
    def raw(self) -> tuple[RawReport, ...]:
        """The files as the record names them."""
        return tuple(RawReport(name=name, digest=kept.digest) for name, kept in self.files.items())


def read(
    container: str, folder: str, names: Iterable[str], links: Callable[[str], tuple[str, ...]], ctx: Context
) -> Results:
    """Copy JUnit files out of a container into the store and count their tests.

    `names` are paths below `folder`, or patterns (`is_pattern`). A name or pattern without a file, or a file
    that cannot be read, is a defect of the report.
    """
    files: dict[str, Descriptor] = {}
    try:
        for name in names:
            _keep(container, folder, name, files, ctx)
    except _InvalidError as error:
        return Results(files=files, report=TestFacts(defect=str(error)))
    ordered = dict(sorted(files.items()))
    report = reader.read_all(
        ((name if len(files) > 1 else "", ctx.store.chunks(kept.digest)) for name, kept in ordered.items()),
        requirement_property=ctx.device.traceability.property,
        links=links,
    )
    return Results(files=ordered, report=report)


def is_pattern(name: str) -> bool:
    """Return whether a name stands for several files: `*` and `?` match within a name, `**` any folders."""
    return "*" in name or "?" in name


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Return what matches the paths that a pattern stands for, in time that grows with their length alone."""
    parts = [
        None if part == "**" else re.compile(fnmatch.translate(part.replace("[", "[[]")))
        for part in PurePosixPath(pattern).parts
    ]

    def matches(path: str) -> bool:
        reached = {0}  # how many parts of the pattern the names so far can have used
        for name in path.split("/"):
            reached = _skip_any(reached, parts)
            reached = {
                at if parts[at] is None else at + 1
                for at in reached
                if at < len(parts) and ((part := parts[at]) is None or part.match(name))
            }
        return len(parts) in _skip_any(reached, parts)

    return matches


def _skip_any(reached: set[int], parts: Sequence[re.Pattern[str] | None]) -> set[int]:
    """Add what follows a `**`, which may stand for no folder at all."""
    found = set(reached)
    for at in sorted(reached):
        following = at
        while following < len(parts) and parts[following] is None:
            following += 1
            found.add(following)
    return found


class _InvalidError(Exception):
    """Why a name or pattern gives no report."""


def _keep(container: str, folder: str, name: str, files: dict[str, Descriptor], ctx: Context) -> None:
    """Store what a name or pattern stands for. Raises _InvalidError."""
    copied = _matching if is_pattern(name) else _single
    before = len(files)
    known = False
    try:
        for path, chunks in copied(container, folder, name, ctx):
            known = known or path in files
            if path not in files:
                _refuse_more(files)
                files[path] = ctx.store.write(_limited(chunks, files), media_type=XML)
    except SourceError as error:
        raise _InvalidError(f"the JUnit report at {folder}/{name} is invalid: {error.what}") from error
    if len(files) == before and not known:
        what = "no JUnit report that matches" if is_pattern(name) else "no JUnit report to"
        raise _InvalidError(f"the tests wrote {what} {folder}/{name}")


def _refuse_more(files: dict[str, Descriptor]) -> None:
    if len(files) >= _MOST_FILES:
        raise copying.TooLarge(f"more than {_MOST_FILES} files")


def _single(container: str, folder: str, name: str, ctx: Context) -> Iterator[tuple[str, Iterator[bytes]]]:
    archive = ctx.engine.get(container, f"{folder}/{name}")
    if archive is not None:
        yield name, copying.single_file(archive, limit=MOST_BYTES)


def _matching(
    container: str, folder: str, pattern: str, ctx: Context
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield the files that match; only the folder that the pattern begins with is copied out."""
    parts = PurePosixPath(pattern).parts
    fixed = next(number for number, part in enumerate(parts) if is_pattern(part))
    start = "/".join(parts[:fixed])
    archive = ctx.engine.get(container, f"{folder}/{start}".rstrip("/"))
    if archive is not None:
        yield from copying.matching_files(archive, compile_pattern(pattern), below=start, limit=MOST_BYTES)


def _limited(chunks: Iterator[bytes], kept: dict[str, Descriptor]) -> Iterator[bytes]:
    """Yield a file, unless all files together are too large."""
    total = sum(each.size for each in kept.values())
    for chunk in chunks:
        total += len(chunk)
        if total > MOST_BYTES:
            raise copying.TooLarge(f"the files have more than {MOST_BYTES:,} bytes together")
        yield chunk
