"""What became of package databases from one layer to the next, and which packages they hide."""

from __future__ import annotations

import pytest

from autoclave.inventory.losses import find_losses
from autoclave.model.inventory import PackageDatabase
from builders.layers import Change, history

STATUS, INFO = "var/lib/dpkg/status", "var/lib/dpkg/info"


def entry(name: str, version: str, status: str = "install ok installed") -> str:
    return f"Package: {name}\nStatus: {status}\nArchitecture: amd64\nVersion: {version}\n\n"


CURL, ZLIB = entry("curl", "7.88.1-10"), entry("zlib1g", "1:1.2.13")
BASE: Change = {
    STATUS: CURL + ZLIB,
    f"{INFO}/curl.list": "/.\n/usr\n/usr/bin\n/usr/bin/curl\n/etc/curlrc\n",
    f"{INFO}/zlib1g:amd64.list": "/lib/libz.so.1\n",
    "usr/bin/curl": "the program",
    "etc/curlrc": "settings",
    "usr/lib/libz.so.1": "the library",
}
RM: Change = {STATUS: ZLIB, f"{INFO}/curl.list": None}
GONE: Change = {"usr/bin/curl": None, "etc/curlrc": None}


def judge(*layers: Change | tuple[str, Change]) -> PackageDatabase:
    (found,) = find_losses(history(*layers))
    return found


def lost(*layers: Change | tuple[str, Change]) -> list[str]:
    return [f"{each.name} {each.version}".strip() for each in judge(*layers).lost]


def test_a_database_that_nothing_happened_to_is_whole() -> None:
    assert judge(BASE) == PackageDatabase(kind="dpkg", path=STATUS, packages=2)
    assert judge(BASE, {"app/main.py": "x"}) == judge(BASE)


def test_a_package_that_was_removed_with_its_files_is_not_lost() -> None:
    assert lost(BASE, {**RM, **GONE}) == []
    # What dpkg leaves of a package that was removed and not purged: its settings, and their list.
    left = {STATUS: entry("curl", "7.88.1-10", "deinstall ok config-files") + ZLIB}
    assert lost(BASE, {**left, f"{INFO}/curl.list": "/etc/curlrc\n", "usr/bin/curl": None}) == []


@pytest.mark.parametrize(
    "change",
    [
        {STATUS: ZLIB},
        RM,
        {STATUS: entry("curl", "7.88.1-10", "deinstall ok config-files") + ZLIB},
        {STATUS: entry("curl", "7.88.1-10", "purge ok installed") + ZLIB},
        {STATUS: "Package: curl\n\n" + ZLIB},
        {STATUS: CURL.replace("Package:", "Package-:") + ZLIB, f"{INFO}/curl.list": None},
    ],
    ids=["entry", "entry and list", "deinstalled", "purged", "no version", "spoiled name"],
)
def test_a_package_whose_entry_went_without_its_files_is_lost(change: Change) -> None:
    assert lost(BASE, change) == ["curl 7.88.1-10"]


def test_a_package_is_lost_although_a_byte_of_each_of_its_files_was_changed() -> None:
    assert lost(BASE, {**RM, "usr/bin/curl": "the program."}) == ["curl 7.88.1-10"]


def test_files_that_another_package_took_over_are_not_lost() -> None:
    other = {
        STATUS: ZLIB + entry("curl-next", "8"),
        f"{INFO}/curl-next.list": "/usr/bin/curl\n",
        "usr/bin/curl": "the next program",
    }
    assert lost(BASE, {**RM, **other}) == []


def test_an_entry_that_was_lost_in_the_lowest_layer_shows_by_its_list_of_files() -> None:
    assert lost({**BASE, STATUS: ZLIB}) == ["curl"]


def test_a_version_that_changed_without_any_file_is_named_with_the_old_one() -> None:
    newer = CURL.replace("7.88.1-10", "99") + ZLIB
    (found,) = judge(BASE, {STATUS: newer}).lost
    assert (found.name, found.version) == ("curl", "7.88.1-10")
    assert found.why == "version 99 is listed now, but none of its files was replaced"
    assert lost(BASE, {STATUS: newer, "usr/bin/curl": "the new program"}) == []


@pytest.mark.parametrize(
    "change",
    [
        {STATUS: None, f"{INFO}/curl.list": None, f"{INFO}/zlib1g:amd64.list": None},
        {"var/lib/dpkg": None},
        {"var": None},
        {"opt/status": CURL, "var/lib/dpkg": "->/opt"},
    ],
    ids=["files", "folder", "parent", "moved"],
)
def test_a_database_that_went_without_the_files_is_missing(change: Change) -> None:
    found = judge(BASE, change)
    assert found.defect == "is missing: a lower layer has it"
    assert [each.name for each in found.lost] == ["curl", "zlib1g"]


def test_a_system_that_was_removed_as_a_whole_leaves_nothing_missing() -> None:
    assert judge(BASE, {"var": None, "usr": None, "etc": None, "app": "x"}).defect == ""


def test_a_database_that_is_a_link_cannot_be_read() -> None:
    assert judge(BASE, {STATUS: "->/opt/status"}).defect.startswith("cannot be read: it is a link")


@pytest.mark.parametrize(
    "command", ["COPY status /var/lib/dpkg/ # buildkit", "/bin/sh -c #(nop) ADD file:1 in /"]
)
def test_a_database_that_was_overwritten_by_a_copy_is_refused(command: str) -> None:
    newer = CURL.replace("7.88.1-10", "99") + ZLIB
    both = {STATUS: newer, "usr/bin/curl": "another program"}
    assert judge(BASE, (command, both)).defect == f"was overwritten: {command}"
    assert judge(BASE, both).defect == ""
    # The same bytes again, or more packages in files of their own, overwrite nothing.
    assert judge(BASE, (command, BASE)).defect == ""
    assert judge(BASE, (command, {"var/lib/dpkg/status.d/app": entry("app", "1")})).packages == 3


APK = "lib/apk/db/installed"
MUSL = "P:musl\nV:1.2.4\nF:lib\nR:ld-musl-x86_64.so.1\n\n"
BUSYBOX = "P:busybox\nV:1.36\nF:bin\nR:busybox\n\n"
ALPINE: Change = {APK: MUSL + BUSYBOX, "lib/ld-musl-x86_64.so.1": "musl", "bin/busybox": "box"}


def test_losses_of_alpines_database_are_found_as_well() -> None:
    assert judge(ALPINE) == PackageDatabase(kind="apk", path=APK, packages=2)
    assert lost(ALPINE, {APK: MUSL}) == ["busybox 1.36"]
    assert lost(ALPINE, {APK: MUSL, "bin/busybox": None}) == []
    assert judge(ALPINE, {APK: None}).defect == "is missing: a lower layer has it"


SUMS = "0" * 32 + "  usr/bin/curl\n"
DISTROLESS: Change = {
    "var/lib/dpkg/status.d/curl": CURL.replace("Status: install ok installed\n", ""),
    "var/lib/dpkg/status.d/curl.md5sums": SUMS,
    "usr/bin/curl": "the program",
}


def test_losses_of_a_distroless_database_are_found_as_well() -> None:
    assert judge(DISTROLESS).packages == 1
    assert lost(DISTROLESS, {"var/lib/dpkg/status.d/curl": None}) == ["curl 7.88.1-10"]
    assert lost({**DISTROLESS, "var/lib/dpkg/status.d/curl": "spoiled"}) == ["curl"]


SQLITE, NDB = "SQLite format 3\0", "RpmP\0\0\0\0"
BERKELEY = b"\0" * 12 + bytes.fromhex("61150600") + b"\0" * 99


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("var/lib/rpm/rpmdb.sqlite", SQLITE),
        ("usr/lib/sysimage/rpm/Packages.db", NDB),
        ("usr/share/rpm/rpmdb.sqlite", SQLITE),
    ],
)
def test_an_rpm_database_that_went_is_missing(path: str, form: str) -> None:
    database = form + "database"
    assert judge({path: database}) == PackageDatabase(kind="rpm", path=path)
    assert judge({path: database}, {path: None}).defect == "is missing: a lower layer has it"
    copied = "COPY rpm /var/lib/rpm # buildkit"
    assert judge({path: database}, (copied, {path: form + "other"})).defect == f"was overwritten: {copied}"
    assert judge({path: database}, {path: form + "dnf installed more"}).defect == ""


@pytest.mark.parametrize(
    ("path", "raw", "is_one"),
    [
        ("var/lib/rpm/Packages", BERKELEY, True),
        ("var/lib/rpm/Packages", BERKELEY[:12] + BERKELEY[15:11:-1] + bytes(99), True),
        ("var/lib/rpm/Packages", b"", False),
        ("var/lib/rpm/rpmdb.sqlite", b"", False),
        ("var/lib/rpm/rpmdb.sqlite", b"\0" * 4096, False),
        ("usr/lib/sysimage/rpm/Packages.db", b"a text", False),
        ("var/lib/rpmmanifest/container-manifest-2", b"probe\t1.0-1\n", True),
        ("var/lib/rpmmanifest/container-manifest-2", b"\n", False),
    ],
)
def test_a_file_that_is_no_database_of_rpm_is_named(path: str, raw: bytes, is_one: bool) -> None:
    assert judge({path: raw}).defect == ("" if is_one else "is not a package database of RPM")


def test_an_old_empty_file_of_rpm_next_to_its_database_is_no_defect() -> None:
    assert judge({"var/lib/rpm/Packages": "", "var/lib/rpm/rpmdb.sqlite": SQLITE}).defect == ""


def test_a_systems_library_without_any_database_is_named() -> None:
    path = "lib/x86_64-linux-gnu/libc.so.6"
    (found,) = find_losses(history({path: "glibc", "app/program": "x"}))
    assert (found.kind, found.path) == ("none", path)
    assert find_losses(history({"app/program": "x", "app/libc.so.6": "x"})) == ()


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        (STATUS, b""),
        (STATUS, b"\xff\0 no text"),
        (STATUS, entry("curl", "1", "deinstall ok config-files").encode()),
        ("var/lib/dpkg/status.d/base", b"planted"),
        ("lib/apk/db/installed", b"\n"),
    ],
)
def test_a_database_without_packages_next_to_a_systems_library_is_refused(path: str, raw: bytes) -> None:
    library = "lib/x86_64-linux-gnu/libc.so.6"
    found = judge({path: raw, library: "glibc"})
    why = f"lists no package, and the C library of a system is there: {library}"
    assert (found.path, found.packages, found.defect) == (path, 0, why)
    # A static program with an empty database is a whole image, and an empty one may be next to a true one.
    assert judge({path: raw, "app/program": "x"}).defect == ""
    rpm = {"var/lib/rpm/rpmdb.sqlite": SQLITE}
    assert [each.defect for each in find_losses(history({path: raw, library: "glibc", **rpm}))] == ["", ""]


def test_a_hostile_database_is_read_within_bounds() -> None:
    raw = b"Package: \xff\n :\n\n\n\nPackage: a\n" + b"\0" * 10_000 + b"\nVersion: 1\nPackage: b\n\n"
    assert judge({STATUS: raw}).packages == 1
    assert judge({STATUS: b""}).packages == 0


ELF = b"\x7fELF" + bytes(100)


def test_a_package_whose_program_was_only_moved_is_lost() -> None:
    base = {**BASE, "usr/bin/curl": ELF}
    moved = {**RM, "usr/bin/curl": None, "usr/local/bin/fetch": ELF}
    assert lost(base, moved) == ["curl 7.88.1-10"]


def test_files_that_a_package_only_claims_are_still_lost() -> None:
    claimed = {STATUS: ZLIB + entry("fake", "1"), f"{INFO}/fake.list": "/usr/bin/curl\n"}
    assert lost(BASE, {**RM, **claimed}) == ["curl 7.88.1-10"]


@pytest.mark.parametrize("path", ["usr/lib/python3/x.dist-info/METADATA", "app/x.jar"])
def test_a_list_of_files_to_which_another_package_was_added_is_named(path: str) -> None:
    base = {**BASE, path: "of another package"}
    edited = {f"{INFO}/curl.list": f"/usr/bin/curl\n/{path}\n"}
    (found,) = judge(base, edited).lost
    assert found.why == f"the list of its files names {path}, which it did not install"
    # The same list with a new version is an upgrade, unless no distribution installs there.
    upgraded = {STATUS: entry("curl", "8") + ZLIB, "usr/bin/curl": "new", **edited}
    assert bool(lost(base, upgraded)) is path.startswith("app/")


@pytest.mark.parametrize("line", ["Source: harmless\n", "Maintainer: Somebody <else@example.org>\n"])
def test_a_source_that_changed_at_the_same_version_is_named(line: str) -> None:
    edited = CURL.replace("Architecture", f"{line}Architecture")
    (found,) = judge(BASE, {STATUS: edited + ZLIB}).lost
    assert (found.name, found.why.partition(" is now")[0]) == ("curl", "its source")
    # A new version may come from another source.
    newer = edited.replace("7.88.1-10", "8")
    assert lost(BASE, {STATUS: newer + ZLIB, "usr/bin/curl": "new"}) == []
    assert lost(ALPINE, {APK: MUSL.replace("V:", "o:harmless\nV:") + BUSYBOX}) == ["musl 1.2.4"]


def test_a_package_of_two_architectures_is_counted_once() -> None:
    assert judge({**BASE, STATUS: CURL + CURL.replace("amd64", "i386") + ZLIB}).packages == 2


RELEASE: Change = {
    STATUS: entry("base-files", "12.4+deb12u8"),
    f"{INFO}/base-files.list": "/etc/debian_version\n/usr/lib/os-release\n/etc/os-release\n/etc/issue\n",
    "etc/debian_version": "12.8",
    "usr/lib/os-release": "VERSION_ID=12",
    "etc/os-release": "->../usr/lib/os-release",
    "etc/issue": "Debian",
}


@pytest.mark.parametrize(
    "change",
    [
        {"etc/debian_version": "13.0"},
        {"usr/lib/os-release": "VERSION_ID=99"},
        {"etc/os-release": "VERSION_ID=99"},
        {"etc/os-release": None, "usr/lib/os-release": None},
        {"usr/lib": None},
    ],
    ids=str,
)
def test_another_release_of_the_same_packages_is_named(change: Change) -> None:
    assert lost(RELEASE, change) == ["base-files 12.4+deb12u8"]


def test_a_release_that_came_with_its_package_is_not_lost() -> None:
    upgraded = {STATUS: entry("base-files", "12.4+deb12u9"), "etc/debian_version": "12.9"}
    assert lost(RELEASE, upgraded) == []
    assert lost(RELEASE, {"etc/issue": "a device", "app/x": "y"}) == []


MORE: Change = {STATUS: CURL + ZLIB + entry("tree", "2"), f"{INFO}/tree.list": "/usr/bin/tree\n"}
SHORT = {f"{INFO}/curl.list": "/etc/curlrc\n"}


@pytest.mark.parametrize(
    "prepared",
    [
        {f"{INFO}/curl.list": None},
        SHORT,
        {f"{INFO}/curl.list": "/usr/bin/curl\n" + "".join(f"/usr/bin/{n}\n" for n in range(9))},
        {STATUS: CURL.replace("7.88.1-10", "99") + ZLIB, f"{INFO}/curl.list": None},
    ],
    ids=["list", "short list", "long list", "version and list"],
)
def test_a_layer_between_that_spoils_the_list_of_files_hides_no_package(prepared: Change) -> None:
    others: Change = {f"usr/bin/{n}": str(n) for n in range(9)}
    base = {**BASE, **others}
    changed = {**RM, "usr/bin/curl": "the program."}
    assert "curl 7.88.1-10" in lost(base, prepared, changed)


def test_a_package_that_went_with_its_files_after_its_list_is_not_lost() -> None:
    assert lost(BASE, {f"{INFO}/curl.list": None}, {**RM, **GONE}) == []
    assert lost(BASE, SHORT, {**RM, **GONE}) == []


def test_packages_of_another_layer_hide_no_edit_before_them() -> None:
    for edited, why in (
        (CURL.replace("7.88.1-10", "99"), "version 99 is listed now"),
        (CURL.replace("Architecture", "Source: harmless\nArchitecture"), "its source is now given as"),
    ):
        more = {**MORE, STATUS: edited + ZLIB + entry("tree", "2"), "usr/bin/tree": "a program"}
        (found,) = judge(BASE, {STATUS: edited + ZLIB}, more).lost
        assert (found.name, found.version) == ("curl", "7.88.1-10")
        assert found.why.startswith(why)
    path = "usr/lib/python3/x.dist-info/METADATA"
    edited_list = {f"{INFO}/curl.list": f"/usr/bin/curl\n/{path}\n"}
    assert lost({**BASE, path: "of another"}, edited_list, {**MORE, "usr/bin/tree": "x"}) == [
        "curl 7.88.1-10"
    ]


@pytest.mark.parametrize(
    "claim",
    [
        {STATUS: CURL + ZLIB + entry("fake", "1"), f"{INFO}/fake.list": "/usr/bin/curl\n"},
        {f"{INFO}/zlib1g:amd64.list": "/lib/libz.so.1\n/usr/bin/curl\n"},
    ],
    ids=["new package", "known package"],
)
def test_files_that_a_package_claimed_a_layer_before_are_still_lost(claim: Change) -> None:
    rest = str(claim.get(STATUS, CURL + ZLIB)).replace(CURL, "")
    assert lost(BASE, claim, {**RM, STATUS: rest}) == ["curl 7.88.1-10"]
    # A package that brought the file itself has taken it over.
    assert lost(BASE, {**claim, "usr/bin/curl": "another"}, {**RM, STATUS: rest}) == []


def test_a_list_of_files_that_a_layer_removes_later_shows_the_lost_entry() -> None:
    base = {**BASE, STATUS: ZLIB}
    (found,) = judge(base, {f"{INFO}/curl.list": None}).lost
    assert (found.name, found.why) == ("curl", "the list of its files is in a lower layer, and 1 of them are")
    assert lost(base, {f"{INFO}/curl.list": None, **GONE}) == []


def test_upgrades_in_several_layers_lose_nothing() -> None:
    second = {STATUS: entry("curl", "8") + ZLIB, "usr/bin/curl": "8"}
    third = {STATUS: entry("curl", "9") + ZLIB, "usr/bin/curl": "9"}
    assert lost(BASE, second, third) == []
    assert lost(BASE, second, {**MORE, STATUS: entry("curl", "8") + ZLIB + entry("tree", "2")}) == []
    assert lost(BASE, second, third, {**RM, **GONE}) == []
    again = {STATUS: CURL + ZLIB, "usr/bin/curl": "the program"}
    assert lost(BASE, second, again) == []
