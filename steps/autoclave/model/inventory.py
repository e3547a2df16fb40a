"""What is in an image, and what of it a scanner could judge. Plain data: nothing here does I/O."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from autoclave.model.moment import Moment


class Gap(StrEnum):
    """A way in which a scan can be blind: the id of a finding about the scan itself."""

    NO_PACKAGES = "no-packages"
    """The scanner found no package in the image."""
    NOT_JUDGED = "not-judged"
    """Packages were found, and the scanner has no advisories for them."""
    END_OF_LIFE = "end-of-life"
    """The operating system is past its end of life: what is found from now on gets no advisory."""
    PACKAGE_DATABASE = "package-database"
    """A package database is missing, was replaced, or cannot be read."""
    LOST_PACKAGE = "lost-package"
    """A package's files are in the image, but its entry in the package database is missing or was edited."""


class Ecosystem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Packages of one kind in an image, and whether a scanner judged them.

    `name` is the family of the operating system (`is_system`; `debian`), else the type in the packages'
    URLs (`pypi`, `golang`). `of_system` are packages of other vendors in the system's database. `version` is
    the system's. `judged` is whether the scanner has advisories for
    exactly these; `why` says why it has not, in a whole sentence about them. `source` is the feed in the
    database with the digest `database`, of which the advisories are as of `updated`.
    """

    name: str
    packages: int
    judged: bool
    is_system: bool = False
    of_system: bool = False
    version: str = ""
    why: str = ""
    source: str = ""
    database: str = ""
    updated: Moment | None = None
    end_of_life: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


class LostPackage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A package whose files are in the image, but which its database no longer lists as they are."""

    name: str
    version: str
    why: str


class PackageDatabase(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A package database of an image: `kind` is `dpkg`, `apk` or `rpm`, `path` where it is.

    `kind` is `none`, and `path` a system's library, where programs are in the image and no database is.
    `packages` is how many it lists, None when its entries were not read. `defect` is why the scanner cannot
    rely on it as a whole.
    """

    kind: str
    path: str
    packages: int | None = None
    lost: tuple[LostPackage, ...] = ()
    defect: str = ""


class UnownedFile(Struct, frozen=True, kw_only=True):
    """A program or library that belongs to no package: its path, size in bytes and digest."""

    path: str
    size: int
    digest: str


class Contents(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the layers of an image say, whatever a scanner makes of it.

    `releases` are those of Alpine whose repositories are named. `unowned` counts the programs and libraries
    that belong to no package, None when the files of packages are not known; `unowned_files` are the largest.
    """

    databases: tuple[PackageDatabase, ...] = ()
    releases: tuple[str, ...] = ()
    unowned: int | None = 0
    unowned_files: tuple[UnownedFile, ...] = ()
