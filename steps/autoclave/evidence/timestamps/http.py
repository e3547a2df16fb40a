"""Ask a time-stamping authority over HTTP (RFC 3161, 3.4)."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import Any

from autoclave.errors import TimestampError

_LARGEST = 1 << 20  # bytes of a reply: with a chain of certificates some 10,000
_SECONDS = 30


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: the authority is the one that was named."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse."""


def post(url: str, query: bytes) -> bytes:
    """Send a query and return the reply, unverified. Raises TimestampError."""
    if not url.startswith(("https://", "http://")):
        raise TimestampError(
            f"{url} is not the address of a time-stamping authority", next="give an https:// URL"
        )
    request = urllib.request.Request(  # noqa: S310 -- the scheme was checked
        url, query, {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    )
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=_SECONDS) as answer:
            kind = answer.headers.get_content_type()
            reply: bytes = answer.read(_LARGEST + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = str(error)
        if isinstance(error, urllib.error.HTTPError):  # it holds the connection
            why = f"{error.code} {error.reason}"
            error.close()
        raise TimestampError(
            f"the time-stamping authority {url} does not answer", why=why, next="retry, or name another"
        ) from error
    if kind != "application/timestamp-reply" or len(reply) > _LARGEST:
        raise TimestampError(
            f"{url} is not a time-stamping authority",
            why=f"it answered with {len(reply)} bytes of {kind}",
            next="name the URL that accepts RFC 3161 queries by POST",
        )
    return reply
