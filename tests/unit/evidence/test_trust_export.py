"""A trust file as text: read back, it is the same trust."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from autoclave.evidence import trust, trust_export
from autoclave.evidence.trust import Authority, Trust, TrustedKey
from autoclave.model.declared import Person

KEY = CryptoSigner.generate_ecdsa().public_key
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(name=WORDS, person=WORDS)
def test_read_back_it_is_the_same(tmp_path_factory: object, name: str, person: str) -> None:
    held = Person(id=person, name=name, roles=(person, "quality"))
    made = Trust(
        (
            TrustedKey(name=name, key=KEY, may=("release", "deploy"), environments=(person,)),
            TrustedKey(name="d", key=KEY, may=("build",), development=True),
            TrustedKey(name="p", key=KEY, may=("approve",), person=held),
            TrustedKey(name="v", key=KEY, may=("vex",), packages=("pkg:pypi/flask", f"pkg:{name}")),
        ),
        "anywhere",
        (Authority(name, "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"),),
    )
    path = Path(tmp_path_factory.mktemp("t")) / "trust.toml"  # type: ignore[attr-defined]
    path.write_bytes(trust_export.text(made).encode())
    read = trust.load(path)
    assert (read.keys, read.authorities) == (made.keys, made.authorities)
    assert trust_export.digest(read) == trust_export.digest(made)
    assert trust_export.fingerprint(read.keys[0]).startswith("sha256:")
