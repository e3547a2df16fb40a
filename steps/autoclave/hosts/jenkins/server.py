"""A Jenkins server as one account may read and change it: what the actions on jobs and builds share.

Source: jenkins.io/doc/book/using/remote-access-api, and the page …/api that every object of Jenkins has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element

import jenkins
import msgspec

from autoclave.hosts.jenkins.client import Client
from autoclave.hosts.jenkins.errors import translate_errors
from autoclave.hosts.jenkins.permissions import NEEDS
from autoclave.hosts.jenkins.settings import Server
from autoclave.hosts.jenkins.xml import read
from autoclave.runtime.redact import Mask


class Jenkins:
    """One server. Names of items are full names (FOLDER/JOB) that `names` has checked."""

    def __init__(self, server: Server, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.server = server
        self.mask = Mask([server.account.token])
        self.sleep = sleep
        self.client = Client(server, sleep=sleep)

    @contextmanager
    def perform(self, action: str) -> Iterator[None]:
        """Do an action of `permissions.NEEDS`; raise HostError when the account or the server forbids it."""
        with translate_errors(NEEDS[action], self.mask):
            yield

    def json(self, path: str, tree: str) -> dict[str, Any] | None:
        """Return the named parts of an object, or None when Jenkins does not show one there."""
        try:
            answer = msgspec.json.decode(self.client.get(f"{path}api/json", tree=tree).content)
        except jenkins.NotFoundException:
            return None
        if not isinstance(answer, dict):
            raise TypeError("a JSON object was expected")
        return answer

    def config(self, name: str) -> Element | None:
        """Return the configuration of an item, or None when Jenkins does not show one of that name."""
        try:
            return read(self.client.get_job_config(name))
        except jenkins.NotFoundException:
            return None

    def address(self, path: str) -> str:
        """Return the address of a path on the server, for people."""
        return self.server.url + path


def path_of(name: str) -> str:
    """Return the path of an item below the server's address."""
    return "".join(f"job/{quote(part, safe='')}/" for part in name.split("/"))
