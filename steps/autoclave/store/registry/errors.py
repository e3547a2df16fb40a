"""Explain why a registry refused a request or did not answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus

import msgspec
from msgspec import Struct

from autoclave.errors import StoreError
from autoclave.store.registry.address import printable_url
from autoclave.store.registry.http import Answer, Broken

_LONGEST = 500  # characters of the registry's message
_IMMUTABLE = re.compile(r"immutab|overwrit|TAG_INVALID", re.IGNORECASE)
_TITLES = 64 * 1024  # bytes of a page in which its title is
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,1000})</title", re.IGNORECASE)

_PROXY = "name the proxy with user and password in HTTPS_PROXY, or except the registry from it in NO_PROXY"
_NEXT = {
    401: "log in with 'docker login', or set CI_REGISTRY, CI_REGISTRY_USER and CI_REGISTRY_PASSWORD",
    403: "use an account that may pull from and push to this repository",
    404: "check the address, and that the repository or project exists",
    407: _PROXY,
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
    said = ": ".join([f"{status} {_phrase(status)}".strip(), *_messages(answer), *_page(answer)])
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
    hint = "name its CA's certificate in SSL_CERT_FILE" if "certificate" in broken.why else ""
    if broken.why.startswith("the proxy"):
        hint = _PROXY
    return RegistryError(
        f"the registry does not answer: {printable_url(url)}",
        why=broken.why,
        next=hint or "check the address, the network and the registry's log, then repeat the step",
    )


def refuse_page(answer: Answer) -> Answer:
    """Return an answer; raise RegistryError when it is a web page, such as a proxy's or a login."""
    if page := _page(answer):
        raise RegistryError(
            f"{printable_url(answer.url)} is not a registry's answer",
            why=page[0],
            next="check the address; a proxy that asks for a login must be passed first "
            "(HTTPS_PROXY, NO_PROXY)",
        )
    return answer


def _page(answer: Answer) -> list[str]:
    """Return that an answer is a web page, with its title; nothing when it is none."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    start = answer.body[:_LONGEST].decode("utf-8", "replace").lstrip().lower()
    if kind not in {"text/html", "application/xhtml+xml"} and not start.startswith(
        ("<!doctype html", "<html")
    ):
        return []
    title = _TITLE.search(answer.body[:_TITLES].decode("utf-8", "replace"))
    named = f", {' '.join(title[1].split())[:100]!r}" if title else ""
    return [f"a web page{named}, as a proxy or a login page sends"]


def explain_rewriting(host: str, sent: str, stored: str) -> RegistryError:
    """Explain that a registry changed a manifest, whose digest no signature names then."""
    return RegistryError(
        f"the registry {host} stored another manifest than was sent",
        why=f"sent was {sent}, stored is {stored[:100]}: it converts manifests",
        next="switch the conversion off (OCI manifests must be kept byte for byte), or use another registry",
    )


def is_immutable(refused: RegistryError) -> bool:
    """Return whether a registry refused because a tag may not move: Harbor answers 412, ECR 400."""
    return refused.status in {409, 412} or bool(
        refused.status in {400, 403, 405} and _IMMUTABLE.search(refused.why)
    )


def explain_immutable(tag: str, refused: RegistryError) -> RegistryError:
    """Explain that a tag cannot be moved. Harbor, ECR and Artifactory have rules for tags."""
    error = RegistryError(
        f"the registry does not let the tag '{tag}' move",
        why=f"it refers to another manifest, and the registry refused: {refused.why}",
        next="except the tags that move from its rule for immutable tags: the images' names, *.released, "
        "newest.release and sha256-*; those of versions never move",
    )
    error.status, error.codes = refused.status, refused.codes
    return error


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
