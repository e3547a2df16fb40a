"""The real cosign and ours judge each other's signatures in real registries, in both of cosign's formats."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from autoclave.errors import RecordError
from autoclave.evidence import cosign, records
from autoclave.evidence.cosign import bundle, third_party
from autoclave.evidence.statement import PROVENANCE, SBOM, TEST_RESULT, VERIFICATION, VULNS
from autoclave.evidence.trust import Trust
from autoclave.signers import development, open_signer
from autoclave.store.oci import parse_manifest
from builders.devices import KNOWN_BAD, Repository, copy_device
from builders.registries import PASSWORD, USER, serve_debian, serve_with_password, serve_with_referrers
from builders.sample_image import verify_signature
from integration.signed_repository import Place, import_keys

KINDS = ["debian", "referrers", "password"]
OLDER = "--new-bundle-format=false"
FORMATS = {"older": [OLDER], "bundle": []}
CUSTOM = "https://example.org/penetration-test/v1"
COSIGN_CUSTOM = "https://cosign.sigstore.dev/attestation/v1"


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    repository = copy_device(
        KNOWN_BAD / "control", tmp_path_factory.mktemp("device"), name="t-cosign-registry"
    )
    yield repository
    repository.remove()


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The registries; this user is logged in to the one with a password."""
    folder = tmp_path_factory.mktemp("docker")
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        made = {
            "debian": stack.enter_context(serve_debian(tmp_path_factory.mktemp("debian"))),
            "referrers": stack.enter_context(serve_with_referrers(tmp_path_factory.mktemp("referrers"))),
            "password": stack.enter_context(serve_with_password(tmp_path_factory.mktemp("password"))),
        }
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (folder / "config.json").write_text(json.dumps({"auths": {made["password"]: {"auth": auth}}}))
        patch.setenv("DOCKER_CONFIG", str(folder))
        yield made


@pytest.fixture(scope="module")
def keys(device: Repository, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The device's keys and a stranger's, as cosign wants them; made by us, taken over by cosign."""
    folder = tmp_path_factory.mktemp("keys")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(device.home))
        release, steps = (development.ensure(name)[0] for name in (development.RELEASE, development.STEPS))
    (folder / "stranger.pem").write_bytes(CryptoSigner.generate_ecdsa().private_bytes)
    files = {
        "release": release,
        "steps": steps,
        "stranger": folder / "stranger.pem",
    }
    return import_keys(files, folder)


@pytest.fixture(scope="module", params=KINDS)
def place(request: pytest.FixtureRequest, addresses: dict[str, str], device: Repository, keys: Path) -> Place:
    """The device, released into each registry."""
    address = f"oci://{addresses[request.param]}/devices/app"
    done = device.run("run", "--to", "sign", "--store", address)
    assert done.code == 0, done.err
    return Place(address, device, done.out.split()[1], keys)


@pytest.mark.parametrize("words", FORMATS.values(), ids=FORMATS)
def test_cosign_accepts_our_release(place: Place, words: list[str]) -> None:
    done = place.cosign("verify", "release", place.digest, *words)
    assert json.loads(done.stdout)[0]["critical"]["image"]["docker-manifest-digest"] == place.digest
    for wrong in ("steps", "stranger"):
        assert "invalid signature" in place.cosign("verify", wrong, place.digest, *words, code=1).stderr


@pytest.mark.parametrize("words", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("kind", [PROVENANCE, TEST_RESULT, VULNS, SBOM, VERIFICATION])
def test_cosign_accepts_every_record_of_ours(place: Place, kind: str, words: list[str]) -> None:
    right, wrong = ("release", "steps") if kind == VERIFICATION else ("steps", "release")
    done = place.cosign("verify-attestation", right, place.digest, "--type", kind, *words)
    payloads = [
        json.loads(base64.b64decode(json.loads(line)["payload"])) for line in done.stdout.splitlines()
    ]
    assert {each["predicateType"] for each in payloads} == {kind}
    for other in (wrong, "stranger"):
        place.cosign("verify-attestation", other, place.digest, "--type", kind, *words, code=1)


def test_cosign_refuses_our_release_for_another_image(place: Place) -> None:
    store, image = place.store, place.image()
    place.cosign("verify", "release", image.digest, code=1)
    for suffix in cosign.SUFFIXES:  # genuine, under another image's name
        layers = cosign.list_layers(store, place.digest, suffix)
        for layer in layers:
            store.write([store.read(layer.digest)], media_type=layer.media_type)
        cosign.add(store, image.digest, suffix, layers)
    assert "digest" in place.cosign("verify", "release", image.digest, code=1).stderr
    done = place.cosign("verify-attestation", "steps", image.digest, "--type", VULNS, code=1)
    assert "digest" in done.stderr


@pytest.mark.parametrize("words", FORMATS.values(), ids=FORMATS)
def test_we_accept_what_cosign_signed(place: Place, words: list[str]) -> None:
    image = place.image()
    place.cosign("sign", "release", image.digest, *words, "-a", "author=qa")
    keys = [place.release_key(name) for name in ("stranger", "release", "steps")]
    assert [each.name for each in verify_signature(place.store, image.digest, keys)] == ["release"]
    with pytest.raises(RecordError, match="no trusted release key") as caught:
        verify_signature(place.store, image.digest, [place.release_key("steps")])
    assert "a key that is trusted here" in caught.value.why


@pytest.mark.parametrize("words", FORMATS.values(), ids=FORMATS)
def test_we_refuse_what_cosign_signed_for_another_image(place: Place, words: list[str]) -> None:
    signed, image, store = place.image(), place.image(), place.store
    place.cosign("sign", "release", signed.digest, *words)
    cosign.add(store, image.digest, "sig", cosign.list_layers(store, signed.digest, "sig"))
    for each in bundle.list_bundles(store, signed.digest):
        layers = parse_manifest(store.read(each.digest), each.digest).layers
        store.attach(image, artifact_type=each.artifact_type, layers=layers, annotations=each.annotations)
    with pytest.raises(RecordError, match="no trusted release key"):
        verify_signature(place.store, image.digest, [place.release_key("release")])


def test_an_attestation_by_the_release_key_is_a_signature_to_cosign_but_not_to_us(
    place: Place, tmp_path: Path
) -> None:
    image = place.image()
    failed = tmp_path / "failed.json"
    failed.write_text('{"verificationResult": "FAILED"}')
    place.cosign("attest", "release", image.digest, "--predicate", str(failed), "--type", VERIFICATION)
    place.cosign("verify", "release", image.digest)  # cosign does not ask what was attested
    with pytest.raises(RecordError) as caught:
        verify_signature(place.store, image.digest, [place.release_key("release")])
    assert "it is an attestation, not a signature: " + VERIFICATION in caught.value.why


def test_an_older_attestation_by_the_release_key_is_a_signature_to_neither(
    place: Place, tmp_path: Path
) -> None:
    image = place.image()
    (tmp_path / "p.json").write_text("{}")
    words = ["--predicate", str(tmp_path / "p.json"), "--type", VERIFICATION, OLDER]
    place.cosign("attest", "release", image.digest, *words)
    place.cosign("verify", "release", image.digest, OLDER, code=1)
    with pytest.raises(RecordError, match="has no release signature"):
        verify_signature(place.store, image.digest, [place.release_key("release")])


@pytest.mark.parametrize("words", FORMATS.values(), ids=FORMATS)
def test_we_read_what_cosign_attested(place: Place, words: list[str], tmp_path: Path) -> None:
    image = place.image()
    (tmp_path / "p.json").write_text('{"tester": "ACME"}')
    for key, kind in (("release", "custom"), ("release", CUSTOM), ("stranger", CUSTOM)):
        more = ["--predicate", str(tmp_path / "p.json"), "--type", kind, *words]
        place.cosign("attest", key, image.digest, *more)
    trust = Trust((place.release_key("steps"), place.release_key("release")), "test")
    found, others = third_party.read_attestations(place.store, image.digest, trust)
    assert {each.statement.predicate_type for each in found} == {COSIGN_CUSTOM, CUSTOM}
    assert {key.name for each in found for key in each.keys} == {"release"}
    assert others == 1
    assert records.read_all(place.store, image.digest, trust) == ([], [])


def test_any_bundle_hides_our_signature_from_cosign_by_default(place: Place, tmp_path: Path) -> None:
    image, store = place.image(), place.store
    signer = open_signer(f"file:{place.device.home}/autoclave/keys/development-release.pem", None)
    cosign.sign_image(store, image.digest, "device/app", signer)
    place.cosign("verify", "release", image.digest)
    (tmp_path / "p.json").write_text("{}")
    place.cosign("attest", "stranger", image.digest, "--predicate", str(tmp_path / "p.json"))
    place.cosign("verify", "release", image.digest, code=1)
    place.cosign("verify", "release", image.digest, OLDER)
    assert verify_signature(place.store, image.digest, [place.release_key("release")])


@pytest.mark.parametrize("words", FORMATS.values(), ids=FORMATS)
def test_what_others_attach_closes_no_gate_and_is_shown(
    addresses: dict[str, str], device: Repository, keys: Path, tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "p.json").write_text('{"tester": "ACME"}')
    address = f"oci://{addresses['debian']}/devices/shown-{len(words)}"
    done = device.run("run", "--to", "sign", "--store", address)
    assert done.code == 0, done.err
    place = Place(address, device, done.out.split()[1], keys)
    for key in ("steps", "stranger"):
        more = ["--predicate", str(tmp_path / "p.json"), "--type", CUSTOM, *words]
        place.cosign("attest", key, place.digest, *more)
    assert place.run("sign", "--again").code == 0
    shown = place.run("show", place.digest)
    assert shown.code == 0, shown.err
    assert shown.out.count(f"attestation in cosign's format: {CUSTOM}") == 1
    assert "1 more in cosign's format do not verify" in shown.out
    assert "DOES NOT VERIFY" not in shown.out
    # Ours are still listed for cosign, beside theirs.
    place.cosign("verify-attestation", "steps", place.digest, "--type", VULNS, OLDER)
    if words:
        place.cosign("verify-attestation", "stranger", place.digest, "--type", CUSTOM, OLDER)


def test_deploy_takes_a_signature_by_cosign_but_not_without_our_verification(
    addresses: dict[str, str], device: Repository, keys: Path
) -> None:
    address = f"oci://{addresses['debian']}/devices/deployed"
    done = device.run("run", "--to", "scan", "--store", address)
    assert done.code == 0, done.err
    assert device.run("unit-test", "--store", address).code == 0
    place = Place(address, device, done.out.split()[1], keys)
    place.cosign("sign", "release", place.digest)
    closed = place.run("deploy", "staging")
    assert closed.code == 25, closed.err
    assert "verification" in closed.message
    assert "signature" not in closed.message

    again = place.run("sign", "--again")
    assert again.code == 0, again.err
    withdrawn = place.store.find(cosign.tag(place.digest, "sig"))
    assert withdrawn
    url = f"http://{addresses['debian']}/v2/devices/deployed/manifests/{withdrawn.digest}"
    urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=10).close()
    assert cosign.list_layers(place.store, place.digest, "sig") == []
    # Cosign's own signature is still there, and still good; but a seal names ours, and misses it.
    closed = place.run("deploy", "staging")
    assert closed.code == 25, closed.err
    assert "names is missing" in closed.message
    assert "has no release signature" not in closed.message
