"""Why a key does not count, in the words of the trust file: the key, the role, the place, the person."""

from __future__ import annotations

from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.evidence.trust_reasons import describe_key, explain_refusal, explain_signer
from autoclave.model.declared import Person

ONE, STRANGER = (CryptoSigner.generate_ecdsa().public_key for _ in range(2))
ADA = Person(id="ada", name="Ada Quality", roles=("quality",))
CLINIC = "cluster https://clinic.example:6443 pumps"


def key(*may: str, **more: Any) -> TrustedKey:
    return TrustedKey(name="k", key=ONE, may=may, **more)


def trust(listed: TrustedKey) -> Trust:
    return Trust((listed,), "trust.toml")


@pytest.mark.parametrize(
    ("listed", "where", "says"),
    [
        (key("build"), {}, f"trust.toml says: k ({ONE.keyid[:12]}) may sign build"),
        (key("build"), {"place": CLINIC}, "may sign build"),
        (key("scan", places=("local",)), {"place": CLINIC}, f"k ({ONE.keyid[:12]}) counts in 'local'"),
        (key("scan", places=("local",)), {"place": ""}, "counts in 'local'"),
        (
            key("scan", development=True),
            {"place": CLINIC, "production": True},
            f"k ({ONE.keyid[:12]}) does not count in {CLINIC}",
        ),
    ],
    ids=["role", "role before place", "place", "no place", "development"],  # a key of each run has another id
)
def test_a_refusal_names_the_nearest_miss(listed: TrustedKey, where: dict[str, Any], says: str) -> None:
    assert says in explain_refusal([listed], ("scan",), trust(listed), **where)


@pytest.mark.parametrize(
    ("listed", "personal", "why", "then"),
    [
        (None, False, "trust.toml does not list this key", "autoclave trust add PUBLIC --may waive"),
        (None, True, "only a person who is listed may waive", "trust add PUBLIC --person ID"),
        (
            key("build"),
            True,
            "belongs to no person; a key of the pipeline cannot decide",
            "key new --person",
        ),
        (key("approve", person=ADA), True, "may sign approve", "add 'waive' to 'may'"),
        (key("build"), False, "may sign build", "add 'waive' to 'may'"),
    ],
)
def test_a_signer_hears_what_to_do(listed: TrustedKey | None, personal: bool, why: str, then: str) -> None:
    known = trust(listed or TrustedKey(name="other", key=STRANGER, may=("waive",)))
    said, following = explain_signer(ONE, ("waive",), known, personal=personal)
    assert why in said
    assert then in following


def test_a_key_is_described_in_words() -> None:
    assert describe_key(key("waive", "approve", person=ADA)) == [
        "may sign waive, approve",
        "belongs to Ada Quality (ada): quality",
        "counts everywhere",
    ]
    assert describe_key(key("vex", packages=("pkg:npm/a",), places=("local",))) == [
        "may sign vex for pkg:npm/a",
        "counts in 'local'",
    ]
    assert "no production environment" in describe_key(key("build", development=True))[-1]
