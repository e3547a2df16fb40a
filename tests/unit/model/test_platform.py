"""Platforms of images, as containerd names them."""

from __future__ import annotations

import pytest

from autoclave.model.platform import Platform

ARM = Platform("linux", "arm64")


@pytest.mark.parametrize(
    ("written", "normalised"),
    [
        ("linux/amd64", "linux/amd64"),
        ("Linux/x86_64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("windows", "windows/arm64"),
        ("386", "linux/386"),
    ],
)
def test_a_platform_is_normalised(written: str, normalised: str) -> None:
    assert str(Platform.parse(written, ARM)) == normalised


@pytest.mark.parametrize("written", ["", "linux/", "a/b/c/d", "linux/amd 64", "linux/amd64\n", "x" * 100])
def test_what_is_none_is_no_platform(written: str) -> None:
    assert Platform.parse(written) is None


def test_a_builder_takes_images_of_its_own_kind() -> None:
    amd64 = Platform("linux", "amd64")
    assert amd64.runs(Platform("linux", "386"))
    assert ARM.runs(Platform("linux", "arm", "v7"))
    assert not amd64.runs(ARM)
    assert not amd64.runs(Platform("windows", "amd64"))
    assert not Platform("linux", "riscv64").runs(amd64)


def test_arguments_of_a_build_are_those_of_its_platform() -> None:
    args = Platform("linux", "arm", "v7").arguments()
    assert args["TARGETPLATFORM"] == args["BUILDPLATFORM"] == "linux/arm/v7"
    assert (args["TARGETOS"], args["TARGETARCH"], args["TARGETVARIANT"]) == ("linux", "arm", "v7")
