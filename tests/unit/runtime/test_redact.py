"""Masking: no form of a secret that tools print survives, and ordinary text does."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from autoclave.runtime.redact import Mask

SECRETS = ["hunter2hunter2", "p@ss/word+2026?", "\u00fcber-geheim\u00ff\u00fe", "a'b\"c d$e"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("before", [b"", b"u", b"us", b"usr"])
@pytest.mark.parametrize("after", [b"", b"\n", b":x", b"::x"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_reveals_at_most_the_edges(secret: str, before: bytes, after: bytes, encode: object) -> None:
    encoded = encode(before + secret.encode() + after).decode()
    masked = Mask([secret])(encoded)
    assert "[masked]" in masked
    left, right = masked.split("[masked]")
    assert encoded.startswith(left)
    assert encoded.endswith(right)
    # Every character with bits of only the secret is masked: 6 bits each, at most 4 of padding.
    assert len(left) * 6 < len(before) * 8 + 6
    assert len(right.rstrip("=")) * 6 < len(after) * 8 + 6 + 4


@pytest.mark.parametrize("secret", SECRETS)
def test_the_value_and_its_url_encoding_are_masked(secret: str) -> None:
    mask = Mask([secret])
    assert mask(f"token={secret};") == "token=[masked];"
    assert mask(f"https://u:{quote(secret, safe='')}@host") == "https://u:[masked]@host"


def test_a_secret_inside_another_one_does_not_leave_its_rest() -> None:
    assert Mask(["secret", "secret-and-more"])("secret-and-more, secret") == "[masked], [masked]"


def test_each_line_of_a_secret_is_masked() -> None:
    mask = Mask(["-----BEGIN KEY-----\nMIIEabc\r\n  indented\n"])
    assert mask("MIIEabc") == mask("indented") == "[masked]"


def test_secrets_are_added_later() -> None:
    mask = Mask()
    assert mask("swordfish") == "swordfish"
    mask.add(["swordfish"])
    assert mask("swordfish") == "[masked]"


@pytest.mark.parametrize("short", ["", "abc", "   ", "\n\n", " ab "])
def test_a_value_too_short_to_be_secret_masks_nothing(short: str) -> None:
    assert Mask([short])("abc, and about   it") == "abc, and about   it"
