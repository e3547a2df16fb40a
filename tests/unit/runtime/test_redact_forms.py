"""Masking: every form in which a secret is printed."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from autoclave.runtime.redact import Mask

SECRET = "p@ss/word+2026?"


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("after", ["", "z", "zz"])
def test_a_secret_is_masked_in_every_form(before: str, after: str) -> None:
    mask = Mask([SECRET])
    assert SECRET not in mask(before + SECRET + after)
    assert quote(SECRET, safe="") not in mask(quote(SECRET, safe=""))
    encoded = base64.b64encode((before + SECRET + after).encode()).decode()
    decodable = mask(encoded).replace("[masked]", "")
    assert len(decodable) < len(encoded) - len(SECRET)


def test_short_values_do_not_mask_ordinary_text() -> None:
    assert Mask(["ab", ""])("about") == "about"
