"""Types that several threads decode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import msgspec
from msgspec import Struct


def prepare() -> None:
    """Have msgspec read the fields of every struct type of ours that is loaded, in this thread.

    msgspec 0.22.0 reads them at a type's first use, and publishes the type before it has read all of them:
    two threads that decode a type for the first time at once crash the process (SIGSEGV). Call this before
    threads are started.
    """
    for kind in {each for each in _subclasses(Struct) if each.__module__.startswith("autoclave.")}:
        with suppress(TypeError, NameError):  # a type that nothing can be decoded into
            msgspec.json.Decoder(kind)


def _subclasses(kind: type[Struct]) -> Iterator[type[Struct]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)
