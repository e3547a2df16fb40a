"""Records: what verifies, and what does not, each with its reason."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from securesystemslib.signer import CryptoSigner

from autoclave.errors import ConfigError, RecordError, SignerError
from autoclave.evidence import cosign, dsse, predicates, records, statement, trust
from autoclave.evidence.statement import PROVENANCE, SBOM, VERIFICATION, VULNS
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.model.declared import Declared
from autoclave.model.facts import BuildFacts, Deployment, ScanFacts
from autoclave.model.place import Destination
from autoclave.signers import development, open_signer
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import EMPTY_CONFIG, Descriptor
from builders.sample_facts import BUILD, NOW, SCAN, STEP_INFO, THEN
from builders.sample_image import verify_signature, write_image

CLINIC = "engine tcp://clinic:2376"
STEPS, RELEASE, STRANGER = (CryptoSigner.generate_ecdsa() for _ in range(3))


def key(name: str, signer: CryptoSigner, *may: str, **more: Any) -> TrustedKey:
    return TrustedKey(name=name, key=signer.public_key, may=may, **more)


TRUST = Trust(
    (key("steps", STEPS, "build", "unit-test", "scan"), key("release", RELEASE, "release")), "trust.toml"
)


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "store")


def destination(place: str, *, production: bool = False) -> Destination:
    return Destination(environment="p", place=place, production=production, why="the test says so")


def payload(digest: str) -> bytes:
    return statement.make(digest, PROVENANCE, predicates.provenance(STEP_INFO, BUILD, {}))


def attach(store: LayoutStore, subject: Descriptor, body: bytes, signer: CryptoSigner) -> Descriptor:
    return records.attach(store, subject, body, PROVENANCE, signer)


def rejection(store: LayoutStore, subject: Descriptor, trusted: Trust = TRUST, **where: Any) -> str:
    good, bad = records.read_all(store, subject.digest, trusted, **where)
    assert good == []
    assert len(bad) == 1
    return bad[0].why


def test_a_good_record_is_read_back_with_its_facts(store: LayoutStore) -> None:
    subject = write_image(store)
    attach(store, subject, payload(subject.digest), STEPS)
    (record,), bad = records.read_all(store, subject.digest, TRUST)
    assert bad == []
    assert record.name == "provenance"
    assert [each.name for each in record.keys] == ["steps"]
    assert record.finished == THEN
    assert predicates.facts_of(record.statement, BuildFacts) == BUILD
    assert records.find_by_inputs([record], PROVENANCE, STEP_INFO.inputs) == record
    assert records.find_by_inputs([record], PROVENANCE, "sha256:other") is None


def test_the_findings_of_a_scan_come_back_whole(store: LayoutStore) -> None:
    subject = write_image(store)
    body = statement.make(subject.digest, VULNS, predicates.vulns(STEP_INFO, SCAN))
    assert predicates.facts_of(statement.parse(body), ScanFacts) == SCAN


def with_files(store: LayoutStore, subject: Descriptor, signed: list[str], attached: list[str]) -> None:
    """Attach a record that was signed with files of some titles, together with files of others."""
    kept = {title: store.write([title.encode()], media_type="text/plain") for title in {*signed, *attached}}
    body = predicates.provenance(STEP_INFO, BUILD, {})
    named = records.name_files(body, [(title.rstrip("*"), kept[title]) for title in signed])
    raw = statement.make(subject.digest, PROVENANCE, named)
    files = [(title.rstrip("*"), kept[title]) for title in attached]
    records.attach(store, subject, raw, PROVENANCE, STEPS, attachments=files)


def test_files_are_read_back_with_the_record_that_names_them(store: LayoutStore) -> None:
    subject = write_image(store)
    with_files(store, subject, ["a.json", "b.json"], ["b.json", "a.json"])
    good, bad = records.read_all(store, subject.digest, TRUST)
    assert bad == []
    assert sorted(each.annotations[records.TITLE] for each in good[0].attachments) == ["a.json", "b.json"]


@pytest.mark.parametrize(
    ("attached", "says"),
    [
        (["a.json", "b.json", "c.json"], "c.json sha256:"),
        (["a.json"], "b.json sha256:"),
        (["a.json", "b.json*"], "b.json sha256:"),  # another content under its name
        (["a.json", "b.json", "b.json*"], "b.json sha256:"),
        (["a.json", "b.json", "timestamp.tsr"], "timestamp.tsr sha256:"),
        ([], "a.json sha256:"),
    ],
)
def test_files_that_were_not_signed_with_a_record_reject_it(
    store: LayoutStore, attached: list[str], says: str
) -> None:
    """Else anyone who can write to the store could give a release other decisions or another policy."""
    subject = write_image(store)
    with_files(store, subject, ["a.json", "b.json"], attached)
    why = rejection(store, subject)
    assert why.startswith("the files of the provenance record are not those that were signed")
    assert says in why


def test_an_unknown_key_is_rejected_with_that_reason(store: LayoutStore) -> None:
    subject = write_image(store)
    attach(store, subject, payload(subject.digest), STRANGER)
    assert "signed by an unknown key" in rejection(store, subject)


def test_a_key_may_sign_only_its_roles(store: LayoutStore) -> None:
    subject = write_image(store)
    attach(store, subject, payload(subject.digest), RELEASE)
    assert "may not sign build" in rejection(store, subject)


def test_a_record_about_another_image_is_rejected_with_that_reason(store: LayoutStore) -> None:
    subject, other = write_image(store), write_image(store, b"other")
    attach(store, subject, payload(other.digest), STEPS)
    assert "about another image" in rejection(store, subject)


@pytest.mark.parametrize("production", [True, False])
def test_development_keys_count_for_nothing_in_production(store: LayoutStore, production: bool) -> None:
    subject = write_image(store)
    attach(store, subject, payload(subject.digest), STEPS)
    marked = Trust((key("dev", STEPS, "build", development=True),), "here")
    good, bad = records.read_all(
        store, subject.digest, marked, destination=destination(CLINIC, production=production)
    )
    assert len(bad) == production
    assert len(good) == (not production)
    if production:
        assert "development key" in bad[0].why


def test_a_key_counts_in_its_places_only_whatever_they_are_called(store: LayoutStore) -> None:
    subject = write_image(store)
    attach(store, subject, payload(subject.digest), STEPS)
    bound = Trust((key("steps", STEPS, "build", places=("engine tcp://lab-*:2376",)),), "here")
    refused = rejection(store, subject, bound, destination=destination(CLINIC))
    assert f"may not sign build in {CLINIC}" in refused
    assert "may not sign build" in rejection(store, subject, bound, destination=destination(""))
    there = destination("engine tcp://lab-1:2376")
    assert records.read_all(store, subject.digest, bound, destination=there)[1] == []


def test_a_deployment_is_held_to_the_keys_of_the_place_that_it_names(store: LayoutStore) -> None:
    subject = write_image(store)
    facts = Deployment(environment="p", place=CLINIC, target="docker", running=(), started=NOW, finished=NOW)
    body = Raw(msgspec.json.encode(predicates.deployment(STEP_INFO, facts)))
    raw = statement.make(subject.digest, statement.DEPLOYMENT, body)
    records.attach(store, subject, raw, statement.DEPLOYMENT, STEPS)
    bound = Trust((key("lab", STEPS, "deploy", places=("local",)),), "here")
    assert "may not sign deploy in engine tcp" in rejection(store, subject, bound)
    local = destination("engine unix:///run/engine.sock")
    assert "may not sign deploy in engine tcp" in rejection(store, subject, bound, destination=local)


def attach_envelope(store: LayoutStore, subject: Descriptor, envelope: bytes) -> None:
    layer = store.write([envelope], media_type=dsse.MEDIA_TYPE)
    store.write([b"{}"], media_type=EMPTY_CONFIG.media_type)
    store.attach(
        subject, artifact_type=records.ARTIFACT_TYPE, layers=[layer], annotations={records.CREATED: "2026"}
    )


def envelope(subject: Descriptor, signer: CryptoSigner = STEPS) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(dsse.sign(payload(subject.digest), statement.PAYLOAD_TYPE, signer))
    return loaded


def test_one_changed_byte_anywhere_breaks_the_signature(store: LayoutStore) -> None:
    subject = write_image(store)
    body = payload(subject.digest)
    for at in range(0, len(body), 37):
        data = envelope(subject)
        changed = bytearray(body)
        changed[at] ^= 1
        data["payload"] = base64.b64encode(bytes(changed)).decode()
        _, _, good = dsse.verify(json.dumps(data).encode(), [STEPS.public_key])
        assert good == []


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda data: data | {"payloadType": "text/plain"}, "does not match its content"),
        (lambda data: data | {"signatures": []}, "has no signature"),
        (lambda data: data | {"payload": "%%%"}, "not a DSSE envelope"),
        (lambda data: {"payload": data["payload"]}, "not a DSSE envelope"),
    ],
)
def test_a_damaged_envelope_is_rejected(store: LayoutStore, spoil: Any, says: str) -> None:
    subject = write_image(store)
    attach_envelope(store, subject, json.dumps(spoil(envelope(subject))).encode())
    assert says in rejection(store, subject)


def test_url_safe_base64_and_foreign_key_hints_are_accepted() -> None:
    body = b"\xfb\xff\xfe" * 9
    data = json.loads(dsse.sign(body, "t", STEPS))
    data["payload"] = base64.urlsafe_b64encode(body).decode()
    data["signatures"][0]["keyid"] = "somebody's own name"
    assert dsse.verify(json.dumps(data).encode(), [STEPS.public_key])[2] == [STEPS.public_key]


def test_the_encoding_that_is_signed_is_the_protocol_s() -> None:
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == expected


def test_an_sbom_needs_a_time_with_a_zone(store: LayoutStore) -> None:
    subject = write_image(store)
    for stamp, fine in (("2026-11-24T10:00:00+00:00", True), ("2026-11-24T10:00:00", False), (None, False)):
        bom = {"metadata": {"timestamp": stamp} if stamp else {}}
        parsed = statement.parse(statement.make(subject.digest, SBOM, bom))
        if fine:
            assert statement.finish_time(parsed) == datetime(2026, 11, 24, 10, tzinfo=UTC)
        else:
            with pytest.raises(RecordError):
                statement.finish_time(parsed)


def test_a_summary_that_failed_says_so() -> None:
    for passed, result in ((True, "PASSED"), (False, "FAILED")):
        from msgspec.structs import replace

        info = replace(STEP_INFO, passed=passed)
        body = predicates.verification(
            info, resource="urn:x", policy_digest=info.policy, inputs=[], declared=Declared()
        )
        parsed = statement.parse(statement.make("sha256:" + "1" * 64, VERIFICATION, body))
        assert predicates.result_of(parsed) == result
        assert not any(level.startswith("SLSA_") for level in body["verifiedLevels"])


def test_the_image_s_signature_is_about_this_digest_and_by_this_key(store: LayoutStore) -> None:
    subject, other = write_image(store), write_image(store, b"other")
    release, stranger = key("release", RELEASE, "release"), key("stranger", STRANGER, "release")
    with pytest.raises(RecordError, match="no release signature"):
        verify_signature(store, subject.digest, [release])
    cosign.sign_image(store, subject.digest, "pump/app", RELEASE)
    assert verify_signature(store, subject.digest, [stranger, release]) == [release]
    with pytest.raises(RecordError, match="no trusted release key"):
        verify_signature(store, subject.digest, [stranger])
    # The signature of one image, moved to where another one's would be.
    store.tag(cosign.tag(other.digest, "sig"), store.tags()[cosign.tag(subject.digest, "sig")])
    with pytest.raises(RecordError, match="no trusted release key"):
        verify_signature(store, other.digest, [release])


def test_signatures_of_two_keys_are_both_kept(store: LayoutStore) -> None:
    subject = write_image(store)
    for signer in (RELEASE, STEPS, RELEASE):
        cosign.sign_image(store, subject.digest, "pump/app", signer)
    both = [key("a", RELEASE, "release"), key("b", STEPS, "release")]
    assert verify_signature(store, subject.digest, both) == both


def test_a_trust_file_names_keys_roles_and_places(tmp_path: Path) -> None:
    (tmp_path / "k.pub").write_text(STEPS.public_key.keyval["public"])
    file = tmp_path / "trust.toml"
    file.write_text(f'[[key]]\nname = "k"\npublic = "k.pub"\nmay = ["build"]\nplaces = ["{CLINIC}"]\n')
    loaded = trust.load(file)
    assert [each.name for each in loaded.for_role("build", place=CLINIC)] == ["k"]
    elsewhere = loaded.for_role("build", place="engine tcp://clinic-2:2376")
    assert elsewhere == loaded.for_role("release", place=CLINIC) == loaded.for_role("build", place="") == []
    file.write_text('[[key]]\nname = "k"\npublic = "k.pub"\nmay = ["build"]\nplaces = ["production"]\n')
    with pytest.raises(ConfigError, match="counts in 'production', which is not a place"):
        trust.load(file)
    file.write_text('[[key]]\nname = "k"\npublic = "k.pub"\nmay = ["build"]\nplaces = []\n')
    with pytest.raises(ConfigError, match="places"):  # nowhere, or everywhere?
        trust.load(file)
    file.write_text('[[key]]\nname = "k"\npublic = "k.pub"\nmay = ["bild"]\n')
    with pytest.raises(ConfigError, match="which is not a role"):
        trust.load(file)
    for words, why in (
        ('may = ["vex"]', "may sign 'vex', but names no packages"),
        ('may = ["build"]\npackages = ["pkg:pypi/flask"]', "has packages, but not the role vex"),
    ):
        file.write_text(f'[[key]]\nname = "k"\npublic = "k.pub"\n{words}\n')
        with pytest.raises(ConfigError, match=why):
            trust.load(file)
    file.write_text("")
    with pytest.raises(ConfigError, match="key"):
        trust.load(file)
    (tmp_path / "k.pub").write_text("nonsense")
    with pytest.raises(SignerError, match="not a usable public key"):
        trust.public_key(tmp_path / "k.pub")


def test_development_keys_are_made_once_private_and_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    private, public = development.ensure(development.STEPS)
    assert private.stat().st_mode & 0o777 == 0o600
    assert "development key" in private.read_text()
    assert "never trusted in production" in public.read_text()
    before = private.read_bytes()
    assert development.ensure(development.STEPS) == (private, public)
    assert private.read_bytes() == before
    signer = open_signer(f"file:{private}", None)
    assert signer.public_key == trust.public_key(public)
    for mode in (0o644, 0o640, 0o602):
        private.chmod(mode)
        with pytest.raises(SignerError, match="open to others"):
            development.ensure(development.STEPS)


@pytest.mark.parametrize(
    ("uri", "says"),
    [("file:/nowhere", "cannot be read"), ("hsm:2?label=x", "the public key of hsm:2.label=x is missing")],
)
def test_keys_that_cannot_be_used_say_why(uri: str, says: str) -> None:
    with pytest.raises(SignerError, match=says):
        open_signer(uri, None)


@pytest.mark.parametrize("signed", [False, True])
def test_content_nested_without_end_is_a_rejected_record_and_no_crash(
    store: LayoutStore, signed: bool
) -> None:
    subject = write_image(store)
    deep = b'{"payloadType": "x", "signatures": [], "payload": ' + b"[" * 100_000
    if signed:
        deep = dsse.sign(b'{"_type": ' + b"[" * 100_000, statement.PAYLOAD_TYPE, STEPS)
    attach_envelope(store, subject, deep)
    assert "no" in rejection(store, subject)


def test_a_trust_file_may_hold_the_public_key_itself(tmp_path: Path) -> None:
    pem = STEPS.public_key.keyval["public"]
    entry = '[[key]]\nname = "steps"\nmay = ["scan"]\npublic = """\n{}\n"""\n'
    path = tmp_path / "trust.toml"
    path.write_text(entry.format(pem))
    assert trust.load(path).keys[0].key == STEPS.public_key
    path.write_text(entry.format(pem.replace("M", "?", 1)))
    with pytest.raises(SignerError, match=r"the key 'steps' in .* is not a usable public key"):
        trust.load(path)
