"""Waivers as signed files: a statement in a DSSE envelope, signed by its author and by who approves it.

A waiver is a file in the device repository and goes through its review; a release includes it. Only keys of
persons count, whoever else signed.
"""

from __future__ import annotations

import msgspec
from securesystemslib.signer import Signer

from autoclave.errors import RecordError
from autoclave.evidence import dsse
from autoclave.evidence.statement import PAYLOAD_TYPE, TYPE, Statement, parse
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.model.declared import SignedWaiver, Waiver
from autoclave.model.digest import Digest, digest_of

PREDICATE = "urn:autoclave:predicate:waiver:v1"


def sign(waiver: Waiver, signer: Signer) -> bytes:
    """Return a waiver as an envelope with its author's signature."""
    scope = waiver.scope
    # A statement must name a digest; a waiver for versions of a package is about its name.
    digest = scope.digest or digest_of(scope.package.encode())
    subject = {"name": scope.package, "digest": {"sha256": Digest(digest).hex}}
    payload = msgspec.json.encode(
        {"_type": TYPE, "subject": [subject], "predicateType": PREDICATE, "predicate": waiver}
    )
    return dsse.sign(payload, PAYLOAD_TYPE, signer)


def read(raw: bytes) -> Waiver:
    """Return what an envelope says, *without verifying it*. Raises RecordError when it is not a waiver."""
    payload, kind, _ = dsse.decode(raw)
    if kind != PAYLOAD_TYPE:
        raise RecordError("the file does not contain a waiver", why=f"its payload is {kind[:100]}")
    return _waiver(parse(payload))


def verify(raw: bytes, trust: Trust) -> SignedWaiver:
    """Return a waiver and the persons who signed it; `defect` says why their signatures do not count."""
    waiver = read(raw)
    _, _, good = dsse.verify(raw, [each.key for each in trust.keys])
    keys = [each for each in trust.keys if each.key in good]
    persons = [each.person for each in keys if each.person and "waive" in each.may]
    ordered = sorted(persons, key=lambda person: person.id != waiver.author)
    return SignedWaiver(
        waiver=waiver,
        digest=digest_of(raw),
        persons=tuple(ordered),
        defect="" if persons else _explain_unsigned(raw, keys, trust),
    )


def countersign(raw: bytes, signer: Signer) -> bytes:
    """Return a waiver's envelope with one more signature over the same words."""
    return dsse.countersign(raw, signer)


def _waiver(statement: Statement) -> Waiver:
    if statement.predicate_type != PREDICATE:
        raise RecordError(
            "the file does not contain a waiver", why=f"it is a {statement.predicate_type[:200]}"
        )
    try:
        return msgspec.json.decode(statement.predicate, type=Waiver)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RecordError("the waiver is not of the expected form", why=str(error)) from error


def _explain_unsigned(raw: bytes, keys: list[TrustedKey], trust: Trust) -> str:
    if keys:
        return f"it is signed with {keys[0].label}, which is not a person's key for waivers"
    hints = {keyid for keyid, _ in dsse.decode(raw)[2]}
    if any(each.key.keyid in hints for each in trust.keys):
        return "its signature does not match its content"
    return f"it is not signed with a key that {trust.source} lists"
