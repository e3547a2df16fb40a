"""One HTTP request, one answer. The only module that knows `requests`.

No .netrc, no cookies, and no redirects are followed here. Proxy variables and REQUESTS_CA_BUNDLE or
SSL_CERT_FILE are used on purpose.
"""

from __future__ import annotations

import os
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path

import requests
from requests.utils import get_environ_proxies

from autoclave.model.place import is_loopback
from autoclave.store.registry.address import origin_of

CONNECT, READ = 10.0, 60.0
"""Timeouts of a connection, and of each piece of an answer, in seconds."""

CHUNK = 256 * 1024
"""Bytes of a piece of an answer; a broken download continues after the last whole piece."""


_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3}[A-Za-z -]{0,60})")
"""What `http.client` raises when a proxy opens no connection to the registry."""


class Broken(Exception):
    """There is no complete answer. `final` when a retry cannot help."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.final = final


class Answer:
    """An answer: its status, its headers, and its body, which is not received until it is read."""

    def __init__(self, url: str, response: requests.Response) -> None:
        self.url = url
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.body = b""
        self._response = response
        self._is_read = False

    def read(self, limit: int) -> Answer:
        """Read the body to its end, at most `limit` bytes of it; raise Broken when it is cut short."""
        if self._is_read:
            return self
        self._is_read = True
        pieces, size = [], 0
        for piece in self.chunks():
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                self.close()
                raise Broken(f"the answer has more than {limit} bytes", final=True)
        self.body = b"".join(pieces)
        return self

    def chunks(self) -> Iterator[bytes]:
        """Stream the body; raise Broken when it is cut short. Content-Length is enforced."""
        try:
            yield from self._response.iter_content(CHUNK)
        except OSError as error:
            raise _explain(error) from error
        finally:
            self.close()

    def close(self) -> None:
        """Release the connection."""
        self._response.close()


class Wire:
    """Sends requests; one session per thread, so that connections are reused but never shared."""

    def __init__(self, ca: Path | None) -> None:
        """Trust the certificates that `ca` signed, else the bundle of the environment or the default one."""
        given = str(ca or "") or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
        self._verify: str | bool = given or True
        self._local = threading.local()

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Send a request and return the answer as soon as its headers are there; raise Broken."""
        host = origin_of(url)[1]
        if not host:
            raise Broken("its URL is malformed", final=True)
        try:
            response = self._session().request(
                method,
                url,
                # Without compression: the bytes are hashed, and downloads continue at an offset.
                headers={"Accept-Encoding": "identity", **headers},
                data=body,
                timeout=(CONNECT, READ),
                allow_redirects=False,
                stream=True,
                proxies={} if is_loopback(host) else get_environ_proxies(url),
                verify=self._verify,
            )
        except (OSError, ValueError) as error:  # what requests raises, and an unreadable bundle
            raise _explain(error) from error
        return Answer(url, response)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            self._local.session = session
        return session


def _explain(error: OSError | ValueError) -> Broken:
    """Explain why there is no answer, without the text of `requests`, which has whole URLs."""
    chain = list(_chain(error))
    for each in chain:
        if isinstance(each, ssl.SSLCertVerificationError):
            return Broken(f"its certificate is not trusted: {each.verify_message}", final=True)
    if isinstance(error, requests.exceptions.ProxyError):
        return _explain_proxy(chain)
    return _explain_silence(error, chain)


def _explain_proxy(chain: list[BaseException]) -> Broken:
    if refused := next(filter(None, (_TUNNEL.search(str(each)) for each in chain)), None):
        return Broken(f"the proxy refused the connection: {refused[1].strip()}", final=refused[1][:1] == "4")
    reasons = [each.strerror for each in chain if isinstance(each, OSError) and each.strerror]
    return Broken(f"the proxy does not answer: {reasons[-1] if reasons else 'it closed the connection'}")


def _explain_silence(error: OSError | ValueError, chain: list[BaseException]) -> Broken:
    if isinstance(error, requests.ConnectTimeout):
        return Broken(f"no connection within {CONNECT:g} s")
    if isinstance(error, requests.Timeout) or any(isinstance(each, TimeoutError) for each in chain):
        return Broken(f"no data within {READ:g} s")
    if isinstance(error, ValueError):
        return Broken("its URL is malformed", final=True)
    if not isinstance(error, requests.RequestException) and error.errno is None:
        return Broken(f"the certificate bundle cannot be used: {error}", final=True)
    reasons = [each.strerror for each in chain if isinstance(each, OSError) and each.strerror]
    return Broken(reasons[-1] if reasons else "the connection was closed before the answer was complete")


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        each = queue.pop(0)
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            queue += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
