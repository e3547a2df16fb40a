"""Platforms of images: `os/architecture/variant`, normalised as in containerd (platforms, database.go)."""

from __future__ import annotations

import re

from msgspec import Struct

_SYSTEMS = frozenset(
    ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "solaris", "wasip1", "windows"]
)
_SAME = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "i386": ("386", ""),
}
_USUAL = {("amd64", "v1"): "", ("arm64", "8"): "", ("arm64", "v8"): "", ("arm", ""): "v7"}
_PART = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_RUNS_TOO = {"amd64": "386", "arm64": "arm"}


class Platform(Struct, frozen=True):
    """A platform. `variant` is "" for the usual one of an architecture, but `v7` for arm."""

    os: str
    architecture: str
    variant: str = ""

    @staticmethod
    def parse(written: str, default: Platform | None = None) -> Platform | None:
        """Return the platform that a text names; the default has what it leaves out. None when it is none."""
        default = default or Platform("linux", "amd64")
        parts = written.lower().split("/")
        if len(parts) > 3 or not all(_PART.fullmatch(each) for each in parts):
            return None
        if len(parts) == 1:
            if parts[0] in _SYSTEMS:
                return Platform(parts[0], default.architecture, default.variant)
            parts = [default.os, *parts]
        architecture, variant = _SAME.get(parts[1], (parts[1], ""))
        variant = parts[2] if len(parts) == 3 else variant
        return Platform(parts[0], architecture, _USUAL.get((architecture, variant), variant))

    def __str__(self) -> str:
        return "/".join(each for each in (self.os, self.architecture, self.variant) if each)

    def runs(self, image: Platform) -> bool:
        """Return whether a builder of this platform takes an image of that one for its own."""
        return self.os == image.os and image.architecture in {
            self.architecture,
            _RUNS_TOO.get(self.architecture),
        }

    def arguments(self) -> dict[str, str]:
        """Return the arguments that BuildKit sets for a build on and for this platform."""
        parts = {
            "PLATFORM": str(self),
            "OS": self.os,
            "OSVERSION": "",
            "ARCH": self.architecture,
            "VARIANT": self.variant,
        }
        return {f"{kind}{name}": value for kind in ("BUILD", "TARGET") for name, value in parts.items()}
