"""RPM's package database, of which only its presence is judged here: scanners read its entries.

Places: rpm's macros of Fedora, RHEL, SUSE and Photon (`%_dbpath`); forms: Berkeley DB, ndb, SQLite, of which
each begins with a mark of its own (db_page.h: at byte 12, in either byte order; lib/backend/ndb/rpmpkg.c).
"""

from __future__ import annotations

import struct

_FOLDERS = ("var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm")
_NAMES = ("Packages", "Packages.db", "rpmdb.sqlite")
_PATHS = frozenset(f"{folder}/{name}" for folder in _FOLDERS for name in _NAMES)
_MANIFEST = "var/lib/rpmmanifest/container-manifest-2"  # a list as text, of images without a database

_SQLITE, _NDB = b"SQLite format 3\0", b"RpmP"
_BERKELEY = frozenset(struct.pack(f"{order}I", mark) for mark in (0x061561, 0x053162) for order in "<>")


def is_rpm(path: str) -> bool:
    """Return whether a file is a package database of RPM."""
    return path in _PATHS or path == _MANIFEST


def has_form(path: str, raw: bytes) -> bool:
    """Return whether a file begins as a package database of RPM does, or lists a package as text."""
    if path == _MANIFEST:
        return b"\t" in raw
    return raw.startswith((_SQLITE, _NDB)) or raw[12:16] in _BERKELEY
