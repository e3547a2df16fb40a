"""The authorisation that a registry requires: Basic, or a Bearer token from its token server.

Source: RFC 9110 (11.6.1, WWW-Authenticate); distribution, docs/spec/auth/token.md and oauth.md.
"""

from __future__ import annotations

import base64
import os
import re
import threading
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from autoclave.errors import StoreError
from autoclave.model.place import is_loopback
from autoclave.runtime.redact import Mask
from autoclave.runtime.retry import Retry
from autoclave.store.registry import realm as realms
from autoclave.store.registry.address import Address, printable_url
from autoclave.store.registry.auth import Credentials
from autoclave.store.registry.errors import explain_refusal
from autoclave.store.registry.http import Answer, Wire
from autoclave.store.registry.retry import send_until_answered

_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_NEXT_SCHEME = re.compile(rf"\s*,?\s*(?P<scheme>{_WORD})(?:\s+(?=\S)|\s*\Z|\s*(?=,))")
_PARAMETER = re.compile(
    rf'\s*,?\s*(?P<key>{_WORD})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]+))'
)
_ANSWER = 1024 * 1024

Source = Callable[[str], Credentials | None]
"""Finds the credentials for `HOST[:PORT]/REPOSITORY`."""


class Challenge(Struct, frozen=True):
    """One scheme of a WWW-Authenticate header, lower case, with its parameters."""

    scheme: str
    parameters: dict[str, str]


class _TokenAnswer(Struct):
    token: str = ""
    access_token: str = ""


def parse_challenges(header: str) -> list[Challenge]:
    """Parse a WWW-Authenticate header, up to what cannot be parsed."""
    found: list[Challenge] = []
    at = 0
    while match := _NEXT_SCHEME.match(header, at):
        at = match.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, at):
            at = parameter.end()
            value = parameter["plain"] or re.sub(r"\\(.)", r"\1", parameter["quoted"] or "")
            parameters[parameter["key"].lower()] = value
        found.append(Challenge(match["scheme"].lower(), parameters))
    return found


class Authority:
    """The Authorization header for one repository, renewed when the registry no longer accepts it."""

    def __init__(self, address: Address, source: Source, wire: Wire, retry: Retry) -> None:
        self.mask = Mask()
        self.header = ""
        self._address = address
        self._source = source
        self._wire = wire
        self._retry = retry
        self._lock = threading.Lock()
        self._asked = False
        self._credentials: Credentials | None = None

    @property
    def tried(self) -> str:
        """Which credentials were tried, without the secret."""
        if not self._asked:
            return "none were required"
        if self._credentials is None:
            return f"none were found for {self._address.host}"
        user = f"user {self._credentials.user!r}" if self._credentials.user else "a token"
        return f"{user} from {self._credentials.source}"

    def renew(self, answer: Answer, sent: str) -> bool:
        """Answer a challenge; `sent` was not accepted. Return whether to send the request again."""
        with self._lock:
            if self.header != sent:
                return True  # another thread was faster
            offered = {
                each.scheme: each for each in parse_challenges(answer.headers.get("WWW-Authenticate", ""))
            }
            credentials = self._find()
            if credentials and (offered.keys() & {"bearer", "basic"}):
                self._refuse_plain()
            if "bearer" in offered:
                self.header = f"Bearer {self._token(offered['bearer'].parameters, credentials)}"
            elif "basic" in offered and credentials and credentials.password:
                self.header = _basic(credentials)
            return self.header != sent

    def _find(self) -> Credentials | None:
        if not self._asked:
            self._credentials = self._source(f"{self._address.host}/{self._address.repository}")
            self._asked = True
            if found := self._credentials:
                secrets = [found.password, found.identity_token]
                self.mask.add([*secrets, _basic(found).removeprefix("Basic ")])
        return self._credentials

    def _token(self, parameters: dict[str, str], credentials: Credentials | None) -> str:
        """Get a token for this repository from the realm that the registry names."""
        realm = parameters.get("realm", "")
        self._refuse_realm(realm, credentials)
        wanted = {"scope": f"repository:{self._address.repository}:pull,push"}
        if service := parameters.get("service"):
            wanted["service"] = service
        if credentials and credentials.identity_token:
            form = {"grant_type": "refresh_token", "client_id": "autoclave"} | wanted
            form["refresh_token"] = credentials.identity_token
            answer = self._ask(
                "POST", realm, {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(form).encode()
            )
        else:
            joint = "&" if urlsplit(realm).query else "?"
            headers = {"Authorization": _basic(credentials)} if credentials else {}
            answer = self._ask("GET", f"{realm}{joint}{urlencode(wanted)}", headers)
        return self._parse_token(answer)

    def _ask(self, method: str, url: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        def attempt() -> Answer:
            return self._wire.send(method, url, headers=headers, body=body).read(_ANSWER)

        answer = send_until_answered(self._retry, attempt, url)
        if answer.status != 200:  # redirects too: the credentials are for this server alone
            raise explain_refusal(method, answer, tried=self.tried, mask=self.mask)
        return answer

    def _parse_token(self, answer: Answer) -> str:
        try:
            given = msgspec.json.decode(answer.body, type=_TokenAnswer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            given = _TokenAnswer()
        token = given.token or given.access_token
        # A token becomes part of a header: only a token's characters are accepted.
        if not re.fullmatch(r"[A-Za-z0-9._~+/=-]{1,32768}", token):
            raise StoreError(
                f"the token server returned no token: {printable_url(answer.url)}",
                why="its answer is not the JSON of a token",
                next="see the log of the token server",
            )
        self.mask.add([token])
        return token

    def _refuse_plain(self) -> None:
        """Refuse to send credentials unencrypted; on this machine they do not leave it."""
        scheme, host, _ = self._address.origin
        if scheme == "https" or is_loopback(host):
            return
        raise StoreError(
            f"the credentials for {self._address.host} are not sent",
            why="the connection is not encrypted (oci+http://), and everybody on the way could read them",
            next=f"serve the registry over https, or log out ('docker logout {self._address.host}') where it "
            "needs no user",
        )

    def _refuse_realm(self, realm: str, credentials: Credentials | None) -> None:
        named = realms.named_hosts(self._address, os.environ)
        why = realms.refusal(self._address, realm, named, anonymous=credentials is None)
        if not why:
            return
        raise StoreError(
            f"the token server of {self._address.host} is not trusted",
            why=why,
            next="serve the registry's token realm over https, on the registry's own host; if it is yours on "
            f"another host, name that in {realms.VARIABLE}",
        )


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.user}:{credentials.password}".encode()
    return "Basic " + base64.b64encode(pair).decode()
