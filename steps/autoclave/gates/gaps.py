"""What a scan could not judge, as findings: they block and are waived as others are."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from autoclave.model.facts import Finding, Kind, ScanFacts, Severity
from autoclave.model.inventory import Contents, Ecosystem, Gap, PackageDatabase


def complete(facts: ScanFacts) -> ScanFacts:
    """Return facts whose findings say, too, what the scan could not judge."""
    there = {each for each in facts.findings if each.kind is Kind.UNJUDGED}
    missing = tuple(each for each in find_gaps(facts) if each not in there)
    return replace(facts, findings=(*facts.findings, *missing)) if missing else facts


def find_gaps(facts: ScanFacts) -> Iterator[Finding]:
    """Yield a finding for each part of the image that the scan could not judge."""
    if not facts.packages:
        yield _gap(
            Gap.NO_PACKAGES, "image", "nothing was scanned: the scanner found no packages in the image"
        )
    for each in facts.ecosystems:
        yield from _of_ecosystem(each)
    if facts.contents is None:
        yield _gap(
            Gap.PACKAGE_DATABASE,
            "image",
            "the layers of the image were not read, so what they hide is unknown",
        )
        return
    for database in facts.contents.databases:
        yield from _of_database(database)
    yield from _of_numbers(facts, facts.contents)
    yield from _of_releases(facts, facts.contents)


def _of_ecosystem(each: Ecosystem) -> Iterator[Finding]:
    if each.is_system and not each.packages and each.judged:
        why = f"{each} was recognised, but none of its packages was found"
        yield _gap(Gap.NOT_JUDGED, str(each), why, version=each.version)
    elif not each.judged and (each.packages or each.is_system):
        what = f"the packages of {each}" if each.is_system else f"the {each} packages"
        why = (
            f"{what} were not judged ({each.packages:,} found): {each.why or 'the scanner does not say why'}"
        )
        yield _gap(Gap.NOT_JUDGED, str(each), why, version=each.version)
    if each.end_of_life:
        why = f"{each} is past its end of life: nobody publishes advisories for it any more"
        yield _gap(Gap.END_OF_LIFE, str(each), why, version=each.version)


def _of_database(each: PackageDatabase) -> Iterator[Finding]:
    if each.defect:
        yield _gap(Gap.PACKAGE_DATABASE, each.path, f"the package database {each.path} {each.defect}")
    for lost in each.lost:
        yield _gap(
            Gap.LOST_PACKAGE,
            each.path,
            f"{lost.name} {lost.version} is in the image, but not in {each.path} as it is: {lost.why}",
            package=lost.name,
            version=lost.version,
        )


def _of_numbers(facts: ScanFacts, contents: Contents) -> Iterator[Finding]:
    """Yield findings when a scanner saw fewer packages of the system than its databases list.

    Of a system that it did not recognise it saw none: no release is named in the image, for example.
    """
    listed = sum(each.packages or 0 for each in contents.databases)
    systems = [each for each in facts.ecosystems if each.is_system or each.of_system]
    seen = sum(each.packages for each in systems)
    if seen < listed:
        path = ", ".join(each.path for each in contents.databases)
        why = f"{listed:,} packages are listed in {path}, but the scanner saw {seen:,} of them"
        yield _gap(Gap.NOT_JUDGED, path, why)
    for each in contents.databases if not systems else ():
        if each.packages is None:
            why = f"there is a package database {each.path}, but the scanner saw no package of a system"
            yield _gap(Gap.NOT_JUDGED, each.path, why)


def _of_releases(facts: ScanFacts, contents: Contents) -> Iterator[Finding]:
    """Yield a finding when packages of an Alpine come from another release than the one that is judged."""
    for each in facts.ecosystems:
        release = ".".join(each.version.split(".")[:2])
        others = [name for name in contents.releases if ".".join(name.split(".")[:2]) != release]
        if each.is_system and each.name == "alpine" and others:
            why = f"etc/apk/repositories of {each} names other releases, by which no advisory can be found"
            yield _gap(Gap.NOT_JUDGED, "etc/apk/repositories", f"{why}: {', '.join(others)}")


def _gap(id_: Gap, target: str, title: str, *, package: str = "", version: str = "") -> Finding:
    return Finding(
        id=id_,
        kind=Kind.UNJUDGED,
        severity=Severity.UNKNOWN,
        title=title,
        target=target,
        package=package,
        version=version,
    )
