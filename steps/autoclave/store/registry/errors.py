"""Explain why a registry refused a request or did not answer."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import msgspec
from msgspec import Struct

from autoclave.errors import StoreError
from autoclave.store.registry.address import printable_url
from autoclave.store.registry.http import Answer, Broken

_LONGEST = 500  # characters of the registry's message

_NEXT = {
    401: "log in with 'docker login', or set CI_REGISTRY, CI_REGISTRY_USER and CI_REGISTRY_PASSWORD",
    403: "use an account that may pull from and push to this repository",
    404: "check the address, and that the repository or project exists",
    413: "the registry or a proxy before it limits the size: raise its limit",
    429: "the registry limits the rate of requests: wait, then repeat the step",
}


class RegistryError(StoreError):
    """A registry refused (`status`), or did not answer (status 0)."""

    status: int = 0
    retry_after: str = ""
    codes: frozenset[str] = frozenset()


class _Error(Struct):
    code: str = ""
    message: str = ""


class _Errors(Struct):
    errors: list[_Error] = []


def explain_refusal(method: str, answer: Answer, *, tried: str, mask: Callable[[str], str]) -> RegistryError:
    """Explain an error that the registry returned. `tried` names the credentials that were sent."""
    status = answer.status
    said = ": ".join([f"{status} {_phrase(status)}".strip(), *_messages(answer)])
    error = RegistryError(
        f"the registry refused {method} {printable_url(answer.url)}",
        why=mask(said)[:_LONGEST] + (f" (credentials: {mask(tried)})" if status in {401, 403} else ""),
        next=_NEXT.get(status, "see the registry's log, then repeat the step"),
    )
    error.status = status
    error.codes = frozenset(codes(answer))
    error.retry_after = answer.headers.get("Retry-After", "")
    return error


def explain_silence(url: str, broken: Broken) -> RegistryError:
    """Explain that there is no answer."""
    trust = "name its CA's certificate in SSL_CERT_FILE" if "certificate" in broken.why else ""
    return RegistryError(
        f"the registry does not answer: {printable_url(url)}",
        why=broken.why,
        next=trust or "check the address, the network and the registry's log, then repeat the step",
    )


def codes(answer: Answer) -> set[str]:
    """Return the registry's own error codes, such as NAME_UNKNOWN."""
    return {each.code for each in _errors(answer)}


def _messages(answer: Answer) -> list[str]:
    return [": ".join(filter(None, (each.code, each.message))) for each in _errors(answer)]


def _errors(answer: Answer) -> list[_Error]:
    try:
        return msgspec.json.decode(answer.body, type=_Errors).errors
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
