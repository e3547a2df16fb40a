"""A trust file as text: read back, it is the same trust."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import assume, given
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from autoclave.evidence import trust, trust_export
from autoclave.evidence.trust import Authority, Trust, TrustedKey
from autoclave.model.declared import Person
from autoclave.model.text import is_line

KEYS = [CryptoSigner.generate_ecdsa().public_key for _ in range(4)]
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30)
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,20}", fullmatch=True)
ROLES = st.from_regex(r"[a-z]{1,9}(-[a-z]{1,9}){0,2}", fullmatch=True)


def certificate() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")])
    made = x509.CertificateBuilder().issuer_name(name).subject_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
    made = made.not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


ROOT = certificate()


@given(name=NAMES, person=NAMES, user=IDS, role=ROLES)
def test_read_back_it_is_the_same(
    tmp_path_factory: object, name: str, person: str, user: str, role: str
) -> None:
    assume(is_line(name) and is_line(person))
    held = Person(id=user, name=person, roles=(role, "quality"))
    one, two, three, four = KEYS
    made = Trust(
        (
            TrustedKey(name=f"{name}1", key=one, may=("release", "deploy"), places=("local",)),
            TrustedKey(name=f"{name}2", key=two, may=("build",), development=True),
            TrustedKey(name=f"{name}3", key=three, may=("approve",), person=held),
            TrustedKey(name=f"{name}4", key=four, may=("vex",), packages=("pkg:pypi/flask", "pkg:npm/a*")),
        ),
        "anywhere",
        (Authority(name, ROOT),),
    )
    path = Path(tmp_path_factory.mktemp("t")) / "trust.toml"  # type: ignore[attr-defined]
    path.write_bytes(trust_export.text(made).encode())
    read = trust.load(path)
    assert (read.keys, read.authorities) == (made.keys, made.authorities)
    assert trust_export.digest(read) == trust_export.digest(made)
    assert trust_export.fingerprint(read.keys[0]).startswith("sha256:")
