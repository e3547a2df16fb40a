"""Which advisories Trivy uses for which packages, and whether its database has them.

Read in 0.74.0: `drivers` in pkg/detector/ospkg/detect.go and what each driver makes of a version, `NewDriver`
in pkg/detector/library/driver.go; names of feeds in trivy-db, pkg/vulnsrc/bucket/bucket.go.
"""

from __future__ import annotations

from collections.abc import Callable, Collection


def _major(version: str) -> str:
    return version.partition(".")[0]


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _amazon(version: str) -> str:
    major = _major(version.partition(" ")[0])
    return major if major in {"2", "2022", "2023"} else "1"


_SYSTEMS: dict[str, Callable[[str], str]] = {
    "alma": lambda version: f"alma {_major(version)}",
    "alpine": lambda version: f"alpine {_minor(version)}",
    "amazon": lambda version: f"amazon linux {_amazon(version)}",
    "azurelinux": lambda version: f"Azure Linux {_minor(version)}",
    "bottlerocket": lambda version: "bottlerocket",
    "cbl-mariner": lambda version: f"CBL-Mariner {_minor(version)}",
    "chainguard": lambda version: "chainguard",
    "debian": lambda version: f"debian {_major(version)}",
    "echo": lambda version: "echo",
    "minimos": lambda version: "minimos",
    "opensuse-leap": lambda version: f"openSUSE Leap {version}",
    "opensuse-tumbleweed": lambda version: "openSUSE Tumbleweed",
    "oracle": lambda version: f"Oracle Linux {_major(version)}",
    "photon": lambda version: f"Photon OS {version}",
    "rocky": lambda version: f"rocky {_major(version)}",
    "slem": lambda version: f"SUSE Linux Enterprise Micro {version}",
    "sles": lambda version: f"SUSE Linux Enterprise {version}",
    "ubuntu": lambda version: f"ubuntu {version.removesuffix('-ESM')}",
    "wolfi": lambda version: "wolfi",
}
# One feed for all releases. For others than these it knows no repositories, and finds nothing.
_RED_HAT = {"6", "7", "8", "9"}

_LANGUAGES = {
    "cargo": ("cargo", "rustbinary"),
    "cocoapods": ("cocoapods",),
    "composer": ("composer", "composer-vendor"),
    "conan": ("conan",),
    "erlang": ("hex",),
    "go": ("gobinary", "gomod"),
    "julia": ("julia",),
    "maven": ("gradle", "jar", "pom", "sbt"),
    "npm": ("bun", "javascript", "node-pkg", "npm", "pnpm", "yarn"),
    "nuget": ("dotnet-core", "nuget", "packages-props"),
    "pip": ("pip", "pipenv", "poetry", "pylock", "python-pkg", "uv"),
    "pub": ("pub",),
    "rubygems": ("bundler", "gemspec"),
    "swift": ("swift",),
    "bitnami": ("bitnami",),
    "k8s": ("kubernetes",),
}
_FEED_OF = {kind: feed for feed, kinds in _LANGUAGES.items() for kind in kinds}


def find_system_feed(family: str, version: str, feeds: Collection[str]) -> tuple[str, str]:
    """Return the feed by which the packages of a system are judged, and "", or "" and why there is none."""
    if family in {"redhat", "centos"}:
        feed = "Red Hat" if _major(version) in _RED_HAT else ""
    else:
        feed = _SYSTEMS[family](version) if family in _SYSTEMS else ""
    if feed in feeds:
        return feed, ""
    system = f"{family} {version}".strip()
    if family not in _SYSTEMS and family not in {"redhat", "centos"}:
        return "", f"Trivy has no advisories for {system}"
    return "", f"Trivy's database has no advisories for the release {system}"


def find_language_feed(kind: str, feeds: Collection[str]) -> tuple[str, str]:
    """Return the feed by which packages of a kind are judged, and "", or "" and why there is none."""
    name = _FEED_OF.get(kind)
    if name is None:
        return "", f"Trivy has no advisories for packages of the kind {kind}"
    if any(each.startswith(f"{name}::") for each in feeds):
        return name, ""
    return "", f"Trivy's database has no advisories for {name} packages"
