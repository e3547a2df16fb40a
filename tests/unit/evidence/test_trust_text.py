"""A trust file is edited as text: comments stay, and what it meant before it still means."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from autoclave.errors import ConfigError
from autoclave.evidence import trust, trust_text
from autoclave.evidence.trust_export import pem_of
from autoclave.evidence.trust_text import NewKey
from autoclave.model.declared import Person

ONE, TWO = (pem_of(CryptoSigner.generate_ecdsa().public_key) for _ in range(2))
ADA = Person(id="ada", name='Ada "Q" \\ Quality', roles=("quality", "engineering"))
TODAY = date(2026, 11, 30)


def key(name: str = "ada-2026", pem: str = ONE, **more: object) -> NewKey:
    return NewKey(**{"name": name, "pem": pem, "may": ("waive", "approve"), "person": ADA, **more})  # type: ignore[arg-type]


def test_a_new_file_explains_itself_and_loads(tmp_path: Path) -> None:
    text = trust_text.add("", key(), "sha256:12", TODAY)
    assert text.startswith(trust_text.HEADER)
    assert "# added 2026-11-30; fingerprint sha256:12" in text
    (found,) = trust.parse(text, tmp_path / "trust.toml").keys
    assert (found.name, found.may, found.person) == ("ada-2026", ("waive", "approve"), ADA)
    for role in trust.ROLES:
        assert role in trust_text.HEADER


def test_comments_order_and_unknown_spacing_stay(tmp_path: Path) -> None:
    before = trust_text.add("", key(), "", TODAY)
    before = before.replace("may = [", "may   = [ # Ada decides\n  ") + "\n# the end\n"
    steps = key("steps", TWO, person=None, may=("build",), places=("cluster https://c.example:6443 *",))
    after = trust_text.add(before, steps, "", TODAY)
    kept = before.removesuffix("\n# the end\n").rstrip()
    assert after.startswith(kept)
    assert "# the end" in after
    assert "# Ada decides" in after
    found = trust.parse(after, tmp_path / "trust.toml")
    assert [each.name for each in found.keys] == ["ada-2026", "steps"]
    assert found.keys[1].places == ("cluster https://c.example:6443 *",)


def test_authorities_after_the_keys_stay_whole() -> None:
    before = trust_text.add("", key(), "", TODAY) + '\n[[tsa]]\nname = "A"\ncertificate = "a.pem" # root\n'
    data = tomllib.loads(trust_text.add(before, key("b", TWO, person=None, may=("scan",)), "", TODAY))
    assert [each["name"] for each in data["key"]] == ["ada-2026", "b"]
    assert data["tsa"] == [{"name": "A", "certificate": "a.pem"}]


@pytest.mark.parametrize(
    "text", ["key = [{ name = 'a' }]\n", "key = 1\n", "key = [\n", "[key]\nname = 'a'\n"]
)
def test_a_file_that_cannot_be_edited_is_left_alone(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        trust_text.add(text, key(), "", TODAY)
    assert "by hand" in refused.value.next


@given(name=st.text(max_size=40), roles=st.lists(st.text(max_size=10), max_size=3))
def test_no_name_writes_anything_but_itself(name: str, roles: list[str]) -> None:
    """What a name may be is for the check of the whole file: the text is TOML, and has it as it is."""
    holder = Person(id="ada", name=name, roles=tuple(roles))
    text = trust_text.add("", key(name, person=holder), "", TODAY)
    (found,) = tomllib.loads(text)["key"]
    assert found["name"] == name
    assert found["person"] == {"id": "ada", "name": name, "roles": roles}
    assert set(found) == {"name", "public", "may", "person"}
