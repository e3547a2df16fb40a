"""in-toto Statement v1, and the part that every record of ours carries in its predicate.

Sources: in-toto attestation framework, spec/v1/statement.md and the predicate pages named below.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from autoclave.errors import RecordError
from autoclave.model.digest import Digest
from autoclave.model.steps import KINDS

TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

_TYPES = {each.name: each.predicate_type for each in KINDS}
PROVENANCE = _TYPES["provenance"]
TEST_RESULT = _TYPES["test-result"]
VULNS = _TYPES["vulns"]
SBOM = _TYPES["sbom"]
VERIFICATION = _TYPES["verification"]
DEPLOYMENT = _TYPES["deployment"]
HOST_APPROVALS = _TYPES["host-approvals"]
APPROVAL = _TYPES["approval"]
SEAL = _TYPES["seal"]

ROLES_OF = {each.predicate_type: each.roles for each in KINDS}
"""Which role a key needs to sign a record of each predicate type: one of these."""

NAME_OF = {each.predicate_type: each.name for each in KINDS}
"""The short name by which people ask for a record."""


class Subject(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a statement is about; only the digest counts, the name is for people."""

    digest: dict[str, str]
    name: str = ""


class Statement(
    Struct, frozen=True, kw_only=True, rename={"type": "_type", "predicate_type": "predicateType"}
):
    """A statement about subjects; the predicate stays as the bytes that were signed."""

    type: str
    subject: list[Subject]
    predicate_type: str
    predicate: Raw


class StepInfo(Struct, frozen=True, kw_only=True, rename="camel"):
    """What every record of ours says about its making, as `autoclave` in the predicate.

    `commit` and `tree` name what the step worked on: the id of a commit, and that of the device folder's
    tree in it; a work tree has no `tree`. `inputs` is the digest of the step's plan: commands, tool versions
    and inputs. `reasons` are those of the step's own gate at that time; later gates judge the facts anew.
    `files` maps the titles of the files attached with the record to their digests: they are signed with it.
    """

    step: str
    autoclave_version: str
    device: str
    device_version: str
    safety_class: str
    image: str
    commit: str
    tree: str
    inputs: str
    policy: str
    started_on: Annotated[datetime, Meta(tz=True)]
    finished_on: Annotated[datetime, Meta(tz=True)]
    passed: bool
    reasons: tuple[str, ...] = ()
    files: dict[str, str] = {}


class _Carrier(Struct):
    autoclave: StepInfo


class _BomTime(Struct):
    timestamp: datetime


class _Bom(Struct):
    metadata: _BomTime


def make(
    image_digest: str, predicate_type: str, predicate: dict[str, Any] | Raw, *, commit: str = ""
) -> bytes:
    """Return the bytes of a statement about an image digest (and the git commit it came from)."""
    subjects: list[dict[str, Any]] = [{"digest": {"sha256": Digest(image_digest).hex}}]
    if commit:
        subjects.append({"digest": {"gitCommit": commit}})
    return msgspec.json.encode(
        {"_type": TYPE, "subject": subjects, "predicateType": predicate_type, "predicate": predicate}
    )


def parse(payload: bytes) -> Statement:
    """Decode a statement. Raises RecordError when it is not one of this version."""
    try:
        statement = msgspec.json.decode(payload, type=Statement)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError("the record does not contain an in-toto statement", why=str(error)) from error
    if statement.type != TYPE:
        raise RecordError("the record contains a statement of another version", why=statement.type[:100])
    return statement


def is_about(statement: Statement, image_digest: str) -> bool:
    """Return whether the statement's subjects include the image."""
    digest = Digest(image_digest).hex
    return any(subject.digest.get("sha256") == digest for subject in statement.subject)


def info(statement: Statement) -> StepInfo:
    """Return what the record says about its making. Raises RecordError when it does not."""
    try:
        return msgspec.json.decode(statement.predicate, type=_Carrier).autoclave
    except (msgspec.DecodeError, RecursionError) as error:
        raise RecordError(
            f"the {NAME_OF.get(statement.predicate_type, 'foreign')} record does not say how it was made",
            why=str(error),
        ) from error


def finish_time(statement: Statement) -> datetime:
    """Return when the step that made the record ended (UTC). Raises RecordError when it does not say."""
    if statement.predicate_type != SBOM:
        return info(statement).finished_on
    try:
        moment = msgspec.json.decode(statement.predicate, type=_Bom).metadata.timestamp
    except (msgspec.DecodeError, RecursionError) as error:
        raise RecordError("the SBOM has no timestamp", why=str(error)) from error
    if moment.tzinfo is None:
        raise RecordError("the SBOM's timestamp has no time zone")
    return moment
