"""RPM's package database, of which only its presence is judged here: scanners read its entries.

Places: rpm's macros of Fedora, RHEL, SUSE and Photon (`%_dbpath`); forms: Berkeley DB, ndb, SQLite.
"""

from __future__ import annotations

_FOLDERS = ("var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm")
_NAMES = ("Packages", "Packages.db", "rpmdb.sqlite")
_PATHS = frozenset(f"{folder}/{name}" for folder in _FOLDERS for name in _NAMES)
_MANIFEST = "var/lib/rpmmanifest/container-manifest-2"  # a list as text, of images without a database


def is_rpm(path: str) -> bool:
    """Return whether a file is a package database of RPM."""
    return path in _PATHS or path == _MANIFEST
