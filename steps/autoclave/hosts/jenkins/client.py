"""python-jenkins with a limited number of retries, without redirects to other servers, and with our errors.

What python-jenkins itself does and is changed here: it follows redirects with the crumb's header to any
server, verifies no certificates when PYTHONHTTPSVERIFY is 0, adds the headers that
JENKINS_API_EXTRA_HEADERS names, never retries, waits without a limit, and hides the status of an error.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import urlencode, urljoin, urlsplit

import jenkins

from autoclave import __version__
from autoclave.hosts.jenkins.errors import ErrorAnswer, ForeignRedirect, UnclearAnswer, shorten
from autoclave.hosts.jenkins.settings import Server
from autoclave.runtime.retry import BUSY, Retry

# python-jenkins has objects of the library below it in its interface; all of them use its session.
Request = jenkins.requests.Request
Response: TypeAlias = Any

TIMEOUT = 30.0  # seconds without an answer
_LARGEST = 64 << 20  # bytes of one answer
_HOPS = 3  # redirects on the same server that a GET may follow
# A POST to these is idempotent.
_SET = ("/config.xml", "/submitDescription")


class Client(jenkins.Jenkins):  # type: ignore[misc] # python-jenkins has no types
    """A connection that repeats reads and idempotent writes while the server is busy."""

    def __init__(self, server: Server, *, sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__(server.url, server.account.user, server.account.token, timeout=TIMEOUT)
        # After python-jenkins has read the environment: nothing in it may weaken the connection.
        vars(self)["_auths"][1:] = []  # where a Kerberos library is installed, it would be tried as well
        self._session.verify = True
        self._session.headers.clear()
        self._session.headers.update({"User-Agent": f"autoclave/{__version__}", "Accept": "*/*"})
        self._retry = Retry(sleep)

    def get(self, path: str, **query: str) -> Response:
        """GET a path below the server's address."""
        return self.jenkins_request(Request("GET", urljoin(self.server, path), params=query))

    def post_form(self, path: str, data: dict[str, str]) -> Response:
        """POST a form to a path below the server's address; values are never part of an address."""
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
        return self.jenkins_request(
            Request("POST", urljoin(self.server, path), data=urlencode(data), headers=headers)
        )

    def jenkins_request(self, req: Any, *args: Any, **kwargs: Any) -> Any:
        """Make a request; once more with a new crumb when the old one is not valid any more."""
        try:
            return super().jenkins_request(req, *args, **kwargs)
        except ErrorAnswer as error:
            known: Any = getattr(self, "crumb", None)
            # A crumb ends with its web session (jenkins.io/doc/book/security/csrf-protection).
            if error.status != 403 or not known or "crumb" not in error.text.lower():
                raise
        self.crumb = None
        return super().jenkins_request(req, *args, **kwargs)

    def _request(self, req: Any, stream: bool | None = None) -> Response:
        prepared = self._session.prepare_request(req)
        repeatable = req.method == "GET" or urlsplit(str(prepared.url)).path.endswith(_SET)
        for _ in range(_HOPS):
            answer = self._send_with_retries(prepared, repeatable)
            where = self._redirect_target(answer, str(req.method))
            if where is None:
                return answer
            prepared = self._session.prepare_request(Request("GET", where))
        raise ForeignRedirect("the server redirects in a circle")

    def _send_with_retries(self, prepared: Any, repeatable: bool) -> Response:
        def attempt() -> Response:
            try:
                answer = self._send(prepared)
            except OSError as error:  # every failure below HTTP: refused, reset, timed out, not resolved
                if repeatable:
                    raise
                raise UnclearAnswer from error
            if not repeatable and answer.status_code in BUSY and answer.status_code != 429:
                raise UnclearAnswer from ErrorAnswer(answer.status_code, _error_text(answer))
            return answer

        return self._retry(attempt, _retry_after)

    def _send(self, prepared: Any) -> Response:
        """Send once, and read the answer up to a limit: an endless log must not fill the memory."""
        settings = self._session.merge_environment_settings(
            prepared.url, {}, True, self._session.verify, None
        )
        answer = self._session.send(prepared, timeout=self.timeout, allow_redirects=False, **settings)
        body = bytearray()
        for piece in answer.iter_content(1 << 16):
            body += piece
            if len(body) > _LARGEST:
                answer.close()
                raise OSError(f"the answer has more than {_LARGEST >> 20} MiB")
        answer._content = bytes(body)
        return answer

    def _redirect_target(self, answer: Response, verb: str) -> str | None:
        """Return where a redirect leads to, None when there is nothing to follow. Raises Elsewhere.

        Jenkins answers a POST that it has done with a redirect (302) to a page for people: that page is not
        requested. Only a redirect on the same server counts as such an answer.
        """
        if answer.status_code not in (301, 302, 303, 307, 308):
            return None
        where = urljoin(str(answer.url), answer.headers.get("Location", ""))
        if _origin(where) != _origin(self.server):
            raise ForeignRedirect(f"it redirects to {_origin(where)}")
        path = urlsplit(where).path
        if path.rstrip("/").endswith(("/login", "/loginError")) or "/securityRealm/" in path:
            raise ErrorAnswer(401, "the server requires a login")
        if verb != "GET" and answer.status_code not in (302, 303):
            raise ForeignRedirect(f"it has moved to {path}")
        return where if verb == "GET" else None

    def _response_handler(self, response: Response) -> Response:
        if response.status_code == 404:
            raise jenkins.NotFoundException(_error_text(response) or "404")
        if response.status_code >= 400:
            raise ErrorAnswer(response.status_code, _error_text(response))
        return response


def _retry_after(outcome: Any) -> str | None:
    if isinstance(outcome, Exception):
        return "" if isinstance(outcome, OSError) else None
    asked: str = outcome.headers.get("Retry-After", "")
    return asked if outcome.status_code in BUSY else None


def _origin(url: str) -> str:
    """Return scheme, host and port of an address."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _error_text(answer: Response) -> str:
    """Return the message of an error: Jenkins has it in X-Error, else in a page for people."""
    text = answer.headers.get("X-Error") or ""
    if not text:
        page = answer.content[:20_000].decode("utf-8", "replace")
        missing = re.search(r"[^<>\s]+ is missing the [^<>]{1,60} permission", page)
        text = missing[0] if missing else re.sub(r"(?s)<(script|style|head)\b.*?</\1>|<[^>]*>", " ", page)
    return shorten(text)
