"""Start a build, find it in the queue, and follow its log to the verdict.

Sources: jenkins.io/doc/book/using/remote-access-api (build, buildWithParameters); the queue item that the
answer's Location names (Jenkins 1.519 and newer); …/JOB/NUMBER/api (logText/progressiveText, X-Text-Size,
X-More-Data).
"""

from __future__ import annotations

import codecs
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jenkins
from msgspec import Struct

from autoclave.errors import HostError
from autoclave.hosts.jenkins.server import Jenkins, path_of

PASSED = "SUCCESS"
_JOB = "buildable,nextBuildNumber,inQueue,property[parameterDefinitions[name]]"
_ITEM = "why,cancelled,executable[number]"
_BUILD = "building,result"
_SHORTEST, _LONGEST = 0.5, 8.0  # seconds between two requests
_ESCAPES = re.compile(r"\x1b\[8m.*?\x1b\[0m|\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-_]")


class BuildTimeout(Exception):
    """The build did not end within the time limit."""


class QueuedBuild(Struct, frozen=True, kw_only=True):
    """A requested build: its queue item, or (0) the number of the next build."""

    job: str
    item: int
    next_number: int


class Patience:
    """Growing pauses between requests, short again after news, up to a time limit."""

    def __init__(self, sleep: Callable[[float], None], seconds: float) -> None:
        self._sleep, self._pause = sleep, _SHORTEST
        self._end = time.monotonic() + seconds if seconds else None

    def wait(self) -> None:
        """Wait for the next question. Raises TimeUp."""
        if self._end is not None and time.monotonic() >= self._end:
            raise BuildTimeout
        self._sleep(self._pause)
        self._pause = min(self._pause * 1.5, _LONGEST)

    def reset(self) -> None:
        """There was news: the next pause is short."""
        self._pause = _SHORTEST


def start(host: Jenkins, job: str, parameters: Mapping[str, str]) -> QueuedBuild:
    """Request a build. Raises HostError, also for a parameter that the job does not have."""
    with host.perform("run"):
        known = host.json(path_of(job), _JOB)
        if known is None:
            raise jenkins.NotFoundException(job)
        _check(job, known, parameters)
        is_parameterized = bool(_parameters(known))
        path = path_of(job) + ("buildWithParameters" if is_parameterized else "build")
        answer = host.client.post_form(path, dict(parameters))
        # The address may be that of a proxy: only the number is used.
        found = re.search(r"/queue/item/([0-9]{1,12})/?\Z", answer.headers.get("Location", ""))
        return QueuedBuild(
            job=job, item=int(found[1]) if found else 0, next_number=int(known["nextBuildNumber"])
        )


def _check(job: str, known: dict[str, Any], parameters: Mapping[str, str]) -> None:
    if not known["buildable"]:
        raise HostError(
            f"{job} cannot be built", why="it is disabled, or is a folder", next="enable it in Jenkins"
        )
    unknown = sorted(set(parameters) - _parameters(known))
    if unknown:
        # Jenkins would ignore them without an error, and build something else than intended.
        raise HostError(
            f"{job} has no parameter {', '.join(unknown)}",
            why=f"it has {', '.join(sorted(_parameters(known))) or 'none'}",
            next="add it with 'autoclave jenkins provision --parameter', or correct the name",
        )


def _parameters(known: dict[str, Any]) -> set[str]:
    return {
        each["name"] for part in known["property"] for each in (part or {}).get("parameterDefinitions") or []
    }


def wait_for_number(
    host: Jenkins, started: QueuedBuild, patience: Patience, say: Callable[[str], None]
) -> int:
    """Wait until the build has a number, and return it; `say` gets the reasons. Raises HostError."""
    reported = ""
    with host.perform("run"):
        while True:
            found, why = _by_item(host, started) if started.item else _by_number(host, started)
            if found:
                return found
            if why and re.sub(r"[0-9.,]+", "", why) != re.sub(r"[0-9.,]+", "", reported):
                say(why)
                reported = why
            patience.wait()


def _by_item(host: Jenkins, started: QueuedBuild) -> tuple[int, str]:
    item = host.json(f"queue/item/{started.item}/", _ITEM)
    if item is None:
        raise HostError(
            f"Jenkins does not have queue item {started.item} any more",
            why="it keeps an item for some minutes only",
            next=f"look for the build at {host.address(path_of(started.job))}",
        )
    if item.get("cancelled"):
        raise HostError(
            f"the build of {started.job} was removed from the queue",
            next="ask who removed it, or start it again",
        )
    executable = item.get("executable") or {}
    return int(executable.get("number") or 0), str(item.get("why") or "")


def _by_number(host: Jenkins, started: QueuedBuild) -> tuple[int, str]:
    """Find the build by the number that was next: an old server does not name a queue item."""
    build = host.json(f"{path_of(started.job)}{started.next_number}/", "number")
    return (int(build["number"]), "") if build else (0, "waiting in the queue")


def follow_log(host: Jenkins, job: str, build: int, patience: Patience) -> Iterator[str]:
    """Yield the lines of a build's log as they come, to its end, without control sequences of a terminal."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest, offset, more = "", 0, True
    with host.perform("run"):
        while more:
            answer = host.client.get(f"{path_of(job)}{build}/logText/progressiveText", start=str(offset))
            more = answer.headers.get("X-More-Data") == "true"
            size = int(answer.headers["X-Text-Size"])
            if size != offset:
                patience.reset()
            offset = size
            # The server cuts at bytes, not at letters or lines.
            *lines, rest = (rest + decoder.decode(answer.content, final=not more)).split("\n")
            yield from (_plain(host, line) for line in lines)
            if more:
                patience.wait()
    if rest:
        yield _plain(host, rest)


def wait_for_result(host: Jenkins, job: str, build: int, patience: Patience) -> str:
    """Wait until a build has a result, and return it."""
    with host.perform("run"):
        while True:
            known = host.json(f"{path_of(job)}{build}/", _BUILD)
            if known is None:
                raise jenkins.NotFoundException(f"{job} #{build}")
            if not known["building"] and known["result"]:
                return str(known["result"])
            patience.wait()


def _plain(host: Jenkins, line: str) -> str:
    text = _ESCAPES.sub("", line.rstrip("\r"))
    return host.mask("".join(each if each.isprintable() or each == "\t" else "\ufffd" for each in text))
