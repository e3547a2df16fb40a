"""Tiny images of many systems and languages: the least by which a scanner recognises each."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping

from msgspec import Struct

Files = Mapping[str, str | bytes]


class Sample(Struct, frozen=True):
    """A kind of packages, and the files of an image with one of them."""

    title: str
    files: Files


def _release(family: str, version: str, name: str = "") -> dict[str, str]:
    return {"etc/os-release": f'NAME="{name or family}"\nID={family}\nVERSION_ID="{version}"\n'}


def _deb(title: str, version: str, **release: str) -> Sample:
    files = _release(release["family"], release["release"])
    if release["family"] == "debian":
        files["etc/debian_version"] = f"{version}\n"
    else:
        files["etc/lsb-release"] = f"DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE={version}\n"
    files["var/lib/dpkg/status"] = (
        "Package: probe\nStatus: install ok installed\nMaintainer: Nobody <nobody@example.org>\n"
        "Architecture: amd64\nVersion: 1.0-1\nDescription: a package\n\n"
    )
    return Sample(title, files)


def _apk(title: str, family: str, version: str) -> Sample:
    files = _release(family, version)
    if family == "alpine":
        files["etc/alpine-release"] = f"{version}\n"
    files["lib/apk/db/installed"] = "C:Q1x\nP:probe\nV:1.0-r1\nA:x86_64\no:probe\n\n"
    return Sample(title, files)


def _rpm(title: str, family: str, version: str, **more: str) -> Sample:
    """RPM's list as text, as images without RPM itself have it: no binary database is needed for it."""
    fields = ["probe", "1.0-1", "1", "1", "Vendor", "(none)", "1", "x86_64", "0", "probe-1.0-1.src.rpm"]
    files = _release(family, version, more.pop("name", "")) | more
    files["var/lib/rpmmanifest/container-manifest-2"] = "\t".join(fields) + "\n"
    return Sample(title, files)


SYSTEMS = (
    _deb("Debian 12", "12.8", family="debian", release="12"),
    _deb("Debian 9 (ended)", "9.13", family="debian", release="9"),
    _deb("Debian sid", "trixie/sid", family="debian", release=""),
    _deb("Debian 99 (no such release)", "99.1", family="debian", release="99"),
    _deb("Ubuntu 24.04", "24.04", family="ubuntu", release="24.04"),
    _apk("Alpine 3.22", "alpine", "3.22.0"),
    _apk("Alpine 3.9 (ended)", "alpine", "3.9.6"),
    _apk("Wolfi", "wolfi", "20230201"),
    _apk("Chainguard", "chainguard", "20230214"),
    _rpm("Red Hat Enterprise Linux 9", "rhel", "9.4"),
    _rpm("CentOS 7 (ended)", "centos", "7"),
    _rpm("CentOS Stream 9", "centos", "9", name="CentOS Stream"),
    _rpm("Fedora 40", "fedora", "40"),
    _rpm("AlmaLinux 9", "almalinux", "9.4"),
    _rpm("Rocky Linux 9", "rocky", "9.4"),
    _rpm("Oracle Linux 9", "ol", "9.4"),
    _rpm("Amazon Linux 2023", "amzn", "2023",
         **{"usr/lib/system-release": "Amazon Linux release 2023.5.20240805 (Amazon Linux)\n"}),
    _rpm("SUSE Linux Enterprise 15.7", "sles", "15.7"),
    _rpm("openSUSE Leap 16.0", "opensuse-leap", "16.0"),
    _rpm("openSUSE Tumbleweed", "opensuse-tumbleweed", "20260101"),
    _rpm("Photon OS 5.0", "photon", "5.0"),
    _rpm("Azure Linux 3.0", "azurelinux", "3.0"),
    _rpm("CBL-Mariner 2.0", "mariner", "2.0", name="Common Base Linux Mariner"),
    Sample("Arch Linux", _release("arch", "rolling") | {"var/lib/pacman/local/probe-1.0-1/desc": "%NAME%"}),
)  # fmt: skip


def _jar() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as jar:
        path = "META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties"
        jar.writestr(path, "groupId=org.apache.logging.log4j\nartifactId=log4j-core\nversion=2.14.1\n")
    return archive.getvalue()


def _rust() -> bytes:
    """Return the least ELF file with what cargo-auditable writes: the packages, compressed, in `.dep-v0`."""
    package = {"name": "regex", "version": "1.5.4", "source": "crates.io"}
    root = {"name": "probe", "version": "1.0.0", "source": "local", "root": True, "dependencies": [0]}
    body = zlib.compress(json.dumps({"packages": [package, root]}).encode())
    names = b"\0.dep-v0\0.shstrtab\0"
    start = 64 + len(body) + len(names)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, 0, 0, start, 0, 64, 0, 0, 64, 3, 2
    )
    sections = struct.pack("<IIQQQQIIQQ", *[0] * 10)
    sections += struct.pack("<IIQQQQIIQQ", 1, 1, 0, 0, 64, len(body), 0, 0, 1, 0)
    sections += struct.pack("<IIQQQQIIQQ", 9, 3, 0, 0, 64 + len(body), len(names), 0, 0, 1, 0)
    return header + body + names + sections


_NUGET = {"libraries": {"Newtonsoft.Json/12.0.3": {"type": "package"}}, "targets": {}}
_COMPOSER = {"packages": [{"name": "guzzlehttp/guzzle", "version": "7.4.4"}]}
_GEM = 'Gem::Specification.new do |s|\n  s.name = "rack".freeze\n  s.version = "2.2.3"\nend\n'
_CONDA = {"name": "openssl", "version": "1.1.1", "license": "OpenSSL"}
_NPM = {"name": "lodash", "version": "4.17.11"}
_WHEEL = "Metadata-Version: 2.1\nName: Jinja2\nVersion: 2.10\n"
_MIX = '%{\n  "plug": {:hex, :plug, "1.0.0", "x", [:mix], [], "hexpm", "y"},\n}\n'
_PUB = 'packages:\n  http:\n    dependency: "direct main"\n    version: "0.13.0"\nsdks: {}\n'
_PIN = {"identity": "nio", "location": "https://github.com/apple/swift-nio", "state": {"version": "1.0.0"}}
_SWIFT = {"version": 2, "pins": [_PIN]}


def list_languages(go_program: bytes) -> tuple[Sample, ...]:
    """Return the kinds of packages of languages; a program of Go cannot be made up."""
    files: dict[str, Files] = {
        "Python (installed)": {"opt/lib/python3/site-packages/Jinja2-2.10.dist-info/METADATA": _WHEEL},
        "Node.js (package.json)": {"app/node_modules/lodash/package.json": json.dumps(_NPM)},
        "Java (.jar)": {"app/log4j-core-2.14.1.jar": _jar()},
        "Go (programs)": {"app/program": go_program},
        "Rust (programs of cargo-auditable)": {"app/program": _rust()},
        "Ruby (gems)": {"usr/local/bundle/specifications/rack-2.2.3.gemspec": _GEM},
        "PHP (Composer, installed)": {"app/vendor/composer/installed.json": json.dumps(_COMPOSER)},
        ".NET (deps.json)": {"app/probe.deps.json": json.dumps(_NUGET)},
        "Conda": {"opt/conda/envs/pump/conda-meta/openssl-1.1.1-h7b6447c_0.json": json.dumps(_CONDA)},
        "Elixir (mix.lock)": {"app/mix.lock": _MIX},
        "Dart (pubspec.lock)": {"app/pubspec.lock": _PUB},
        "Swift (Package.resolved)": {"app/Package.resolved": json.dumps(_SWIFT)},
        "Perl (CPAN)": {"usr/lib/perl5/Foo.pm": "package Foo; our $VERSION = '1.0'; 1;\n"},
        "C and C++ (a program of no package)": {"app/program": b"\x7fELF" + bytes(100_000)},
    }
    return tuple(Sample(title, each) for title, each in files.items())
