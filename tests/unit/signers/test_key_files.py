"""A key in a file: made once, encrypted, and opened with its passphrase alone."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from autoclave.errors import SignerError
from autoclave.evidence import trust
from autoclave.signers import ask_early, encryption, key_pair, open_signer, passphrase

PASSPHRASE = "correct horse battery"


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADA_PASSPHRASE", PASSPHRASE)
    monkeypatch.setattr(encryption, "ITERATIONS", 1000)  # the number is in the file
    monkeypatch.setattr("sys.stdin", io.StringIO())
    passphrase.read.cache_clear()


def make(folder: Path, algorithm: str = "p-256", *, secret: bytes | None = PASSPHRASE.encode()) -> str:
    return f"file:{key_pair.make(folder, 'ada', algorithm, lambda: secret).private}"


@pytest.mark.parametrize("algorithm", key_pair.ALGORITHMS)
def test_a_new_key_signs_and_its_public_half_is_beside_it(tmp_path: Path, algorithm: str) -> None:
    uri = make(tmp_path / "new", algorithm)
    signer = open_signer(f"{uri}?passphrase-from=ADA_PASSPHRASE", None)
    assert signer.public_key == trust.public_key(tmp_path / "new" / "ada.pub")
    signer.public_key.verify_signature(signer.sign(b"words"), b"words")
    assert (tmp_path / "new" / "ada.pem").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["ada.pem", "ada.pub"]


def test_the_file_is_plain_pkcs8_that_other_tools_read(tmp_path: Path) -> None:
    make(tmp_path)
    raw = (tmp_path / "ada.pem").read_bytes()
    assert raw.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert load_pem_private_key(raw, PASSPHRASE.encode()).key_size == 256  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="password"):
        load_pem_private_key(raw, b"another passphrase")


def test_a_pipelines_key_may_be_without_a_passphrase(tmp_path: Path) -> None:
    uri = make(tmp_path, secret=None)
    assert open_signer(uri, None).public_key == trust.public_key(tmp_path / "ada.pub")
    with pytest.raises(SignerError, match="is not encrypted") as refused:
        open_signer(f"{uri}?passphrase-from=ADA_PASSPHRASE", None)
    assert "may not be the file that is meant" in refused.value.why


def test_nothing_is_replaced_and_nobody_is_asked_in_vain(tmp_path: Path) -> None:
    make(tmp_path)
    before = (tmp_path / "ada.pem").read_bytes()
    (tmp_path / "ada.pub").unlink()

    def ask() -> bytes:
        raise AssertionError("the name is taken: nobody needs to be asked")

    with pytest.raises(SignerError, match="exists already"):
        key_pair.make(tmp_path, "ada", "p-256", ask)
    assert (tmp_path / "ada.pem").read_bytes() == before
    (tmp_path / "link.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SignerError, match="exists already"):
        key_pair.make(tmp_path, "link", "p-256", ask)
    (tmp_path / "file").write_text("")
    with pytest.raises(SignerError, match="exists already"):
        key_pair.make(tmp_path / "file", "ada", "p-256", ask)


@pytest.mark.parametrize(
    ("ending", "says"),
    [
        ("", "no terminal to enter a passphrase"),
        ("?passphrase-from=", "names no variable"),
        ("?passphrase-from=NO_PASSPHRASE", "from the variable NO_PASSPHRASE"),
        ("?passphrase-from=EMPTY_PIN", "from the variable EMPTY_PIN"),
        ("?passphrase-from=LINE_PASSPHRASE", "from the variable LINE_PASSPHRASE"),
        ("?passphrase-from=OTHER_PASSPHRASE", "cannot be opened with that passphrase"),
        ("?passphrase-from=ADA_SECRET", "must end in PASSPHRASE or _PIN"),
        ("?passphrase-from=correct horse battery", "is not a variable"),
    ],
)
def test_a_passphrase_that_does_not_come_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, says: str
) -> None:
    monkeypatch.setenv("EMPTY_PIN", "")
    monkeypatch.setenv("LINE_PASSPHRASE", f"{PASSPHRASE}\n")
    monkeypatch.setenv("OTHER_PASSPHRASE", "another passphrase")
    with pytest.raises(SignerError, match=says) as refused:
        open_signer(make(tmp_path) + ending, None)
    words = f"{refused.value.what} {refused.value.why} {refused.value.next}"
    assert "horse" not in words


def test_a_new_passphrase_is_long_enough_and_typed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT_PASSPHRASE", "hunter2")
    with pytest.raises(SignerError, match="has 7 signs"):
        passphrase.choose("the key ada", "SHORT_PASSPHRASE")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    typed = iter([PASSPHRASE, "correct horse"])
    monkeypatch.setattr(passphrase.getpass, "getpass", lambda _: next(typed))
    with pytest.raises(SignerError, match="differ"):
        passphrase.choose("the key ada", "")
    monkeypatch.setattr(passphrase.getpass, "getpass", lambda _: PASSPHRASE)
    assert passphrase.choose("the key ada", "") == PASSPHRASE.encode()


def test_who_is_at_a_terminal_is_asked_once_and_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = make(tmp_path)
    asked = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return PASSPHRASE

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(passphrase.getpass, "getpass", answer)
    ask_early(uri)
    open_signer(uri, None)
    open_signer(uri, None)
    assert asked == [f"the passphrase of {tmp_path / 'ada.pem'}: "]
    for other in ("", f"{uri}?passphrase-from=ADA_PASSPHRASE", "awskms:key"):
        ask_early(other)
    ask_early("hsm:2?label=ada")
    assert asked[1:] == ["the pin of hsm:2?label=ada: "]


def test_a_token_is_opened_with_its_pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library requires a function for the PIN, and calls it for each signature."""
    make(tmp_path)
    seen = []

    class Token:
        def sign(self, payload: bytes) -> None:
            raise RuntimeError("CKR_PIN_INCORRECT")

    def open_token(uri: str, key: object, secret: Callable[[str], str]) -> Token:
        seen.append((uri, secret("pin"), secret("pin")))
        return Token()

    monkeypatch.setattr("securesystemslib.signer.Signer.from_priv_key_uri", open_token)
    public = trust.public_key(tmp_path / "ada.pub")
    signer = open_signer("hsm:2?label=ada&passphrase-from=ADA_PASSPHRASE", public)
    assert seen == [("hsm:2?label=ada", PASSPHRASE, PASSPHRASE)]
    with pytest.raises(SignerError, match="the key hsm:… does not sign") as refused:
        signer.sign(b"words")
    assert refused.value.why == "RuntimeError: CKR_PIN_INCORRECT"
