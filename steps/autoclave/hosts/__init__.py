"""CI hosts: what starts the steps, and shows what came of them.

Every module here but `base`, `markdown` and `summary` is a host, and its name is the one that `init --host`
takes. There is no other list. A module has a function `create`, which returns a `Host` without contacting
anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from autoclave.hosts.base import Host
from autoclave.runtime.modules import Plugins

LOCAL = "local"
"""The host that is always there: a person at a machine."""

_PLUGINS = Plugins(
    package=__name__, folders=__path__, kind="CI host", helpers=frozenset({"base", "markdown", "summary"})
)


def names() -> tuple[str, ...]:
    """Return the names of all hosts, sorted, the local one last; none of them is imported for it."""
    return (*(name for name in _PLUGINS.names() if name != LOCAL), LOCAL)


def create(name: str) -> Host:
    """Return the host of that name. Raises UsageError."""
    host: Host = _PLUGINS.load(name).create()
    return host


def detect(environ: Mapping[str, str]) -> Host:
    """Return the host whose job these variables describe, else the local one."""
    hosts = map(create, names())
    return next(host for host in hosts if host.detect(environ))


def identify_runner(host: Host, environ: Mapping[str, str]) -> str:
    """Return who or what runs the steps, for a record: a job's page and who started it, or `user@machine`.

    Nothing that could be a secret is in it: an address comes without user, password, query and fragment.
    """
    job = host.job(environ)
    page, user = _page(job.url), _word(job.user)
    if page:
        return f"{page} for {user}" if user else page
    return _word(create(LOCAL).job(environ).user)


def _page(address: str) -> str:
    """Return a web address without its user, password, query and fragment; empty when it is not one."""
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return ""
    return _word(f"{parts.scheme}://{parts.hostname}{port}{parts.path}")


def _word(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:500]
