"""Attach signed records to an image, and read them back verified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct, structs
from securesystemslib.signer import Signer

from autoclave.errors import RecordError, StoreError
from autoclave.evidence import dsse, sbom
from autoclave.evidence.statement import (
    APPROVAL,
    DEPLOYMENT,
    HOST_APPROVALS,
    NAME_OF,
    PAYLOAD_TYPE,
    ROLES_OF,
    SBOM,
    SEAL,
    VULNS,
    Statement,
    finish_time,
    info,
    is_about,
    parse,
)
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.evidence.trust_reasons import describe_place, explain_refusal
from autoclave.model.place import Destination
from autoclave.store.base import Store
from autoclave.store.oci import Descriptor, parse_manifest

_LARGEST = 1 << 30  # bytes of one record: 100,000 findings are some 100 MB

ARTIFACT_TYPE = "application/vnd.autoclave.record.v1+json"
PREDICATE_TYPE = "in-toto.io/predicate-type"
TITLE = "org.opencontainers.image.title"
CREATED = "org.opencontainers.image.created"
STAMP = "timestamp.tsr"
"""The title of the only file that comes after the signature, over which it is made."""


class Record(Struct, frozen=True, kw_only=True):
    """A verified record: signature, subject and key are good. `keys` are the trusted keys that signed it.

    `signed` is, for a seal alone, its envelope's bytes: what a time stamp is made over.
    """

    digest: str
    envelope: Descriptor
    statement: Statement
    keys: tuple[TrustedKey, ...]
    finished: datetime
    attachments: tuple[Descriptor, ...] = ()
    signed: bytes = b""

    @property
    def name(self) -> str:
        """The short name of its type."""
        return NAME_OF[self.statement.predicate_type]


class Rejected(Struct, frozen=True, kw_only=True):
    """Something attached as a record that does not verify, and why.

    `stray` means that no trusted key is known to have signed it about this image: anybody who may write to
    the store can attach such a thing. What is not stray was made with a trusted key, and is wrong.
    """

    digest: str
    name: str
    why: str
    stray: bool


class StrayRecord(RecordError):
    """What is attached as a record is not known to be by a trusted key, about this image."""


class RawRecord(Struct, frozen=True, kw_only=True):
    """A record as it is attached, not verified: its envelope, that one's bytes, and the files with it."""

    digest: str
    envelope: Descriptor
    raw: bytes
    files: tuple[Descriptor, ...] = ()


def attach(
    store: Store,
    image: Descriptor,
    payload: bytes,
    predicate_type: str,
    signer: Signer,
    *,
    attachments: Sequence[tuple[str, Descriptor]] = (),
    stamped: Callable[[bytes], Sequence[tuple[str, Descriptor]]] = lambda _: (),
) -> RawRecord:
    """Sign a statement and attach it, with the files that it names (see `name_files`); return the record.

    `stamped` is given the signed envelope before anything is attached, and returns more files.
    """
    raw = dsse.sign(payload, PAYLOAD_TYPE, signer)
    attachments = [*attachments, *stamped(raw)]
    envelope = store.write([raw], media_type=dsse.MEDIA_TYPE)
    layers = [_annotate(envelope, {PREDICATE_TYPE: predicate_type})]
    layers += [_annotate(descriptor, {TITLE: title}) for title, descriptor in attachments]
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    made = store.attach(
        image,
        artifact_type=ARTIFACT_TYPE,
        layers=layers,
        annotations={PREDICATE_TYPE: predicate_type, CREATED: now},
    )
    return RawRecord(digest=made.digest, envelope=layers[0], raw=raw, files=tuple(layers[1:]))


def name_files(predicate: dict[str, Any], attachments: Sequence[tuple[str, Descriptor]]) -> dict[str, Any]:
    """Return a predicate that names the files attached with it, so that none can be replaced."""
    files = {title: descriptor.digest for title, descriptor in attachments}
    return predicate | {"autoclave": structs.replace(predicate["autoclave"], files=files)}


def read_all(
    store: Store, image_digest: str, trust: Trust, *, destination: Destination | None = None
) -> tuple[list[Record], list[Rejected]]:
    """Read every record attached to an image, oldest first; what does not verify comes with its reason."""
    listed = store.referrers(image_digest, artifact_type=ARTIFACT_TYPE)
    return read_listed(store, listed, image_digest, trust, destination=destination)


def read_listed(
    store: Store,
    listed: Sequence[Descriptor],
    image_digest: str,
    trust: Trust,
    *,
    destination: Destination | None = None,
) -> tuple[list[Record], list[Rejected]]:
    """Read and verify the records that are listed for an image: good ones, oldest first, and the others."""
    good: list[Record] = []
    bad: list[Rejected] = []
    for descriptor in listed:
        try:
            raw = _read(store, descriptor.digest)
            good.append(verify(raw, image_digest, trust, destination=destination))
        except (RecordError, StoreError) as error:
            name = NAME_OF.get(descriptor.annotations.get(PREDICATE_TYPE, ""), "unknown")
            why = f"{error.what}: {error.why}" if error.why else error.what
            stray = isinstance(error, (StrayRecord, StoreError))
            bad.append(Rejected(digest=descriptor.digest, name=name, why=why, stray=stray))
    good.sort(key=lambda record: record.finished)
    return good, bad


def verify(
    raw: RawRecord, image_digest: str, trust: Trust, *, destination: Destination | None = None
) -> Record:
    """Verify a record's signature, and only then decode it, check what it is about and who signed it.

    A record about one environment (a deployment, an approval) is held to the keys of its place; a seal, which
    permits nothing, to those that may seal anywhere. Raises StrayRecord for what anybody could attach: what
    no trusted key signed, and what one signed as something else, or about something else. Raises RecordError
    for what a trusted key signed as a record of this image, and is wrong.
    """
    payload, kind, keys = _verify_signature(raw.raw, trust)
    if kind != PAYLOAD_TYPE:
        raise StrayRecord("the record's payload is not an in-toto statement", why=kind[:100])
    statement = parse(payload)
    if statement.predicate_type not in ROLES_OF:
        raise StrayRecord("the record is of an unknown type", why=statement.predicate_type[:200])
    if not is_about(statement, image_digest):
        raise StrayRecord(
            f"the {NAME_OF[statement.predicate_type]} record is about another image",
            why=f"its subjects do not include {image_digest}",
        )
    _refuse_unsigned(statement, raw.files)
    is_seal = statement.predicate_type == SEAL
    record = Record(
        digest=raw.digest,
        envelope=raw.envelope,
        statement=statement,
        keys=keys,
        finished=finish_time(statement),
        attachments=raw.files,
        signed=raw.raw if is_seal else b"",
    )
    if is_seal:
        return _restrict_keys(record, trust, None)
    named = _where(record)
    if named and not (destination and named.is_same(destination)):
        return _restrict_keys(record, trust, named.place)
    return _restrict_keys(
        record,
        trust,
        destination.place if destination else None,
        production=destination is not None and destination.production,
    )


def _read(store: Store, digest: str) -> RawRecord:
    layers = parse_manifest(store.read(digest), digest).layers
    if not layers or layers[0].media_type != dsse.MEDIA_TYPE:
        raise StrayRecord("the record's first layer is not a DSSE envelope")
    raw = store.read(layers[0].digest, limit=_LARGEST)
    return RawRecord(digest=digest, envelope=layers[0], raw=raw, files=tuple(layers[1:]))


def _refuse_unsigned(statement: Statement, files: Sequence[Descriptor]) -> None:
    """Refuse a record whose attached files are others than those that were signed with it."""
    signed = {} if statement.predicate_type == SBOM else info(statement).files
    found = [(each.annotations.get(TITLE, ""), each.digest) for each in files]
    if statement.predicate_type == SEAL:
        found = [each for each in found if each[0] != STAMP]
    if odd := set(found) ^ set(signed.items()):
        title, digest = min(odd)
        state = "is attached, and was not signed with it" if (title, digest) in found else "is not attached"
        raise StrayRecord(  # the envelope is public: anybody can attach it again, with other files
            f"the files of the {NAME_OF[statement.predicate_type]} record are not those that were signed",
            why=f"{title[:100] or 'a file without a name'} {digest} {state}",
        )


def _verify_signature(raw: bytes, trust: Trust) -> tuple[bytes, str, tuple[TrustedKey, ...]]:
    """Return payload, its type and the trusted keys that signed; explain when there is none."""
    try:
        payload, kind, good = dsse.verify(raw, [each.key for each in trust.keys])
    except RecordError as error:
        raise StrayRecord(error.what, why=error.why) from error
    if good:
        return payload, kind, tuple(each for each in trust.keys if each.key in good)
    # The key id is a hint, and not signed: whoever names one of ours need not have it.
    hints = [keyid for keyid, _ in dsse.decode(raw)[2]]
    shown = ", ".join(hint[:12] or "without id" for hint in hints)
    if any(each.key.keyid in hints for each in trust.keys):
        raise StrayRecord("the record's signature does not match its content", why=f"key {shown}")
    raise StrayRecord("the record is signed by an unknown key", why=f"key {shown} is not in {trust.source}")


def _restrict_keys(record: Record, trust: Trust, place: str | None, *, production: bool = False) -> Record:
    """Return the record with those of its keys that may sign its type here; explain when there is none."""
    roles = ROLES_OF[record.statement.predicate_type]
    role = " or ".join(roles)
    allowed = trust.for_role(*roles, place=place, production=production)
    keys = tuple(each for each in record.keys if each in allowed)
    if keys:
        return structs.replace(record, keys=keys)
    if not any(set(roles) & set(each.may) for each in record.keys):
        place = None  # it may not sign that anywhere
    where = describe_place(place)
    why = explain_refusal(record.keys, roles, trust, place=place, production=production)
    if production and any(each.development for each in record.keys):
        raise RecordError("the record is signed by a development key", why=why)
    raise RecordError(f"the record is signed by a key that may not sign {role}{where}", why=why)


def environment_of(record: Record) -> str:
    """Return the environment that a record is about, or an empty string."""
    named = _where(record)
    return named.environment if named else ""


def _where(record: Record) -> _Where | None:
    """Return where a record was made for; None when it counts everywhere."""
    if record.statement.predicate_type not in _OF_AN_ENVIRONMENT:
        return None
    try:
        return msgspec.json.decode(record.statement.predicate, type=_Carrier).facts
    except (msgspec.DecodeError, RecursionError) as error:
        raise RecordError(f"the {record.name} record does not name an environment", why=str(error)) from error


class _Where(Struct):
    environment: str
    place: str | None = None  # a CI host reports on environments, and knows no place

    def is_same(self, destination: Destination) -> bool:
        """Return whether a release for that destination is what this is about."""
        return self.environment == destination.environment and self.place in {None, destination.place}


class _Carrier(Struct):
    facts: _Where


_OF_AN_ENVIRONMENT = frozenset({DEPLOYMENT, HOST_APPROVALS, APPROVAL})


def find_file(record: Record, title: str) -> Descriptor | None:
    """Return the file of that title which is attached with a record, or None."""
    return next((each for each in record.attachments if each.annotations.get(TITLE) == title), None)


def latest(records: Sequence[Record], predicate_type: str) -> Record | None:
    """Return the newest verified record of a type, or None."""
    found = [record for record in records if record.statement.predicate_type == predicate_type]
    return found[-1] if found else None


def latest_of_each(records: Sequence[Record], predicate_type: str) -> dict[str, Record]:
    """Return the newest verified record of a type by each tool that made some, by the tool's name.

    Several scanners may each leave their records and SBOMs; of every other type there is one maker, `""`.
    """
    found = {_maker(each): each for each in records if each.statement.predicate_type == predicate_type}
    return dict(sorted(found.items()))


def _maker(record: Record) -> str:
    """Return the tool that made a record; empty when it cannot be read, and then nothing else can either."""
    try:
        if record.statement.predicate_type == VULNS:
            return msgspec.json.decode(record.statement.predicate, type=_Scanned).facts.scanner
        if record.statement.predicate_type == SBOM:
            return sbom.author(record.statement)
    except (RecordError, msgspec.DecodeError, RecursionError):
        pass
    return ""


class _Scanner(Struct):
    scanner: str


class _Scanned(Struct):
    facts: _Scanner


def find_by_inputs(records: Sequence[Record], predicate_type: str, inputs: str) -> Record | None:
    """Return the newest verified record of a type that was made from exactly these inputs, or None.

    A newer record by the same tool from other inputs replaces it.
    """
    newest = latest_of_each(records, predicate_type).values()
    return next((each for each in newest if info(each.statement).inputs == inputs), None)


def _annotate(descriptor: Descriptor, annotations: dict[str, str]) -> Descriptor:
    return Descriptor(
        media_type=descriptor.media_type,
        digest=descriptor.digest,
        size=descriptor.size,
        annotations=annotations,
    )
