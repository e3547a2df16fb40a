"""A package as a database of the image lists it, and the two databases that are text: dpkg's and apk's.

Sources: deb-control(5), dpkg(1), deb-md5sums(5) of Debian 12; apk-v2 installed database, wiki.alpinelinux.org
(Apk spec); distroless images keep one file a package in status.d.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct


class Package(Struct, frozen=True):
    """An installed package: its name, its version, and the files that it installed, without folders.

    `source` is of whom and of which source package it is: scanners look for advisories by that.
    """

    name: str
    version: str
    files: tuple[str, ...] = ()
    source: str = ""


DPKG: Final = "var/lib/dpkg/"
_STATUS, _PARTS, _INFO = f"{DPKG}status", f"{DPKG}status.d/", f"{DPKG}info/"
APK: Final = ("lib/apk/db/installed", "usr/lib/apk/db/installed")


def is_dpkg(path: str) -> bool:
    """Return whether a file belongs to dpkg's database."""
    return path == _STATUS or path.startswith(_PARTS) or (path.startswith(_INFO) and path.endswith(".list"))


def is_dpkg_status(path: str) -> bool:
    """Return whether a file lists packages, and not only the files of one."""
    return path == _STATUS or (path.startswith(_PARTS) and not path.endswith(".md5sums"))


def read_dpkg(files: Mapping[str, bytes]) -> dict[str, Package]:
    """Return the installed packages by `name:architecture`."""
    found: dict[str, Package] = {}
    for path, raw in files.items():
        if is_dpkg_status(path):
            for fields in _paragraphs(raw):
                name, version, architecture = (
                    fields.get(each, "") for each in ("package", "version", "architecture")
                )
                if name and version and _is_installed(fields.get("status", "installed")):
                    listed = _dpkg_files(files, name, architecture)
                    source = f"{fields.get('source', '')} {fields.get('maintainer', '')}".strip()
                    found[f"{name}:{architecture}"] = Package(name, version, listed, source)
    return found


def read_dpkg_lists(files: Mapping[str, bytes]) -> dict[str, Package]:
    """Return the lists of files that there are, by name or `name:architecture`, whatever is installed."""
    return {
        name: Package(name.partition(":")[0], "", _lines(raw))
        for path, raw in files.items()
        if path.startswith(_INFO)
        for name in [path.removeprefix(_INFO).removesuffix(".list")]
    } | {
        name: Package(name, "", _sums(raw))
        for path, raw in files.items()
        if path.startswith(_PARTS) and path.endswith(".md5sums")
        for name in [path.removeprefix(_PARTS).removesuffix(".md5sums")]
    }


def read_apk(files: Mapping[str, bytes]) -> dict[str, Package]:
    """Return the installed packages by name."""
    found: dict[str, Package] = {}
    for raw in files.values():
        for paragraph in raw.decode("utf-8", "replace").split("\n\n"):
            name = version = folder = origin = ""
            listed: list[str] = []
            for line in paragraph.splitlines():
                key, _, value = line.partition(":")
                match key:
                    case "P":
                        name = value
                    case "V":
                        version = value
                    case "o":
                        origin = value
                    case "F":
                        folder = value
                    case "R":
                        listed.append(f"{folder}/{value}".lstrip("/"))
            if name and version:
                found[name] = Package(name, version, tuple(listed), origin)
    return found


def _is_installed(status: str) -> bool:
    words = set(status.split())
    return not words & {"deinstall", "purge"}


def _paragraphs(raw: bytes) -> Iterator[dict[str, str]]:
    for paragraph in raw.decode("utf-8", "replace").split("\n\n"):
        fields: dict[str, str] = {}
        for line in paragraph.splitlines():
            name, colon, value = line.partition(":")
            if colon and not line[0].isspace():
                fields.setdefault(name.lower(), value.strip())
        yield fields


def _dpkg_files(files: Mapping[str, bytes], name: str, architecture: str) -> tuple[str, ...]:
    for each in (f"{name}:{architecture}", name):
        if raw := files.get(f"{_INFO}{each}.list"):
            return _lines(raw)
    return _sums(files.get(f"{_PARTS}{name}.md5sums", b""))


def _lines(raw: bytes) -> tuple[str, ...]:
    return tuple(line.lstrip("/") for line in raw.decode("utf-8", "replace").splitlines() if line != "/.")


def _sums(raw: bytes) -> tuple[str, ...]:
    lines = raw.decode("utf-8", "replace").splitlines()
    return tuple(line.partition("  ")[2] for line in lines if "  " in line)
