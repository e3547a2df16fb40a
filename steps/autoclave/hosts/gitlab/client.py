"""python-gitlab with a limited number of retries, without redirects, and with our errors.

python-gitlab itself retries too eagerly for a pipeline: it repeats a POST after a gateway error (a second
note), sleeps as long as `Retry-After` says, and fails on one that is a date.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import gitlab
from gitlab import exceptions

from autoclave import __version__
from autoclave.errors import HostError
from autoclave.hosts.gitlab.permissions import Need
from autoclave.hosts.gitlab.settings import Server
from autoclave.runtime.redact import Mask
from autoclave.runtime.retry import BUSY, Retry

T = TypeVar("T")

TIMEOUT = 30.0  # seconds without an answer
_LONGEST_MESSAGE = 500


class UnclearAnswer(Exception):
    """A POST got no clear answer: the server may have done it. Its cause is what happened."""


class Client(gitlab.Gitlab):
    """A connection that repeats what may be repeated: everything but a POST that the server may have done."""

    def __init__(self, server: Server, *, sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__(
            server.url,
            ssl_verify=server.ca or True,
            timeout=TIMEOUT,
            per_page=100,
            user_agent=f"autoclave/{__version__}",
            keep_base_url=True,
            job_token=server.token.value if server.token.job else None,
            private_token=None if server.token.job else server.token.value,
        )
        # Following a redirect would carry the token's header to wherever it points.
        self.session.max_redirects = 0
        self.session.hooks["response"].append(self._keep_retry_after)
        self._retry = Retry(sleep)
        self._retry_after = ""

    def http_request(self, verb: str, path: str, *args: Any, **kwargs: Any) -> Any:
        """Make a request; repeat it a few times while the server is busy or cannot be reached."""
        if "://" in path and not path.startswith(f"{self.api_url}/"):
            raise exceptions.RedirectError(f"the server redirects to another one: {path}")
        kwargs |= {"obey_rate_limit": False, "retry_transient_errors": False}

        def attempt() -> Any:
            self._retry_after = ""
            try:
                return super(Client, self).http_request(verb, path, *args, **kwargs)
            except exceptions.GitlabHttpError as error:
                if verb == "post" and error.response_code in BUSY and error.response_code != 429:
                    raise UnclearAnswer from error
                raise
            except OSError as error:  # every failure below HTTP: refused, reset, timed out, not resolved
                if verb == "post":
                    raise UnclearAnswer from error
                raise

        def retry_after(outcome: Any) -> str | None:
            is_busy = isinstance(outcome, exceptions.GitlabHttpError) and outcome.response_code in BUSY
            return self._retry_after if is_busy or isinstance(outcome, OSError) else None

        return self._retry(attempt, retry_after)

    def repeat_unclear(self, call: Callable[[], T]) -> T:
        """Run a find-or-create; when its POST got no clear answer, run it again from its find on."""
        return self._retry(call, lambda outcome: "" if isinstance(outcome, UnclearAnswer) else None)

    def _keep_retry_after(self, response: Any, **_: Any) -> None:
        self._retry_after = response.headers.get("Retry-After", "")


@contextmanager
def translate_errors(need: Need, mask: Mask) -> Iterator[None]:
    """Turn every error of the connection into HostError, which says what the action needs."""
    try:
        yield
    except (exceptions.GitlabError, OSError, UnclearAnswer) as error:
        cause = error.__cause__ if isinstance(error, UnclearAnswer) else error
        if isinstance(cause, exceptions.GitlabError):
            raise _to_host_error(cause, need, mask) from None
        redirected = type(cause).__name__ == "TooManyRedirects"
        raise HostError(
            f"GitLab {'answers from another address' if redirected else 'does not answer'} ({need.action})",
            why=mask(_short(cause)),
            next="name the server by the address that it redirects to: the token is not sent after it"
            if redirected
            else "check that the server is up, then retry",
        ) from None


def find_or_none(call: Callable[[], T]) -> T | None:
    """Return what a call finds, or None when the server answers that it does not exist."""
    try:
        return call()
    except exceptions.GitlabError as error:
        if error.response_code == 404:
            return None
        raise


def _to_host_error(error: exceptions.GitlabError, need: Need, mask: Mask) -> HostError:
    status = error.response_code or 0
    what = {
        0: "GitLab's answer is invalid",
        401: "GitLab does not accept the token",
        403: "GitLab does not allow this to the token",
        404: "GitLab does not find it, or hides it from this token",
        409: "GitLab reports a conflict with what exists already",
        429: "GitLab limits the rate of requests",
    }.get(status, f"GitLab failed with status {status}" if status >= 500 else "GitLab refuses the request")
    next_ = need.sentence if status in (401, 403, 404) else "retry later"
    if status in (400, 409, 422):
        next_ = f"see {need.page}"
    made = HostError(f"{what} ({need.action})", why=mask(_short(error)), next=next_)
    made.status = status
    return made


def _short(error: BaseException | None) -> str:
    """Return an error's text on one line: an HTML page of a proxy would fill the screen."""
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"
