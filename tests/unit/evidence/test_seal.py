"""Seals: missing and replaced records are found, newer ones are listed."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec import structs
from securesystemslib.signer import CryptoSigner

from autoclave.errors import RecordError
from autoclave.evidence import image_records, predicates, records, seal, statement
from autoclave.evidence.seal import Seal, SealedRecord, Signature
from autoclave.evidence.statement import PROVENANCE, SEAL
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import Descriptor
from builders.sample_facts import BUILD, STEP_INFO, THEN
from builders.sample_image import write_image

SIGNER = CryptoSigner.generate_ecdsa()
TRUST = Trust((TrustedKey(name="k", key=SIGNER.public_key, may=("build", "release")),), "trust.toml")


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "store")


def record(store: LayoutStore, subject: Descriptor) -> SealedRecord:
    body = statement.make(subject.digest, PROVENANCE, predicates.provenance(STEP_INFO, BUILD, {}))
    made = records.attach(store, subject, body, PROVENANCE, SIGNER)
    found = {each.digest: each for each in records.read_all(store, subject.digest, TRUST)[0]}
    return SealedRecord("provenance", made.digest, found[made.digest].envelope.digest)


def seal_records(
    store: LayoutStore,
    subject: Descriptor,
    *named: SealedRecord,
    previous: str = "",
    turn: int = 1,
    signatures: tuple[Signature, ...] = (),
) -> str:
    facts = Seal(records=named, signatures=signatures, previous=previous, policy="sha256:p", trust="sha256:t")
    info = msgspec.structs.replace(STEP_INFO, finished_on=THEN + timedelta(hours=turn))
    body = statement.make(subject.digest, SEAL, seal.predicate(info, facts))
    return records.attach(store, subject, body, SEAL, SIGNER).digest


def chain(store: LayoutStore, subject: Descriptor) -> seal.Chain:
    return seal.check(image_records.read(store, subject, TRUST))


def remove(store: LayoutStore, digest: str) -> None:
    path = store.root / "index.json"
    index = json.loads(path.read_text())
    index["manifests"] = [each for each in index["manifests"] if each["digest"] != digest]
    path.write_text(json.dumps(index))


def test_sealed_records_are_complete_and_newer_ones_are_listed(store: LayoutStore) -> None:
    subject = write_image(store)
    first = record(store, subject)
    one = seal_records(store, subject, first)
    second = record(store, subject)
    found = chain(store, subject)
    assert (found.problems, found.newest, found.unsealed) == ((), one, (second,))
    two = seal_records(store, subject, second, previous=one, turn=2)
    found = chain(store, subject)
    assert (found.problems, found.newest, found.unsealed) == ((), two, ())
    assert seal.find_covering(found.seals, first.manifest) == [one, two]
    assert seal.find_covering(found.seals, second.manifest) == [two]
    assert seal.find_covering(found.seals, two) == []


def test_a_missing_sealed_record_is_found(store: LayoutStore) -> None:
    subject = write_image(store)
    first = record(store, subject)
    seal_records(store, subject, first)
    remove(store, first.manifest)
    assert chain(store, subject).problems == (f"the sealed provenance record {first.manifest} is missing",)


def test_a_seal_with_a_missing_predecessor_is_found(store: LayoutStore) -> None:
    subject = write_image(store)
    one = seal_records(store, subject, record(store, subject))
    two = seal_records(store, subject, previous=one, turn=2)
    remove(store, one)
    assert chain(store, subject).problems == (f"the seal {one} before seal {two[:19]}… is missing",)


def test_a_seal_by_a_key_that_no_longer_counts_breaks_the_chain(store: LayoutStore) -> None:
    subject = write_image(store)
    one = seal_records(store, subject, record(store, subject))
    refused = records.Rejected(digest=one, name="seal", why="unknown key", stray=False)
    two = seal_records(store, subject, previous=one, turn=2)
    attached = image_records.read(store, subject, TRUST)
    good = tuple(each for each in attached.records if each.digest != one)
    found = seal.check(structs.replace(attached, records=good, rejected=(*attached.rejected, refused)))
    assert found.problems == (f"the seal {one} before seal {two[:19]}… does not verify",)


def test_a_missing_or_replaced_sealed_signature_is_found(store: LayoutStore) -> None:
    subject = write_image(store)
    one = seal_records(store, subject, signatures=(Signature("sha256:payload", "MEUC"),))
    assert chain(store, subject).problems == (f"a release signature that seal {one[:19]}… names is missing",)


def test_two_seals_at_once_are_joined_by_the_next_one(store: LayoutStore) -> None:
    subject = write_image(store)
    one = seal_records(store, subject, record(store, subject))
    left = seal_records(store, subject, previous=one, turn=2)
    right = seal_records(store, subject, previous=one, turn=3)
    found = chain(store, subject)
    assert (found.newest, [each.manifest for each in found.unsealed]) == (right, [left])
    seal_records(store, subject, *found.unsealed, previous=right, turn=4)
    found = chain(store, subject)
    assert (found.problems, found.unsealed) == ((), ())


def test_a_signed_seal_of_another_form_is_an_error(store: LayoutStore) -> None:
    subject = write_image(store)
    body = statement.make(subject.digest, SEAL, {"autoclave": STEP_INFO, "facts": {"records": 1}})
    records.attach(store, subject, body, SEAL, SIGNER)
    with pytest.raises(RecordError, match="seal record is not of the expected form"):
        chain(store, subject)
