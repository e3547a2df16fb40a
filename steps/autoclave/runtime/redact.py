"""Keep secret values out of everything that is printed."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

_STARS = "[masked]"
_SHORTEST = 4  # a shorter value would mask ordinary text


class Mask:
    """Replace known secrets in text: raw, base64 (all three alignments), URL-encoded, in JSON, in hex."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: list[str] = []
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Mask these values from now on."""
        forms = set(self._forms)
        for secret in secrets:
            for line in secret.splitlines():
                if len(line.strip()) >= _SHORTEST:
                    forms |= _encodings(line.strip())
        # The longest first, so that a secret that contains another one is masked whole.
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text with every known secret replaced."""
        for form in self._forms:
            text = text.replace(form, _STARS)
        return text


def _encodings(secret: str) -> set[str]:
    raw = secret.encode()
    forms = {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        raw.hex(),
        raw.hex().upper(),
    }
    for shift in range(3):
        # Inside a longer base64 text a value appears in one of three alignments; the characters
        # at its edges depend on its neighbours, so they are left out.
        encoded = base64.b64encode(b"\0" * shift + raw).decode()
        head = (0, 2, 3)[shift]
        tail = -(-(8 * (shift + len(raw))) // 6) - (1 if (shift + len(raw)) % 3 else 0)
        core = encoded[head:tail]
        if len(core) >= _SHORTEST:
            forms |= {core, core.replace("+", "-").replace("/", "_")}
    return forms
