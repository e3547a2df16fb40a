"""What the files of a repository say, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

_MOST_NAMED = 8  # images of one remark


class Kind(StrEnum):
    """What a remark is: found in a file, assumed without one, or left for a person to do."""

    FOUND = "found"
    ASSUMED = "assumed"
    LEFT = "left to do"


class Remark(Struct, frozen=True):
    """One line for a person; those of one text are printed together, with all that they are `about`."""

    kind: Kind
    text: str
    about: str = ""


class Tests(Struct, frozen=True, kw_only=True):
    """How the tests of a stack run in a container, and where they leave their JUnit files.

    `copy` are paths in the repository. `stage` are lines of a Dockerfile that add what the released image
    lacks, after `FROM release AS test`; `builder` are lines of a stage before it, called `test-build`, which
    is based on the Dockerfile's own builder, or on `image`. All are empty when the released image has what
    the tests need. In them `@/` is the project's folder, `{workdir}` the folder that the builder works in.
    `tool` is what writes the report.
    """

    __test__ = False  # not a pytest class

    tool: str
    command: tuple[str, ...]
    junit: tuple[str, ...] = ("junit.xml",)
    copy: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    image: str = ""
    builder: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()
    timeout: int = 300
    memory: str = ""
    marker: bool = False


class Project(Struct, frozen=True, kw_only=True):
    """What one folder's project file says. Empty texts and zeros are what it does not say.

    `source` is the file; `version_source` the one with the version, when that is another one.

    `health` is the path of an HTTP health check that its framework answers, `outputs` are folders that its
    build writes, `ignored` lines of a .dockerignore for a build that copies the whole folder.
    """

    stack: str
    title: str
    folder: str
    source: str
    name: str = ""
    version: str = ""
    version_source: str = ""
    port: int = 0
    health: str = ""
    tests: Tests | None = None
    outputs: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()


class Healthcheck(Struct, frozen=True):
    """A health check: the command of a container, and the path when the command asks over HTTP."""

    command: tuple[str, ...] = ()
    path: str = ""


class ComposeService(Struct, frozen=True, kw_only=True):
    """One service of a compose file. `context` and `dockerfile` are paths in the repository, or empty.

    `published` maps ports of this machine to those of the container; `hidden` are names of variables whose
    values look like secrets, which are not taken over.
    """

    name: str
    source: str
    image: str = ""
    context: str = ""
    dockerfile: str = ""
    target: str = ""
    args: Mapping[str, str] = {}
    ports: tuple[int, ...] = ()
    published: Mapping[int, int] = {}
    environment: Mapping[str, str] = {}
    hidden: tuple[str, ...] = ()
    health: Healthcheck | None = None
    command: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


def found(text: str) -> Remark:
    """Return what a file said."""
    return Remark(Kind.FOUND, text)


def assumed(text: str) -> Remark:
    """Return what no file said."""
    return Remark(Kind.ASSUMED, text)


def left(text: str, about: str = "") -> Remark:
    """Return what a person has to do."""
    return Remark(Kind.LEFT, text, about)


def lines_of(remarks: Iterable[Remark]) -> Iterator[str]:
    """Yield remarks as lines; those of one text are one line, with all that they are about."""
    grouped: dict[str, dict[str, None]] = {}
    for each in remarks:
        grouped.setdefault(each.text, {})[each.about] = None
    for text, about in grouped.items():
        named = [each for each in about if each]
        more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        yield f"{text} ({', '.join(named[:_MOST_NAMED])}{more})" if named else text
