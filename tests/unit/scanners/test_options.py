"""Which scanners are used, and what the options say of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave import scanners
from autoclave.errors import ConfigError, UsageError
from autoclave.runtime.shell import Shell
from autoclave.scanners.base import Scanner, Setup
from autoclave.scanners.options import ScannerOptions, create


@pytest.fixture
def created(monkeypatch: pytest.MonkeyPatch) -> dict[str, Setup]:
    """Let there be two scanners, and keep what each was created with."""
    found: dict[str, Setup] = {}

    class Other:
        name = "other"
        command = ("other",)

    def make(name: str, setup: Setup) -> Scanner:
        found[name] = setup
        return Other()  # type: ignore[return-value]

    monkeypatch.setattr(scanners, "names", lambda: ("grype", "trivy"))
    monkeypatch.setattr(scanners, "create", make)
    return found


@pytest.mark.parametrize(
    ("given", "required", "used"),
    [
        ((), (), ["trivy"]),
        ((), ("trivy", "grype"), ["grype", "trivy"]),
        (("grype",), ("trivy",), ["grype"]),
        (("trivy", "grype", "trivy"), (), ["trivy", "grype"]),
    ],
)
def test_scanners_are_those_named_else_those_required_else_the_default(
    created: dict[str, Setup], given: tuple[str, ...], required: tuple[str, ...], used: list[str]
) -> None:
    create(ScannerOptions(scanner=given), required, Shell())
    assert list(created) == used


def test_a_policy_that_requires_an_unknown_scanner_is_refused(created: dict[str, Setup]) -> None:
    with pytest.raises(ConfigError) as caught:
        create(ScannerOptions(), ("trivy", "clair"), Shell())
    assert caught.value.what == "the policy requires an unknown scanner: 'clair'"
    create(ScannerOptions(scanner=("trivy",)), ("trivy", "clair"), Shell())  # one's own part of the work
    assert list(created) == ["trivy"]


@pytest.mark.parametrize(
    ("text", "of_trivy", "of_grype"),
    [
        ("", "", ""),
        ("trivy=/opt/trivy", "/opt/trivy", ""),
        ("trivy=/opt/trivy,grype=/opt/grype", "/opt/trivy", "/opt/grype"),
        ("grype=/a,b=c/x,trivy=/y", "/y", "/a,b=c/x"),
        ("trivy=", "", ""),
    ],
)
def test_a_value_is_for_the_scanner_that_it_names(
    created: dict[str, Setup], text: str, of_trivy: str, of_grype: str
) -> None:
    options = ScannerOptions(scanner=("trivy", "grype"), scanner_command=text, scanner_cache=text)
    create(options, (), Shell())
    assert {name: each.command for name, each in created.items()} == {"trivy": of_trivy, "grype": of_grype}
    assert created["trivy"].cache == (Path(of_trivy) if of_trivy else None)


def test_a_value_without_a_name_is_for_the_only_scanner(created: dict[str, Setup]) -> None:
    odd = "/opt/other=grype,trivy=x"
    create(ScannerOptions(scanner=("grype",), scanner_command=odd), (), Shell())
    assert created["grype"].command == odd


def test_a_value_for_another_scanner_is_not_taken(created: dict[str, Setup]) -> None:
    create(ScannerOptions(scanner=("grype",), scanner_command="trivy=/opt/trivy"), (), Shell())
    assert created["grype"].command == ""


def test_a_value_without_a_name_is_refused_for_several_scanners(created: dict[str, Setup]) -> None:
    with pytest.raises(UsageError) as caught:
        create(ScannerOptions(scanner=("trivy", "grype"), scanner_cache="/var/cache"), (), Shell())
    assert caught.value.what == "--scanner-cache does not say which scanner it is for"
    assert caught.value.next == "name it: --scanner-cache trivy=/var/cache"
