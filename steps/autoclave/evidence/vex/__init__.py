"""Suppliers' signed VEX documents, in three formats, as statements that gates can judge.

A document is the predicate of an attestation; its type says which format it has. The same decisions of ours
are written by `openvex` and `cyclonedx_export`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from autoclave.errors import RecordError
from autoclave.evidence import dsse
from autoclave.evidence.statement import PAYLOAD_TYPE, Statement, parse
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.evidence.vex import csaf, cyclonedx, openvex
from autoclave.evidence.vex.document import Claim, Document
from autoclave.model import purl
from autoclave.model.declared import Scope, SignedWaiver, Waiver
from autoclave.model.digest import digest_of
from autoclave.model.vex import IMAGES, Named

_READERS: dict[str, Callable[[bytes, Sequence[Named]], Document]] = {
    openvex.TYPES: openvex.read,
    csaf.TYPES: csaf.read,
    cyclonedx.TYPES: cyclonedx.read,
}
_VALID = timedelta(days=365)  # a document has no end of its own
_MOST = 20_000
"""Claims of one document: each is judged against everything that was found."""


def verify(raw: bytes, trust: Trust, *, name: str, device: str) -> tuple[SignedWaiver, ...]:
    """Return what a supplier's signed VEX document states, one waiver for each thing that it is about.

    `defect` says why one does not count: nobody signed it who may sign for that package. Raises RecordError
    when the file does not contain a document.
    """
    payload, kind, _ = dsse.decode(raw)
    statement = parse(payload)
    document = _read(statement, kind, name)
    if len(document.claims) > _MOST:
        raise RecordError(f"{name} makes more than {_MOST} statements")
    _, _, good = dsse.verify(raw, [each.key for each in trust.keys])
    suppliers = [each for each in trust.keys if each.key in good and "vex" in each.may]
    digest, packages = (
        digest_of(raw),
        tuple(dict.fromkeys(one for each in suppliers for one in each.packages)),
    )
    return tuple(
        SignedWaiver(
            waiver=_waiver(claim, document, f"{_id_of(name)}-{number}", device),
            digest=digest,
            supplier=suppliers[0].name if suppliers else document.author,
            defect=_defect(claim, suppliers) or document.defect,
            statement=claim.statement,
            packages=packages,
        )
        for number, claim in enumerate(document.claims, 1)
    )


def _read(statement: Statement, kind: str, name: str) -> Document:
    read = next(
        (each for start, each in _READERS.items() if statement.predicate_type.startswith(start)), None
    )
    if kind != PAYLOAD_TYPE or read is None:
        raise RecordError(
            f"{name} does not contain an OpenVEX, CSAF or CycloneDX document",
            why=statement.predicate_type[:200],
        )
    try:
        return read(statement.predicate, list(_subjects(statement)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"{name} is not a usable VEX document", why=str(error)[:500]) from error
    except RecordError as error:
        raise RecordError(f"{name} is not a usable VEX document: {error.what}", why=error.why) from error


def _subjects(statement: Statement) -> Iterator[Named]:
    """Return what the attestation is about: the products of a statement that names none."""
    for each in statement.subject:
        found = each.digest.get("sha256", "")
        digests = (f"sha256:{found}",) if re.fullmatch(r"[0-9a-f]{64}", found) else ()
        if digests or each.digest:
            others = () if digests else tuple(f"{name}:{value}" for name, value in each.digest.items())
            yield Named(digests=digests, others=others)


def _id_of(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", name).lstrip("._-")[:80] or "vex"


def _waiver(claim: Claim, document: Document, name: str, device: str) -> Waiver:
    about = claim.statement.part or claim.statement.product
    text = next(iter(about.purls), "")
    return Waiver(
        id=name,
        device=device,
        finding=claim.statement.names[0][:200],
        scope=Scope(
            package=purl.package_of(text) or str(about), versions=purl.version_of(text) or about.versions
        ),
        status=claim.status,
        justification=claim.justification,
        rationale=claim.rationale[:4000] or "not given",
        author=document.author,
        created=claim.created,
        expires=_end_of(claim.created),
    )


def _end_of(created: datetime) -> datetime:
    """Return until when a document counts; one from the end of the calendar has no later day."""
    try:
        return created + _VALID
    except OverflowError:
        return created


def _defect(claim: Claim, suppliers: Sequence[TrustedKey]) -> str:
    """Return why nobody who signed may sign for the package that a claim names; empty when somebody may.

    Of a claim about a whole image, or without a package, the gate judges it for each finding.
    """
    if not suppliers:
        return 'it is not signed with a supplier\'s key of the trust file (may = ["vex"])'
    named = claim.statement.part or claim.statement.product
    packages = [package for each in named.purls if (package := purl.package_of(each))]
    whole = any(purl.type_of(each) in IMAGES for each in packages)
    patterns = [one for each in suppliers for one in each.packages]
    if not packages or whole or any(purl.is_listed(each, patterns) for each in packages):
        return ""
    lists = ", ".join(f"{each.name} may sign for {', '.join(each.packages)}" for each in suppliers)
    return f"the trust file lets no signer sign for {packages[0]}: {lists}"
