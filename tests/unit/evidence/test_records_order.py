"""Which of several records counts, and which attachments are no record at all."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from securesystemslib.signer import CryptoSigner

from autoclave.errors import RecordError
from autoclave.evidence import dsse, predicates, records, statement
from autoclave.evidence.statement import PROVENANCE, VULNS
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.model.facts import ScanFacts
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import Descriptor
from builders.sample_facts import BUILD, SCAN, STEP_INFO, THEN
from builders.sample_image import write_image

SIGNER = CryptoSigner.generate_ecdsa()
TRUST = Trust((TrustedKey(name="k", key=SIGNER.public_key, may=("build", "scan")),), "trust.toml")


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "store")


@pytest.fixture
def image(store: LayoutStore) -> Descriptor:
    return write_image(store)


def attach_provenance(store: LayoutStore, image: Descriptor, hours: int, inputs: str) -> None:
    info = replace(STEP_INFO, finished_on=THEN + timedelta(hours=hours), inputs=inputs)
    body = statement.make(image.digest, PROVENANCE, predicates.provenance(info, BUILD, {}))
    records.attach(store, image, body, PROVENANCE, SIGNER)


def test_the_newest_record_counts_in_whatever_order_they_came(store: LayoutStore, image: Descriptor) -> None:
    for hours, inputs in ((2, "middle"), (3, "newest"), (1, "oldest")):
        attach_provenance(store, image, hours, inputs)
    good, bad = records.read_all(store, image.digest, TRUST)
    assert bad == []
    assert [statement.info(each.statement).inputs for each in good] == ["oldest", "middle", "newest"]
    assert records.latest(good, PROVENANCE) == good[-1]
    assert records.latest(good, VULNS) is None
    # An older record that fits the inputs does not count when a newer one says something else.
    assert records.find_by_inputs(good, PROVENANCE, "newest") == good[-1]
    assert records.find_by_inputs(good, PROVENANCE, "middle") is None


def attach_scan(store: LayoutStore, image: Descriptor, scanner: str, hours: int, inputs: str) -> None:
    info = replace(STEP_INFO, finished_on=THEN + timedelta(hours=hours), inputs=inputs)
    body = statement.make(image.digest, VULNS, predicates.vulns(info, replace(SCAN, scanner=scanner)))
    records.attach(store, image, body, VULNS, SIGNER)


def test_each_scanner_has_its_newest_record(store: LayoutStore, image: Descriptor) -> None:
    attach_scan(store, image, "trivy", 1, "old database")
    attach_scan(store, image, "toy", 2, "toy's")
    attach_scan(store, image, "trivy", 3, "new database")
    good, _ = records.read_all(store, image.digest, TRUST)
    newest = records.latest_of_each(good, VULNS)
    assert {name: statement.info(each.statement).inputs for name, each in newest.items()} == {
        "toy": "toy's",
        "trivy": "new database",
    }
    assert records.find_by_inputs(good, VULNS, "toy's") == good[1]  # another scanner's newer one is no matter
    assert records.find_by_inputs(good, VULNS, "old database") is None


def test_a_scan_that_names_no_scanner_is_kept_apart_and_cannot_be_read(
    store: LayoutStore, image: Descriptor
) -> None:
    attach_scan(store, image, "trivy", 1, "good")
    body = statement.make(image.digest, VULNS, {"autoclave": STEP_INFO, "facts": {"findings": []}})
    records.attach(store, image, body, VULNS, SIGNER)
    good, _ = records.read_all(store, image.digest, TRUST)
    unnamed, trivy = records.latest_of_each(good, VULNS).items()
    assert (unnamed[0], trivy[0]) == ("", "trivy")
    with pytest.raises(RecordError):
        predicates.facts_of(unnamed[1].statement, ScanFacts)


def rejection(store: LayoutStore, image: Descriptor) -> str:
    good, bad = records.read_all(store, image.digest, TRUST)
    assert good == []
    return bad[0].why


def test_a_record_of_an_unknown_type_is_rejected_though_well_signed(
    store: LayoutStore, image: Descriptor
) -> None:
    body = statement.make(image.digest, "https://example.com/other/v1", {"autoclave": STEP_INFO})
    records.attach(store, image, body, PROVENANCE, SIGNER)
    assert "of an unknown type: https://example.com/other/v1" in rejection(store, image)


def test_what_a_record_is_called_from_outside_does_not_make_it_one(
    store: LayoutStore, image: Descriptor
) -> None:
    body = statement.make(image.digest, VULNS, predicates.vulns(STEP_INFO, SCAN))
    records.attach(store, image, body, PROVENANCE, SIGNER)
    (record,), _ = records.read_all(store, image.digest, TRUST)
    assert record.name == "vulns"


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        ("text/plain", b"{}", "not an in-toto statement"),
        (statement.PAYLOAD_TYPE, b"{}", "does not contain an in-toto statement"),
        (statement.PAYLOAD_TYPE, b"\xff", "does not contain an in-toto statement"),
    ],
)
def test_a_signed_payload_that_is_not_a_statement_is_rejected(
    store: LayoutStore, image: Descriptor, kind: str, body: bytes, says: str
) -> None:
    layer = store.write([dsse.sign(body, kind, SIGNER)], media_type=dsse.MEDIA_TYPE)
    store.attach(
        image, artifact_type=records.ARTIFACT_TYPE, layers=[layer], annotations={records.CREATED: "2026"}
    )
    assert says in rejection(store, image)


def test_an_attachment_without_an_envelope_is_rejected(store: LayoutStore, image: Descriptor) -> None:
    layer = store.write([b"{}"], media_type="application/json")
    store.attach(
        image, artifact_type=records.ARTIFACT_TYPE, layers=[layer], annotations={records.CREATED: "2026"}
    )
    assert "not a DSSE envelope" in rejection(store, image)
