"""What a pipeline writes to a GitLab project: a merge-request note, and a commit status per gate.

Every action is idempotent: it finds what an earlier run created and changes that, or creates it.
Sources: docs.gitlab.com/api/notes, docs.gitlab.com/api/commits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from gitlab.v4.objects import Project
from msgspec import Struct

from autoclave.errors import HostError
from autoclave.hosts.gitlab.client import Client, translate_errors
from autoclave.hosts.gitlab.permissions import NEEDS
from autoclave.hosts.gitlab.settings import Server, check
from autoclave.runtime.redact import Mask

T = TypeVar("T")

LONGEST_DESCRIPTION = 255  # characters of a commit status


class Outcome(Struct, frozen=True, kw_only=True):
    """The result of an action: `text` is what was done, `problem` why it was not."""

    text: str
    problem: HostError | None = None


class Status(Struct, frozen=True, kw_only=True):
    """A commit status to set. `state` is running, success or failed."""

    name: str
    state: str
    description: str


class GitLab:
    """One project on a GitLab server, as one token may see and change it."""

    def __init__(self, server: Server, project: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.server = server
        self.project_id = project
        self.mask = Mask([server.token.value])
        self.client = Client(server, sleep=sleep)

    @property
    def project(self) -> Project:
        """The project, without a request: a job token may not read it."""
        return self.client.projects.get(self.project_id, lazy=True)

    @contextmanager
    def perform(self, action: str) -> Iterator[None]:
        """Do an action of `permissions.NEEDS`; raise HostError when the token or the server forbids it."""
        check(NEEDS[action], self.server.token)
        with translate_errors(NEEDS[action], self.mask):
            yield

    def write_note(self, merge_request: str, marker: str, body: str) -> str:
        """Write the merge request's one note that begins with `marker`; return what was done."""
        with self.perform("note"):
            return self.client.repeat_unclear(lambda: self._write_note(merge_request, marker, body))

    def _write_note(self, merge_request: str, marker: str, body: str) -> str:
        self.client.auth()
        me = self.client.user.id if self.client.user else None
        notes = self.project.mergerequests.get(_number(merge_request), lazy=True).notes
        for note in notes.list(iterator=True, order_by="created_at", sort="asc"):
            # Anyone may write the marker: a note of somebody else is not ours, and not ours to change.
            if note.system or note.author["id"] != me or not note.body.startswith(marker):
                continue
            if _is_same(note.body, body):
                return f"the note of merge request !{merge_request} is up to date"
            notes.update(note.id, {"body": body})
            return f"changed the note of merge request !{merge_request}"
        notes.create({"body": body})
        return f"wrote a note to merge request !{merge_request}"

    def set_statuses(
        self, sha: str, statuses: Sequence[Status], *, target_url: str = "", pipeline: str = ""
    ) -> list[str]:
        """Set commit statuses; return what was done for each.

        `pipeline` is the pipeline's id: a commit may have several, and GitLab would choose one.
        """
        where: dict[str, Any] = {"target_url": target_url} if target_url else {}
        where |= {"pipeline_id": int(pipeline)} if pipeline.isdecimal() else {}
        with self.perform("status"):
            return [
                self.client.repeat_unclear(partial(self._set_status, sha, each, where)) for each in statuses
            ]

    def _set_status(self, sha: str, status: Status, where: dict[str, Any]) -> str:
        known = self.project.commits.get(sha, lazy=True).statuses
        filters = {key: value for key, value in where.items() if key == "pipeline_id"}
        latest = next(iter(known.list(iterator=True, name=status.name, **filters)), None)
        text = status.description[:LONGEST_DESCRIPTION]
        same = latest is not None and latest.status == status.state
        # GitLab refuses running → running ("Cannot transition status via :run from :running").
        if latest is not None and same and (status.state == "running" or (latest.description or "") == text):
            return f"{status.name} is {status.state} already"
        known.create({"name": status.name, "state": status.state, "description": text, **where})
        return f"{status.name}: {status.state}"


def attempt(call: Callable[[], str]) -> Outcome:
    """Do something on which no verdict depends: a refusal is an outcome, not an error."""
    try:
        return Outcome(text=call())
    except HostError as error:
        return Outcome(text="", problem=error)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise HostError(
            f"'{text}' is not the number of a merge request", next="take it from its address: !17"
        )
    return int(text)


def _is_same(one: str, other: str) -> bool:
    """Compare two notes as GitLab keeps them: line ends and outer blanks may differ."""
    return one.replace("\r\n", "\n").strip() == other.strip()
