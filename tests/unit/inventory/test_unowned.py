"""Programs and libraries that belong to no package are listed, the largest first."""

from __future__ import annotations

from autoclave.inventory.unowned import SMALLEST, find_unowned
from builders.layers import Change, history

STATUS = "Package: curl\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n"
ELF = b"\x7fELF" + b"\0" * SMALLEST
BASE: Change = {
    "var/lib/dpkg/status": STATUS,
    "var/lib/dpkg/info/curl.list": "/bin/curl\n",
    "usr/bin/curl": ELF,
}


def unowned(change: Change) -> list[str]:
    found = find_unowned(history(BASE, change))
    assert found is not None
    return [each.path for each in found]


def test_programs_of_no_package_are_listed_by_size() -> None:
    assert unowned(
        {"app/small": ELF[:-9], "app/tool": ELF, "app/larger": ELF + b"1", "app/x.txt": b"t" * 99_999}
    ) == [
        "app/larger",
        "app/tool",
    ]


def test_what_scanners_know_by_itself_is_not_listed() -> None:
    site = "usr/lib/python3/site-packages"
    record = 'lxml/etree.so,sha256=x,99\n../../../bin/tool,,\n"odd,name",,\n'
    change: Change = {
        "app/go-program": ELF + b"\xff Go buildinf:" + b"\0" * 99,
        "app/node_modules/bcrypt/build/bcrypt.node": ELF,
        f"{site}/lxml/etree.so": ELF,
        "usr/bin/tool": ELF,
        f"{site}/lxml-5.dist-info/RECORD": record,
    }
    assert unowned(change) == []


def test_a_program_that_was_removed_is_not_listed() -> None:
    assert find_unowned(history(BASE, {"app/tool": ELF}, {"app": None})) == []


def test_files_of_rpm_packages_are_not_known() -> None:
    assert find_unowned(history({"var/lib/rpm/rpmdb.sqlite": "x", "usr/bin/curl": ELF})) is None
