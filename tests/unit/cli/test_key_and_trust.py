"""`autoclave key` and `autoclave trust`: from nothing to a key that counts, and why one does not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from autoclave.cli.main import main
from autoclave.evidence import predicates, records, statement, trust
from autoclave.evidence.statement import VULNS
from autoclave.signers import encryption
from autoclave.store.layout import LayoutStore
from builders.sample_facts import SCAN, STEP_INFO
from builders.sample_image import write_image

DEVICE = '[device]\nname = "pump"\nversion = "1"\nsafety-class = "C"\n[[image]]\nname = "app"\n'
ADA = ("--person", "ada", "--person-name", "Ada Quality", "--role", "quality")
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ADA_PASSPHRASE", "correct horse battery")
    monkeypatch.setattr(encryption, "ITERATIONS", 1000)
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(words)
        done = capsys.readouterr()
        return code, done.out + done.err

    return call


def new_key(run: Run, *words: str) -> Path:
    code, said = run("key", "new", *words, "--passphrase-from", "ADA_PASSPHRASE", "-o", "keys")
    assert code == 0, said
    return Path("keys")


def test_a_person_gets_a_key_that_counts(run: Run) -> None:
    keys = new_key(run, *ADA)
    public = next(keys.glob("ada-*.pub"))
    code, said = run("trust", "add", str(public), *ADA, "--trust", "organisation/trust.toml")
    assert code == 0
    assert "may sign waive, approve" in said
    assert "belongs to Ada Quality (ada): quality" in said
    (found,) = trust.load(Path("organisation/trust.toml")).keys
    assert found.person
    uri = f"file:{public.with_suffix('.pem').absolute()}?passphrase-from=ADA_PASSPHRASE"
    code, said = run("trust", "check", "--trust", "organisation/trust.toml", "--key", uri)
    assert code == 60
    assert f"calls it {found.name}" in said
    assert "no key may sign build" in said
    assert "correct horse battery" not in said


def test_what_a_new_key_prints_can_be_pasted(run: Run) -> None:
    code, said = run("key", "new", *ADA, "--passphrase-from", "ADA_PASSPHRASE", "--json")
    assert code == 0
    data = json.loads(said)
    Path("trust.toml").write_text(
        f'[[key]]\nname = "a"\npublic = {json.dumps(data["pem"])}\nmay = ["build"]\n', "utf-8"
    )
    assert trust.load(Path("trust.toml")).keys
    assert Path(data["private"]).is_relative_to(Path("home").absolute())
    assert data["uri"].endswith("?passphrase-from=ADA_PASSPHRASE")


def test_a_second_key_of_a_person_needs_the_id_alone(run: Run) -> None:
    keys = new_key(run, *ADA)
    new_key(run, *ADA, "--name", "ada-token", "--algorithm", "ed25519")
    run("trust", "add", str(next(keys.glob("ada-2*.pub"))), *ADA, "--trust", "trust.toml")
    token = str(keys / "ada-token.pub")
    code, said = run(
        "trust", "add", token, "--person", "ada", "--role", "regulatory", "--trust", "trust.toml"
    )
    assert code == 10
    assert "describes 'ada' as Ada Quality, quality" in said
    code, said = run("trust", "add", token, "--person", "ada", "--name", "ada-token", "--trust", "trust.toml")
    assert code == 0, said
    first, second = trust.load(Path("trust.toml")).keys
    assert first.person == second.person
    code, said = run("trust", "add", token, "--person", "ada", "--name", "again", "--trust", "trust.toml")
    assert code == 10
    assert "are the same key" in said
    assert len(trust.load(Path("trust.toml")).keys) == 2
    code, said = run("trust", "list", "--trust", "trust.toml")
    assert said.count("belongs to Ada Quality (ada)") == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "nothing says what the key may sign"),
        (("--person", "ada"), "needs --person-name"),
        (("--person", "ada", "--person-name", "Ada"), "needs --role"),
        (("--role", "quality", "--may", "build"), "--person is missing"),
        (("--may", "build"), "the key has no name"),
        (("--may", "build", "--name", "../x"), "cannot be the name of a key"),
        (("--may", "build", "--name", "development-steps"), "development keys have that name"),
        ((*ADA, "--no-passphrase"), "a person's key has a passphrase"),
        (("--may", "bild", "--name", "x"), "bild"),
    ],
)
def test_a_key_without_an_owner_or_a_name_is_not_made(run: Run, words: tuple[str, ...], says: str) -> None:
    code, said = run("key", "new", *words, "-o", "keys")
    assert code == 2
    assert says in said
    assert not Path("keys").exists()


@pytest.mark.parametrize("marker", ["autoclave.toml", ".git/HEAD"])
def test_no_private_key_is_written_into_a_repository(run: Run, marker: str) -> None:
    for name in (marker, ".git/objects/x", ".git/refs/x"):
        Path("repo", name).parent.mkdir(parents=True, exist_ok=True)
        Path("repo", name).write_text("ref: refs/heads/main\n")
    code, said = run("key", "new", *ADA, "--passphrase-from", "ADA_PASSPHRASE", "-o", "repo/deep/keys")
    assert code == 10
    assert "would be in the repository" in said
    assert not Path("repo/deep").exists()


def test_a_trust_file_is_left_as_it_was_when_the_key_cannot_be_added(run: Run) -> None:
    keys = new_key(run, *ADA)
    public = str(next(keys.glob("*.pub")))
    private = str(next(keys.glob("*.pem")))
    for path, words, says in (
        (private, ADA, "is a private key"),
        (public, ("--may", "build", *ADA), "a person's key must not be where a pipeline could use it"),
        (public, ("--may", "waive"), "belongs to no person"),
        (public, ("--may", "vex"), "names no packages"),
        (public, ("--may", "build", "--place", "production"), "which is not a place"),
        (public, ("--person", "a\u0301da", "--person-name", "A", "--role", "q"), "person.id"),
        ("nowhere.pub", ("--may", "build"), "nowhere.pub"),
    ):
        code, said = run("trust", "add", path, *words, "--trust", "trust.toml")
        assert code in {10, 33}, said
        assert says in said
        assert not Path("trust.toml").exists()
    Path("trust.toml").write_text("[[key]]\nname = 1\n")
    code, said = run("trust", "add", public, *ADA, "--trust", "trust.toml")
    assert code == 10
    assert Path("trust.toml").read_text() == "[[key]]\nname = 1\n"
    code, said = run("trust", "add", public, *ADA)
    assert code == 2
    assert "--trust /etc/autoclave/trust.toml" in said


def test_the_file_behind_a_link_is_changed_and_keeps_its_mode(run: Run) -> None:
    keys = new_key(run, *ADA)
    real, link = Path("real/trust.toml"), Path("trust.toml")
    real.parent.mkdir()
    link.symlink_to(real)
    public = str(next(keys.glob("*.pub")))
    assert run("trust", "add", public, *ADA, "--trust", "real/trust.toml")[0] == 0
    real.chmod(0o640)
    new_key(run, "--name", "steps", "--may", "build")
    assert run("trust", "add", str(keys / "steps.pub"), "--may", "build", "--trust", "trust.toml")[0] == 0
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert len(trust.load(link).keys) == 2
    assert [path.name for path in real.parent.iterdir()] == ["trust.toml"]


def test_a_trust_file_is_no_pipe_that_is_waited_for(run: Run) -> None:
    keys = new_key(run, *ADA)
    os.mkfifo("trust.toml")
    code, said = run("trust", "add", str(next(keys.glob("*.pub"))), *ADA, "--trust", "trust.toml")
    assert code == 12
    assert "and not a plain file" in said


def test_a_trust_file_is_not_written_into_the_device_repository(run: Run) -> None:
    keys = new_key(run, *ADA)
    Path("pump").mkdir()
    Path("pump/autoclave.toml").write_text(DEVICE)
    public = str(next(keys.glob("*.pub")))
    code, said = run("trust", "add", public, *ADA, "--trust", "pump/trust.toml", "-C", "pump")
    assert code == 10
    assert "is in the device repository" in said
    assert not Path("pump/trust.toml").exists()


def device(run: Run, **signers: CryptoSigner) -> dict[str, Any]:
    """Make a device with a scan record by the key `by`, and a trust file with the others."""
    Path("pump").mkdir()
    Path("pump/autoclave.toml").write_text(DEVICE)
    store = LayoutStore(Path("pump/.autoclave/store"))
    image = write_image(store)
    store.tag("app", image)
    body = statement.make(image.digest, VULNS, predicates.vulns(STEP_INFO, SCAN))
    records.attach(store, image, body, VULNS, signers["by"])
    Path("other.pub").write_text(str(signers["listed"].public_key.keyval["public"]))
    return {"image": image}


def test_the_check_names_what_policy_and_records_lack(run: Run) -> None:
    stranger, steps = CryptoSigner.generate_ecdsa(), CryptoSigner.generate_ecdsa()
    device(run, by=stranger, listed=steps)
    words = ("--name", "steps", "--may", "build", "--may", "unit-test", "--trust", "trust.toml")
    assert run("trust", "add", "other.pub", *words)[0] == 0
    code, said = run("trust", "check", "--trust", "trust.toml", "-C", "pump")
    assert code == 60
    assert "no key may sign scan" in said
    assert "no key may sign build" not in said
    assert "approval by quality, and nobody can give one" in said
    assert "a waiver is signed by two persons, and nobody may sign one" in said
    assert "app: the vulns record" in said
    assert "does not count: the record is signed by an unknown key" in said
    assert "is not in trust.toml" in said


def test_a_role_that_is_missing_is_said_in_the_files_words(run: Run) -> None:
    steps = CryptoSigner.generate_ecdsa()
    device(run, by=steps, listed=steps)
    assert (
        run("trust", "add", "other.pub", "--name", "steps", "--may", "build", "--trust", "trust.toml")[0] == 0
    )
    _, said = run("trust", "check", "--trust", "trust.toml", "-C", "pump")
    assert "by a key that may not sign scan: trust.toml says: steps (" in said
    assert ") may sign build" in said


def test_a_waiver_says_that_the_scan_is_out_of_trust(run: Run) -> None:
    stranger, steps = CryptoSigner.generate_ecdsa(), CryptoSigner.generate_ecdsa()
    device(run, by=stranger, listed=steps)
    keys = new_key(run, *ADA)
    private = next(keys.glob("*.pem"))
    public = str(private.with_suffix(".pub"))
    assert run("trust", "add", public, *ADA, "--trust", "trust.toml")[0] == 0
    code, said = run(
        *("waive", "CVE-2019-10906", "--rationale", "why", "--expires", "2099-01-01", "-C", "pump"),
        *("--trust", "trust.toml", "--key", f"file:{private}?passphrase-from=ADA_PASSPHRASE"),
    )
    assert code == 2
    assert "it is not known whether the image has the finding" in said
    assert "app: its vulns record does not count: the record is signed by an unknown key" in said
    assert "autoclave trust check" in said


def test_every_kind_of_key_is_explained(run: Run) -> None:
    code, said = run("key", "kinds")
    assert code == 0
    for scheme in ("file:", "hsm:", "awskms:", "gcpkms:", "azurekms:", "hv:"):
        assert scheme in said
