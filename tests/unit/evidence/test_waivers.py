"""Signed waivers, approvals and VEX: whose signature counts, and what comes out."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from securesystemslib.signer import CryptoSigner

from autoclave.errors import RecordError
from autoclave.evidence import dsse, sbom, vex, waivers
from autoclave.evidence.statement import PAYLOAD_TYPE, SBOM, make, parse
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.evidence.vex import cyclonedx_export, openvex
from autoclave.gates import approvals
from autoclave.model.declared import Justification, Meaning, Person, Scope, VexStatus, Waiver
from autoclave.model.vex import Product
from builders.sample_facts import ADA, BEN, DIGEST, NOW, approval
from builders.sample_waiver import FINDING, SIGNED, WAIVER

PRODUCT = Product(names=("app",), digest=DIGEST)
QUORUM = {"engineering": 1, "quality": 1}


class Hand:
    """A key, with or without a person."""

    def __init__(
        self, name: str, may: tuple[str, ...], person: Person | None = None, packages: tuple[str, ...] = ()
    ) -> None:
        self.signer = CryptoSigner.generate_ecdsa()
        self.trusted = TrustedKey(
            name=name, key=self.signer.public_key, may=may, person=person, packages=packages
        )


ADAS, BENS = Hand("ada", ("waive", "approve"), ADA), Hand("ben", ("waive",), BEN)
PIPELINE = Hand("pipeline", ("build", "release"))
SUPPLIER = Hand("Pallets", ("vex",), packages=("pkg:pypi/jinja2", "pkg:pypi/mark*"))
STRANGER = Hand("stranger", ())
TRUST = Trust(tuple(each.trusted for each in (ADAS, BENS, PIPELINE, SUPPLIER)), "trust.toml")


def test_author_and_approver_are_known_by_their_keys() -> None:
    raw = waivers.countersign(waivers.sign(WAIVER, BENS.signer), ADAS.signer)
    signed = waivers.verify(raw, TRUST)
    assert (signed.waiver, signed.defect) == (WAIVER, "")
    assert [each.id for each in signed.persons] == ["ada", "ben"], "the author comes first"


@pytest.mark.parametrize(
    ("hand", "says"),
    [
        (PIPELINE, "signed with pipeline"),
        (STRANGER, "it is not signed with a key that trust.toml lists"),
        (SUPPLIER, "not a person's key for waivers"),
    ],
)
def test_only_a_persons_signature_counts(hand: Hand, says: str) -> None:
    signed = waivers.verify(waivers.sign(WAIVER, hand.signer), TRUST)
    assert signed.persons == ()
    assert says in signed.defect


def test_one_changed_word_and_no_signature_fits() -> None:
    envelope = json.loads(waivers.sign(WAIVER, ADAS.signer))
    payload = base64.b64decode(envelope["payload"]).replace(b"CVE-2026-1", b"CVE-2026-9")
    envelope["payload"] = base64.b64encode(payload).decode()
    signed = waivers.verify(json.dumps(envelope).encode(), TRUST)
    assert signed.defect == "its signature does not match its content"


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"\xff", b'{"payload":"","payloadType":"x","signatures":[]}']
)
def test_an_invalid_waiver_is_an_error(raw: bytes) -> None:
    with pytest.raises(RecordError):
        waivers.verify(raw, TRUST)


def document(**changed: Any) -> bytes:
    said = {
        "vulnerability": {"name": "CVE-2026-1"},
        "products": [{"@id": "pkg:oci/app", "subcomponents": [{"@id": "pkg:pypi/jinja2@2.10"}]}],
        "status": "not_affected",
        "justification": "vulnerable_code_not_present",
        "impact_statement": "we do not ship the sandbox",
    }
    return msgspec.json.encode(
        {
            "@context": openvex.CONTEXT,
            "@id": "urn:x",
            "author": "Pallets",
            "timestamp": NOW - timedelta(days=3),
            "version": 1,
            "statements": [said | changed],
        }
    )


def verify_document(hand: Hand, body: bytes) -> tuple[Any, ...]:
    payload = make(DIGEST, openvex.CONTEXT, msgspec.Raw(body))
    raw = dsse.sign(payload, PAYLOAD_TYPE, hand.signer)
    return vex.verify(raw, TRUST, name="pallets.vex.json", device="pump")


def test_a_suppliers_document_becomes_a_waiver_for_the_package_it_names() -> None:
    (signed,) = verify_document(SUPPLIER, document())
    assert (signed.supplier, signed.defect) == ("Pallets", "")
    assert signed.waiver.scope == Scope(package="pkg:pypi/jinja2", versions="2.10")
    assert signed.waiver.justification is Justification.VULNERABLE_CODE_NOT_PRESENT
    assert signed.waiver.rationale == "we do not ship the sandbox"


@pytest.mark.parametrize(
    ("package", "counts"),
    [
        ("pkg:pypi/markupsafe@3.0", True),
        ("pkg:pypi/jinja2-sandbox@1.0", False),
        ("pkg:pypi/requests@2.0", False),
        ("pkg:deb/debian/openssl@3.0.1", False),
    ],
)
def test_a_suppliers_document_covers_its_own_packages_only(package: str, counts: bool) -> None:
    (signed,) = verify_document(SUPPLIER, document(products=[{"@id": package}]))
    assert (signed.defect == "") is counts
    if not counts:
        assert signed.defect == (
            f"the trust file lets no signer sign for {package.partition('@')[0]}: "
            "Pallets may sign for pkg:pypi/jinja2, pkg:pypi/mark*"
        )


@pytest.mark.parametrize("hand", [PIPELINE, STRANGER, ADAS])
def test_a_document_without_a_trusted_signature_does_not_count(hand: Hand) -> None:
    (signed,) = verify_document(hand, document())
    assert "not signed with a supplier's key" in signed.defect


def test_a_document_from_the_end_of_the_calendar_is_read() -> None:
    (signed,) = verify_document(STRANGER, document(timestamp="9999-12-31T23:59:59-14:00"))
    assert signed.waiver.expires == signed.waiver.created


def test_a_malformed_document_is_an_error() -> None:
    with pytest.raises(RecordError):
        verify_document(SUPPLIER, document(status="fine"))


def test_openvex_says_what_was_decided() -> None:
    made = openvex.write([(SIGNED, [FINDING])], product=PRODUCT, author="pump", now=NOW)
    (said,) = made["statements"]
    assert made["@context"] == "https://openvex.dev/ns/v0.2.0" and made["version"] == 1
    (product,) = said["products"]
    assert product["@id"] == f"pkg:oci/app@{DIGEST}" and product["hashes"] == {"sha-256": "1" * 64}
    assert [each["@id"] for each in product["subcomponents"]] == ["pkg:pypi/jinja2@2.10"]
    assert said["vulnerability"] == {"name": "CVE-2026-1", "aliases": ("GHSA-1",)}
    assert (said["status"], said["impact_statement"]) == ("not_affected", WAIVER.rationale)
    assert "justification" not in said


@pytest.mark.parametrize(
    ("status", "key"),
    [(VexStatus.AFFECTED, "action_statement"), (VexStatus.FIXED, "status_notes")],
)
def test_openvex_has_the_field_that_each_status_needs(status: VexStatus, key: str) -> None:
    signed = replace(SIGNED, waiver=replace(WAIVER, status=status))
    made = openvex.write([(signed, [FINDING])], product=PRODUCT, author="pump", now=NOW)
    assert made["statements"][0][key] == WAIVER.rationale


def test_what_we_write_as_openvex_we_read_as_a_suppliers() -> None:
    made = openvex.write([(SIGNED, [FINDING])], product=PRODUCT, author="pump", now=NOW)
    (signed,) = verify_document(SUPPLIER, msgspec.json.encode(made))
    assert signed.waiver.scope == Scope(package="pkg:pypi/jinja2", versions="2.10")


def test_cyclonedx_points_into_the_sbom() -> None:
    made = cyclonedx_export.write(
        [(SIGNED, [FINDING])],
        serial="urn:uuid:1234",
        refs={FINDING.purl: "ref-7"},
        author="pump",
        now=NOW,
    )
    assert [said["id"] for said in made["vulnerabilities"]] == ["CVE-2026-1", "GHSA-1"]
    for said in made["vulnerabilities"]:
        assert said["analysis"]["state"] == "not_affected"
        assert said["affects"] == [{"ref": "urn:cdx:1234/1#ref-7"}]


def test_an_sbom_gives_its_software_with_supplier_and_distribution() -> None:
    bom = {
        "bomFormat": "CycloneDX",
        "metadata": {"timestamp": "2026-11-24T12:00:00Z"},
        "components": [
            {"bom-ref": "os", "type": "operating-system", "name": "debian", "version": "12.5"},
            {"bom-ref": "lock", "type": "application", "name": "requirements.txt"},
            {
                "bom-ref": "r1",
                "type": "library",
                "name": "curl",
                "version": "7",
                "purl": "pkg:deb/debian/curl@7?arch=amd64&distro=debian-12.5",
                "supplier": {"name": "Debian curl team"},
                "licenses": [{"license": {"id": "curl"}}],
            },
        ],
        "dependencies": [{"ref": "r1", "dependsOn": ["r2"]}],
    }
    system, curl = sbom.components(parse(make(DIGEST, SBOM, bom)))
    assert (system.name, system.kind) == ("debian", "operating-system")
    assert (curl.supplier, curl.distro, curl.license) == ("Debian curl team", "debian-12.5", "curl")
    assert curl.depends == ("r2",)


def test_approvals_of_every_role_open_the_gate() -> None:
    assert approvals.judge([approval(ADA), approval(BEN)], QUORUM) == ()
    assert approvals.judge([], {}) == ()


BOTH = Person(id="ada", name="Ada Quality", roles=("engineering",))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "1 approval by engineering demanded, 0 given"),
        ([approval(ADA)], "1 approval by engineering demanded, 0 given"),
        ([approval(ADA), approval(BOTH)], "1 approval by engineering demanded, 0 given"),
        ([approval(ADA), approval(BEN, meaning=Meaning.REVIEW)], "1 approval by engineering demanded"),
        (
            [approval(ADA), approval(BEN, defect="it is about an earlier verification")],
            "the approval by Ben Engineer does not count: it is about an earlier verification",
        ),
    ],
)
def test_a_missing_role_a_second_hat_and_another_meaning_do_not_count(given: Any, says: str) -> None:
    assert any(says in reason for reason in approvals.judge(given, QUORUM))


def test_a_waiver_must_have_an_end() -> None:
    fields = msgspec.to_builtins(WAIVER)
    del fields["expires"]
    with pytest.raises(msgspec.ValidationError, match="expires"):
        msgspec.convert(fields, type=Waiver)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields | {"expires": datetime(2026, 1, 1)}, type=Waiver)
    assert msgspec.convert(fields | {"expires": datetime(2026, 1, 1, tzinfo=UTC)}, type=Waiver)
