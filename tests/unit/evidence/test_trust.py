"""One public key is one identity, one name one key or person, and the device repository chooses neither."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from securesystemslib.signer import CryptoSigner

from autoclave.device.repository import refuse_own
from autoclave.errors import AutoclaveError, ConfigError, SignerError
from autoclave.evidence import trust

SPKI, PKCS1 = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1
ONE, TWO = (CryptoSigner.generate_ecdsa() for _ in range(2))
A, B = (str(each.public_key.keyval["public"]) for each in (ONE, TWO))
PRIVATE = ONE.private_bytes.decode()


def rsa_pem(form: serialization.PublicFormat) -> str:
    key = rsa.RSAPublicNumbers(65537, (1 << 3071) + 12345).public_key()
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def point_pem(*, compressed: bool) -> str:
    """Return the key of ONE; compressed, its text is another one."""
    key = serialization.load_pem_public_key(A.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    if compressed:
        point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
        head = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
        der = head + point
        import base64

        return f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(der).decode()}\n-----END PUBLIC KEY-----\n"
    return A


def entry(name: str, public: str, words: str = 'may = ["build"]') -> str:
    return f"[[key]]\nname = {json.dumps(name)}\npublic = {json.dumps(public)}\n{words}\n"


def person(user: str, name: str, role: str = "quality") -> str:
    return (
        f'may = ["approve"]\nperson = {{ id = {json.dumps(user)}, name = {json.dumps(name)}, '
        f"roles = [{json.dumps(role)}] }}"
    )


def load(folder: Path, text: str) -> trust.Trust:
    (folder / "trust.toml").write_text(text, "utf-8")
    return trust.load(folder / "trust.toml")


SAME = {
    "under two persons": (A, person("ada", "Ada"), A, person("ben", "Ben")),
    "of the release and of a person": (A, 'may = ["release"]', A, person("ada", "Ada")),
    "of the steps and of the release": (A, 'may = ["build"]', A, 'may = ["release"]'),
    "of a supplier and of the steps": (A, 'may = ["vex"]\npackages = ["pkg:npm/a"]', A, 'may = ["build"]'),
    "with other line ends": (A, person("ada", "Ada"), A.replace("\n", "\r\n"), person("ben", "Ben")),
    "with lines of another length": (
        A,
        person("ada", "Ada"),
        "\n".join([A.splitlines()[0], "".join(A.splitlines()[1:-1]), A.splitlines()[-1]]),
        person("ben", "Ben"),
    ),
    "with words before it": (A, person("ada", "Ada"), f"Ben's key\n{A}", person("ben", "Ben")),
    "as a compressed point": (A, person("ada", "Ada"), point_pem(compressed=True), person("ben", "Ben")),
    "as PKCS#1": (rsa_pem(SPKI), person("ada", "Ada"), rsa_pem(PKCS1), person("ben", "Ben")),
}


@pytest.mark.parametrize(("one", "words", "other", "more"), SAME.values(), ids=SAME)
def test_a_key_is_listed_once(one: str, words: str, other: str, more: str, tmp_path: Path) -> None:
    assert load(tmp_path, entry("a", one, words)).keys
    assert load(tmp_path, entry("b", other, more)).keys
    with pytest.raises(ConfigError, match="are the same key"):
        load(tmp_path, entry("a", one, words) + entry("b", other, more))


def test_a_person_may_have_two_keys(tmp_path: Path) -> None:
    text = entry("ada-1", A, person("ada", "Ada")) + entry("ada-2", B, person("ada", "Ada"))
    assert [each.person for each in load(tmp_path, text).keys] == [load(tmp_path, text).keys[0].person] * 2


ALIKE = {
    "ids that differ by case": ("a", person("ada", "Ada"), "b", person("Ada", "Ada"), "two persons"),
    "one id, two names": ("a", person("ada", "Ada"), "b", person("ada", "Ben"), "two names"),
    "one id, other roles": ("a", person("ada", "Ada"), "b", person("ada", "Ada", "dev"), "two names"),
    "keys of one name": ("a", 'may = ["build"]', "a", 'may = ["scan"]', "two keys"),
    "names that differ by case": ("Steps", 'may = ["build"]', "steps", 'may = ["scan"]', "two keys"),
    "a wide letter": ("steps", 'may = ["build"]', "\uff53teps", 'may = ["scan"]', "two keys"),
    "a ligature": ("office", 'may = ["build"]', "o\ufb03ce", 'may = ["scan"]', "two keys"),
}


@pytest.mark.parametrize(("one", "words", "other", "more", "says"), ALIKE.values(), ids=ALIKE)
def test_names_that_look_alike_are_refused(
    one: str, words: str, other: str, more: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=says):
        load(tmp_path, entry(one, A, words) + entry(other, B, more))


@pytest.mark.parametrize(
    "words",
    [
        person("\u0430da", "Ada"),  # a Cyrillic letter
        person("ada\u200b", "Ada"),
        person("ada\n", "Ada"),
        person("", "Ada"),
        person("ada", "Ada\u202e"),
        person("ada", "Ada\n"),
        person("ada", " Ada"),
        person("ada", "A\u0308da"),  # not in NFC
        person("ada", "Ada\u3164"),
        person("ada", ""),
        person("ada", "Ada", "Quality "),
        person("ada", "Ada", "quality\n"),
        'may = ["approve"]\nperson = { id = "ada", name = "Ada", roles = [], extra = 1 }',
        'may = ["build"]\nenvironments = ["Production "]',
        'may = ["build"]\nenvironments = ["production\\n"]',
        'may = ["vex"]\npackages = ["pkg:*"]',
        'may = ["vex"]\npackages = ["pkg:pypi/*"]',
        'may = ["vex"]\npackages = ["pkg:[!x]*"]',
        'may = ["vex"]\npackages = ["pkg:pypi/[!x]*"]',
        'may = ["vex"]\npackages = ["pkg:pypi/a\\n"]',
        'may = ["vex", "scan"]\npackages = ["pkg:pypi/a"]',
        'may = ["release\\n"]',
    ],
)
def test_what_does_not_print_as_it_is_or_says_too_much_is_refused(words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load(tmp_path, entry("a", A, words))


@pytest.mark.parametrize("name", ["a\n", "a\x1b[2J", "a\u202eb", "a\u00adb", " a", "a  b", "e\u0301", ""])
def test_a_keys_name_prints_as_it_is(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load(tmp_path, entry(name, A))


@pytest.mark.parametrize("name", ["Schl\u00fcssel 2026", "\u9375", "ada-2026", "\u0410\u0434\u0430"])
def test_a_name_may_be_in_any_language(name: str, tmp_path: Path) -> None:
    assert load(tmp_path, entry(name, A)).keys[0].name == name


@pytest.mark.parametrize("text", [PRIVATE, f"my key\n{PRIVATE}", f"{A}{PRIVATE}", "x " + PRIVATE])
def test_a_private_key_is_refused_and_never_printed(text: str, tmp_path: Path) -> None:
    (tmp_path / "k.pub").write_text(text)
    secret = [line for line in PRIVATE.splitlines() if not line.startswith("-")]
    for public in ("k.pub", text):
        with pytest.raises(SignerError, match="is a private key") as caught:
            load(tmp_path, entry("a", public))
        said = f"{caught.value.what}{caught.value.why}{caught.value.next}"
        assert not any(line in said for line in secret)


def test_a_key_without_its_first_line_is_not_printed_as_the_name_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(AutoclaveError) as caught:
        load(tmp_path, entry("a", "\n".join(PRIVATE.splitlines()[1:])))
    assert PRIVATE.splitlines()[1] not in f"{caught.value.what}{caught.value.why}"


def test_an_authority_has_one_certificate(tmp_path: Path) -> None:
    for certificate in (
        "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n",
        PRIVATE,
        A,
        "none.pem",
    ):
        text = f'{entry("a", A)}[[tsa]]\nname = "t"\ncertificate = {json.dumps(certificate)}\n'
        with pytest.raises(ConfigError) as caught:
            load(tmp_path, text)
        assert PRIVATE.splitlines()[1] not in f"{caught.value.what}{caught.value.why}"


def test_the_organisations_files_are_outside_of_the_device_repository(tmp_path: Path) -> None:
    repository, site = tmp_path / "repository", tmp_path / "site"
    device = repository / "devices" / "pump"
    for folder in (repository / ".git" / "objects", device, site):
        folder.mkdir(parents=True)
    (repository / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (device / ".git").mkdir()  # git takes an empty folder for no repository
    for path in (site / "trust.toml", repository / "trust.toml", device / "trust.toml"):
        path.write_text(entry("a", A))
    (repository / "out.toml").symlink_to(site / "trust.toml")
    (site / "in.toml").symlink_to(repository / "trust.toml")
    (site / "folder").symlink_to(repository)
    assert trust.load(site / "trust.toml", device=device).keys
    for path in (
        device / "trust.toml",
        repository / "trust.toml",
        repository / "out.toml",
        site / "in.toml",
        site / "folder" / "trust.toml",
        device / ".." / ".." / "trust.toml",
    ):
        with pytest.raises(ConfigError, match="is in the device repository"):
            trust.load(path, device=device)
        with pytest.raises(ConfigError, match="is in the device repository"):
            refuse_own(path, device, "policy")


def test_a_key_file_of_the_trust_file_is_outside_as_well(tmp_path: Path) -> None:
    device = tmp_path / "device"
    device.mkdir()
    (device / "autoclave.toml").touch()
    (device / "k.pub").write_text(A)
    (tmp_path / "trust.toml").write_text(entry("a", "device/k.pub"))
    assert trust.load(tmp_path / "trust.toml").keys
    with pytest.raises(ConfigError, match="is in the device repository"):
        trust.load(tmp_path / "trust.toml", device=device)


def test_a_folder_without_a_device_may_hold_them(tmp_path: Path) -> None:
    (tmp_path / "trust.toml").write_text(entry("a", A))
    assert trust.load(tmp_path / "trust.toml", device=tmp_path).keys
    (tmp_path / "autoclave.toml").touch()
    with pytest.raises(ConfigError, match="is in the device repository"):
        trust.load(tmp_path / "trust.toml", device=tmp_path)
