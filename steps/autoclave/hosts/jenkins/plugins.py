"""The plugins that Autoclave's shared library and `provision` need, and whether a server has them.

`above` is the last version with a security warning about a feature that we use; it is on the plugin's
page (plugins.jenkins.io/ID, previous security warnings) or in the advisory.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from autoclave.hosts.jenkins.server import Jenkins

_FIELDS = "plugins[shortName,version,active,enabled]"


class Plugin(Struct, frozen=True, kw_only=True):
    """A plugin that is needed, or (`optional`) used when it is installed."""

    name: str
    why: str
    above: str = ""
    optional: bool = False


class PluginCheck(Struct, frozen=True, kw_only=True):
    """A plugin as the server has it; `problem` is empty when it is good enough."""

    wanted: Plugin
    version: str
    problem: str

    @property
    def passed(self) -> bool:
        """Whether the server needs no change here."""
        return not self.problem or (self.wanted.optional and not self.version)


WANTED = (
    Plugin(name="workflow-aggregator", why="Pipeline"),
    # SECURITY-3362: a run could be rebuilt after its script's approval was revoked.
    Plugin(name="workflow-cps", why="runs the Jenkinsfile", above="3990.vd281dd77a_388"),
    # CVE-2022-43405: a way out of the sandbox.
    Plugin(name="pipeline-groovy-lib", why="shared libraries", above="612.v84da_9c54906d"),
    # CVE-2022-38663: passwords not masked in the log.
    Plugin(name="git", why="checks out the device and the library", above="4.11.4"),
    # CVE-2026-48922: files written outside their folder.
    Plugin(name="credentials-binding", why="keys and passwords of steps", above="720.v3f6decef43ea_"),
    # CVE-2023-25761: names of tests could carry scripts.
    Plugin(name="junit", why="shows test results", above="1166.va_436e268e972"),
    Plugin(name="cloudbees-folder", why="folders around the jobs (provision)"),
    Plugin(name="lockable-resources", why="one deployment at a time across jobs", optional=True),
    Plugin(name="warnings-ng", why="shows findings as a report", optional=True),
)


def check_all(host: Jenkins) -> list[PluginCheck]:
    """Check every plugin that is needed or used. Raises HostError."""
    with host.perform("plugins"):
        answer = host.json("pluginManager/", _FIELDS)
        if answer is None:
            raise KeyError("pluginManager")
        known = {each["shortName"]: each for each in answer["plugins"]}
        return [_judge(each, known.get(each.name)) for each in WANTED]


def _judge(wanted: Plugin, found: dict[str, Any] | None) -> PluginCheck:
    if found is None:
        return PluginCheck(wanted=wanted, version="", problem="not installed")
    version, problem = str(found["version"]), ""
    if not (found["active"] and found["enabled"]):
        problem = "installed, but not active"
    elif wanted.above and not is_newer(version, wanted.above):
        problem = f"must be newer than {wanted.above}"
    return PluginCheck(wanted=wanted, version=version, problem=problem)


def is_newer(version: str, than: str) -> bool:
    """Return whether a version is newer; one that cannot be read is not.

    The numbers at the beginning count: in `1166.1168.vd6b_8042a_06de` the rest names a commit.
    """
    return _numbers(version) > _numbers(than)


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"[0-9]+(\.[0-9]+)*(?![0-9])", version)
    numbers = [int(each) for each in found[0].split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
