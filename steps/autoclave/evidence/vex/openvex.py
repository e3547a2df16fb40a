"""OpenVEX documents: read a supplier's, and write our decisions so that others' scanners act on them.

Sources: OpenVEX specification 0.2.0; openvex/go-vex 0.2.7, with which Trivy 0.74 and Grype 0.121 compare.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field

from autoclave.errors import RecordError
from autoclave.evidence.vex.document import Claim, Document, name
from autoclave.model import purl
from autoclave.model.declared import Justification, SignedWaiver, VexStatus, Waiver
from autoclave.model.digest import Digest, digest_of
from autoclave.model.facts import Finding
from autoclave.model.moment import Moment
from autoclave.model.vex import Named, Product, Statement

CONTEXT = "https://openvex.dev/ns/v0.2.0"
TYPES = "https://openvex.dev/ns"
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class _Vulnerability(Struct, rename={"id": "@id"}):
    name: str
    id: str = ""
    aliases: list[str] = []


class _Component(Struct, rename={"id": "@id"}):
    id: str = ""
    identifiers: dict[str, str] = {}
    hashes: dict[str, str] = {}


class _Product(_Component, rename={"id": "@id"}):
    subcomponents: list[_Component | str] = []


class _Statement(Struct):
    vulnerability: _Vulnerability | str
    status: VexStatus
    products: list[_Product | str] = []
    justification: Justification | None = None
    impact_statement: str = ""
    action_statement: str = ""
    status_notes: str = ""
    timestamp: Moment | None = None


class _Document(Struct):
    context: str = field(name="@context")
    author: str
    timestamp: Moment
    statements: list[_Statement]


def read(raw: bytes, subjects: Sequence[Named]) -> Document:
    """Read a document. `subjects` are what the attestation is about: the products of what names none."""
    found = msgspec.json.decode(raw, type=_Document)
    if not found.context.startswith(TYPES):
        raise RecordError("it is not of OpenVEX", why=f"@context: {found.context[:200]}")
    claims = tuple(claim for said in found.statements for claim in _claims(said, found.timestamp, subjects))
    return Document(author=found.author, claims=claims)


def _claims(said: _Statement, issued: datetime, subjects: Sequence[Named]) -> Iterator[Claim]:
    names = _names_of(said.vulnerability)
    # Without any product a warning is about whatever has the vulnerability, and nothing else is certain.
    for product, parts in _things(said.products) or [(each, [None]) for each in subjects or (Named(),)]:
        for part in parts:
            yield Claim(
                statement=Statement(names=names, product=product, part=part),
                status=said.status,
                created=said.timestamp or issued,
                justification=said.justification,
                rationale=said.impact_statement or said.action_statement or said.status_notes,
            )


def _names_of(vulnerability: _Vulnerability | str) -> tuple[str, ...]:
    if isinstance(vulnerability, str):  # as OpenVEX wrote it before 0.2.0
        return (vulnerability,)
    # The last part of an IRI such as https://nvd.nist.gov/vuln/detail/CVE-2021-44228 is a name too.
    last = vulnerability.id.rstrip("/").rpartition("/")[2]
    return tuple(filter(None, dict.fromkeys((vulnerability.name, *vulnerability.aliases, last)))) or (
        "unnamed",
    )


def _things(products: Iterable[_Product | str]) -> list[tuple[Named, Sequence[Named | None]]]:
    return [
        (_name(each), [_name(part) for part in each.subcomponents] or [None])
        if isinstance(each, _Product)
        else (_name(each), [None])
        for each in products
    ]


def _name(component: _Component | str) -> Named:
    if isinstance(component, str):
        return name([component])
    sha256 = [value for kind, value in component.hashes.items() if kind.lower() in {"sha-256", "sha256"}]
    others = [f"{kind}:{value}" for kind, value in component.hashes.items() if value not in sha256]
    good = [each for each in sha256 if _SHA256.fullmatch(each)]
    return name([component.id, *component.identifiers.values()], sha256=good, others=others)


def write(
    waived: Sequence[tuple[SignedWaiver, Sequence[Finding]]], *, product: Product, author: str, now: datetime
) -> dict[str, Any]:
    """Return our decisions about an image as an OpenVEX document, one statement for each finding.

    Of several decisions about one finding the newest is written: readers differ in which one they take.
    """
    newest: dict[tuple[str, str], tuple[Waiver, Finding]] = {}
    for signed, findings in sorted(waived, key=lambda each: each[0].waiver.created):
        newest |= {(one.id, one.purl): (signed.waiver, one) for one in findings if purl.parse(one.purl)}
    products = _products(product)
    statements = [_statement(waiver, finding, products) for waiver, finding in newest.values()]
    body = {"author": author, "timestamp": now, "version": 1, "statements": statements}
    digest = Digest(digest_of(msgspec.json.encode(statements))).hex
    return {"@context": CONTEXT, "@id": f"urn:autoclave:vex:{digest}", **body}


def _products(product: Product) -> list[dict[str, Any]]:
    """Return an image by each name under which a scanner may see it.

    Trivy and Grype make the name of the last part of the repository's. Neither address nor architecture is
    named: the digest says which image it is, wherever it was copied to.
    """
    digest = Digest(product.digest).hex
    return [
        {"@id": text, "identifiers": {"purl": text}, "hashes": {"sha-256": digest}}
        for each in product.names
        if (text := purl.write("oci", each, product.digest))
    ]


def _statement(waiver: Waiver, finding: Finding, products: Sequence[dict[str, Any]]) -> dict[str, Any]:
    parts = [{"@id": each, "identifiers": {"purl": each}} for each in purl.spellings(finding.purl)]
    vulnerability: dict[str, Any] = {"name": finding.id}
    if finding.aliases:
        vulnerability["aliases"] = finding.aliases
    said: dict[str, Any] = {
        "vulnerability": vulnerability,
        "products": [{**each, "subcomponents": parts} for each in products],
        "status": waiver.status,
        "timestamp": waiver.created,
    }
    if waiver.status is VexStatus.AFFECTED:
        return said | {"action_statement": waiver.rationale}
    if waiver.status is not VexStatus.NOT_AFFECTED:
        return said | {"status_notes": waiver.rationale}
    # Readers of the schema refuse a statement that has both.
    if waiver.justification:
        return said | {"justification": waiver.justification, "status_notes": waiver.rationale}
    return said | {"impact_statement": waiver.rationale}
