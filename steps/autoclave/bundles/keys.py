"""Trusted keys and certificates as the files that `verify.py` reads: PEM, with what they may do before it."""

from __future__ import annotations

import re

from autoclave.bundles.contents import KEYS
from autoclave.evidence import trust_export
from autoclave.evidence.trust import Trust, TrustedKey


def files(trust: Trust) -> dict[str, bytes]:
    """Return the files by name."""
    found = {
        f"{KEYS}{number:02}-{_slug(key.name)}.pub": _key(key) for number, key in enumerate(trust.keys, 1)
    }
    found |= {
        f"{KEYS}{number:02}-{_slug(each.name)}.crt": each.certificate.encode("ascii")
        for number, each in enumerate(trust.authorities, 1)
    }
    return found


def _key(key: TrustedKey) -> bytes:
    lines = [f"name: {_line(key.name)}", f"may: {', '.join(key.may)}", f"id: {key.key.keyid}"]
    if key.person:
        roles = ", ".join(key.person.roles)
        lines.append(f"person: {_line(f'{key.person.name} <{key.person.id}> ({roles})')}")
    return ("\n".join(lines) + "\n" + trust_export.pem(key)).encode()


def _line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "key"
