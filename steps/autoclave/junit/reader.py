"""Read a JUnit report as a stream: every test counted, the ones that did not pass kept.

The file comes out of a test container, so it is hostile until read: document type declarations and
entities are refused, and the depth, the tags and everything that is kept have limits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO
from xml.sax import SAXParseException
from xml.sax.handler import property_lexical_handler

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from autoclave.junit.cases import Collector
from autoclave.junit.totals import Defect, Sums
from autoclave.model.facts import TestFacts

_CHUNK = 64 * 1024
# The parser keeps a whole tag (or comment) in memory, and reads it again with each chunk.
_LONGEST_TAG = 1024 * 1024


def read(
    stream: Iterable[bytes] | BinaryIO,
    *,
    requirement_property: str = "requirement",
    links: Callable[[str], tuple[str, ...]] = lambda name: (),
) -> TestFacts:
    """Count the tests of a JUnit report; of a report that cannot be used, return facts with a `defect`.

    `stream` is an open binary file or chunks of bytes. Memory stays flat: the passed tests are only
    counted. Requirement ids come from the test's properties (or attribute) named
    `requirement_property`, separated by commas, and from `links`, which is called with the test's name
    (`classname::name`). Nothing about the content is raised.

    A test with several outcomes counts once, as the worst: error, failure, skipped. Tests that passed only
    on a repetition count as passed and are named in `flaky`. An error outside any test counts
    as one of its own.
    """
    return read_all([("", stream)], requirement_property=requirement_property, links=links)


def read_all(
    reports: Iterable[tuple[str, Iterable[bytes] | BinaryIO]],
    *,
    requirement_property: str = "requirement",
    links: Callable[[str], tuple[str, ...]] = lambda name: (),
) -> TestFacts:
    """Count the tests of several reports together, as `read` does; a defect names the report that has it."""
    sums = Sums()
    for name, stream in reports:
        try:
            _feed(_pieces(stream), Collector(sums, requirement_property, links))
        except (Defect, DefusedXmlException, SAXParseException, ValueError, LookupError) as error:
            return TestFacts(defect=f"{name}: {_describe(error)}" if name else _describe(error))
    return sums.facts()


def _feed(chunks: Iterable[bytes], collector: Collector) -> None:
    parser = DefusedExpatParser(forbid_dtd=True)
    parser.setContentHandler(collector)
    parser.setProperty(property_lexical_handler, collector)
    pending = total = 0
    for chunk in chunks:
        before = collector.events
        parser.feed(chunk)
        total += len(chunk)
        pending = pending + len(chunk) if collector.events == before else 0
        if pending > _LONGEST_TAG:
            raise Defect(f"a single tag or comment of more than {_LONGEST_TAG} bytes")
    if not total:
        raise Defect("the file is empty")
    try:
        parser.close()
    except SAXParseException as error:
        raise Defect(f"truncated: {_reason(error)}") from error


def _pieces(stream: Iterable[bytes] | BinaryIO) -> Iterator[bytes]:
    """Cut whatever arrives into chunks of bounded size (a file may be a single line)."""
    read_some = getattr(stream, "read", None)
    for block in iter(lambda: read_some(_CHUNK), b"") if read_some else stream:
        for start in range(0, len(block), _CHUNK):
            yield block[start : start + _CHUNK]


def _describe(error: Exception) -> str:
    if isinstance(error, Defect):
        return str(error)
    if isinstance(error, DefusedXmlException):
        return "a document type or entity declaration, which is refused"
    return f"not XML: {_reason(error)}"


def _reason(error: Exception) -> str:
    if isinstance(error, SAXParseException):
        return f"{error.getMessage()} at line {error.getLineNumber()}, column {error.getColumnNumber()}"
    return str(error)[:200]
