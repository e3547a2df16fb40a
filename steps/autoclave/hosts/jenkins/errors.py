"""What can fail between Autoclave and Jenkins, as errors for a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jenkins

from autoclave.errors import HostError
from autoclave.hosts.jenkins.permissions import Need
from autoclave.hosts.jenkins.settings import TOKEN, USER
from autoclave.runtime.redact import Mask

_LONGEST_MESSAGE = 500


class ErrorAnswer(Exception):
    """The server's answer is an error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}" if text else str(status))
        self.status, self.text = status, text


class ForeignRedirect(Exception):
    """The server redirects to another one, or to its login page."""


class UnclearAnswer(Exception):
    """A POST got no clear answer: the server may have done it. Its cause is what happened."""


@contextmanager
def translate_errors(need: Need, mask: Mask) -> Iterator[None]:
    """Turn every error of the connection into HostError, which says what the action needs."""
    try:
        yield
    except UnclearAnswer as error:
        raise _to_host_error(error.__cause__ or error, need, mask, sent=True) from None
    except (ErrorAnswer, ForeignRedirect, jenkins.JenkinsException, OSError) as error:
        raise _to_host_error(error, need, mask) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HostError(
            f"the answer is not that of a Jenkins server ({need.action})",
            why=mask(shorten(f"{type(error).__name__}: {error}")),
            next="check the address, and whether a proxy answers in place of the server",
        ) from error


def _to_host_error(error: BaseException, need: Need, mask: Mask, *, sent: bool = False) -> HostError:
    status = error.status if isinstance(error, ErrorAnswer) else 0
    status = 404 if isinstance(error, jenkins.NotFoundException) else status
    what, next_ = _WHAT.get(status, ""), _next(status, need)
    if isinstance(error, ForeignRedirect):
        what = "Jenkins answers from another address"
        next_ = "name the server by the address that it redirects to: the token is not sent after it"
    elif isinstance(error, jenkins.JenkinsException) and not status:
        what = "Jenkins's answer is invalid"
    elif not what:
        what = f"Jenkins refuses this with status {status}" if status else "Jenkins does not answer"
    if sent:
        next_ = f"Jenkins may have done it all the same: check before you retry; {next_}"
    made = HostError(f"{what} ({need.action})", why=mask(shorten(str(error))), next=next_)
    made.status = status
    return made


def _next(status: int, need: Need) -> str:
    if status == 401:
        return f"check {USER} and {TOKEN}; a token belongs to one user of this server"
    if status in (403, 404):
        return ("check the name; " if status == 404 else "") + need.sentence
    if status and status < 502 and status != 429:
        return "see Jenkins's log"
    return "check that the server is up, then retry"


_WHAT = {
    400: "Jenkins does not accept this",
    401: "Jenkins does not accept the account or its token",
    403: "Jenkins does not allow this to the account",
    404: "Jenkins does not find it, or hides it from this account",
    409: "Jenkins reports a conflict with what exists: a disabled job starts no builds",
    429: "Jenkins limits the rate of requests",
    500: "Jenkins fails",
    503: "Jenkins is starting up, or shutting down",
}


def shorten(text: str) -> str:
    """Return text on one line: an HTML page would fill the screen."""
    line = "".join(each for each in " ".join(text.split()) if each.isprintable())
    return line if len(line) <= _LONGEST_MESSAGE else line[:_LONGEST_MESSAGE] + "…"
