"""Is a supplier's statement about a finding? By OpenVEX's matching, and stricter where it opens a gate.

What opens a gate must be certainly about it. A warning counts unless it is certainly about something else.
Sources: OpenVEX specification 0.2.0; `Statement.Matches` in openvex/go-vex 0.2.7; CSAF 2.0, 3.2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from msgspec import structs

from autoclave.gates.version_ranges import in_vers, is_open
from autoclave.model import purl
from autoclave.model.facts import Finding
from autoclave.model.vex import IMAGES, Named, Product, Statement

_PLACE = frozenset({"repository_url", "tag"})
"""Qualifiers that say where an image is, which its digest makes irrelevant."""


class Match(Enum):
    """Whether a name is that of a thing; `UNKNOWN` when nothing can be compared."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


def names_of(finding: Finding) -> set[str]:
    """Return every name of a finding's vulnerability, to be compared with `fold`ed ones."""
    return {fold(each) for each in (finding.id, *finding.aliases, *finding.bulletins)}


def fold(name: str) -> str:
    """Return a vulnerability's name as it is compared: databases differ in upper and lower case."""
    return name.casefold()


def opens(said: Statement, finding: Finding, product: Product) -> bool:
    """Return whether a statement is certainly about this finding in this image, and names its version."""
    return _is_same(said, finding) and _match(_keep_versioned(said, product), finding, product) is Match.YES


def warns(said: Statement, finding: Finding, product: Product) -> bool:
    """Return whether a statement may be about this finding in this image, under any of its names."""
    if not names_of(finding).intersection(map(fold, said.names)):
        return False
    return _match(said, finding, product) is not Match.NO


def explain_open_version(said: Statement, finding: Finding, product: Product) -> str:
    """Return why a statement opens no version of what was found; empty when that is not what it lacks."""
    if _is_pinned(said, product):
        return ""
    if _match_image_name(said.product, product) is Match.YES and said.product.versions:
        return "its range is of versions of the image, which cannot be compared: only a digest names one"
    named, kept = said.part or said.product, _keep_versioned(said, product)
    if not named.purls:
        return "it names no package"
    lost = _match(said, finding, product) is Match.YES and _match(kept, finding, product) is not Match.YES
    return (
        "" if (kept.part or kept.product).purls and not lost else "its scope names a package, but no versions"
    )


def _keep_versioned(said: Statement, product: Product) -> Statement:
    """Leave out the names that say no version, unless the statement is about this very image."""
    named = said.part or said.product
    if _is_pinned(said, product) or _is_ranged(named):
        return said
    kept = structs.replace(named, purls=tuple(each for each in named.purls if purl.version_of(each)))
    return structs.replace(said, part=kept) if said.part else structs.replace(said, product=kept)


def _is_pinned(said: Statement, product: Product) -> bool:
    return _has_digest(said.product, product) and _has_architecture(said.product, product)


def _is_ranged(named: Named) -> bool:
    return bool(named.versions) and not is_open(named.versions)


def may_sign(said: Statement, finding: Finding, product: Product, packages: Sequence[str]) -> bool:
    """Return whether a signer for these packages may sign for a finding: its package, or the image."""
    if purl.is_listed(finding.purl, packages):
        return True
    if _match_image_name(said.product, product) is not Match.YES:
        return False
    return any(purl.is_listed(each, packages) for each in said.product.purls)


def explain_elsewhere(said: Statement, found: Sequence[Finding], product: Product) -> str:
    """Return what a statement is about instead of the findings that it names."""
    there = ", ".join(sorted({f"{each.package or each.target} {each.version}".strip() for each in found})[:5])
    if said.part is None:
        return f"it is about {said.product}, but {there} was found"
    if _match_image(said.product, product) is Match.YES:
        return f"it is about {said.part}, but {there} was found"
    return f"it is about {said.part} in {said.product}, which is not known to be this image"


def explain_signer(package: str, signer: str, packages: Sequence[str]) -> str:
    """Return why a supplier's signature does not count for a package."""
    return f"the trust file lets no signer sign for {package}: {signer} may sign for {', '.join(packages)}"


def _is_same(said: Statement, finding: Finding) -> bool:
    """Return whether it is the same vulnerability: two CVEs are two, whatever aliases they share."""
    mine, theirs = {fold(each) for each in (finding.id, *finding.aliases)}, set(map(fold, said.names))
    if not mine & theirs:
        return False
    cves = [{each for each in names if each.startswith("cve-")} for names in (mine, theirs)]
    return not all(cves) or bool(cves[0] & cves[1])


def _match(said: Statement, finding: Finding, product: Product) -> Match:
    image = _match_image(said.product, product)
    if said.part is not None:
        return _both(image, _match_package(said.part, finding))
    package = _match_package(said.product, finding)
    return _either(image, package)


def _both(one: Match, other: Match) -> Match:
    if Match.NO in (one, other):
        return Match.NO
    return Match.UNKNOWN if Match.UNKNOWN in (one, other) else Match.YES


def _either(one: Match, other: Match) -> Match:
    if Match.YES in (one, other):
        return Match.YES
    return Match.UNKNOWN if Match.UNKNOWN in (one, other) else Match.NO


def _match_package(named: Named, finding: Finding) -> Match:
    if not named.purls:
        return Match.NO if named.digests and not named.others else Match.UNKNOWN
    if purl.parse(finding.purl) is None:
        return Match.UNKNOWN
    found = Match.NO
    for each in named.purls:
        if purl.parse(each) is None:
            found = _either(found, Match.UNKNOWN)
        elif purl.covers(each, finding.purl):
            found = _either(found, _match_versions(each, named.versions, finding))
    return found


def _match_versions(name: str, versions: str, finding: Finding) -> Match:
    if not versions or purl.version_of(name):
        return Match.YES
    inside = in_vers(purl.version_of(finding.purl) or finding.version, versions, finding.purl)
    return Match.UNKNOWN if inside is None else Match.YES if inside else Match.NO


def _match_image(named: Named, product: Product) -> Match:
    """Match an image by its names. A range is of tags, which say nothing of this one: a digest alone does."""
    found = _match_image_name(named, product)
    if found is Match.YES and named.versions and not _has_digest(named, product):
        return Match.UNKNOWN
    return found


def _match_image_name(named: Named, product: Product) -> Match:
    if _has_digest(named, product):
        return Match.YES if _has_architecture(named, product) else Match.NO
    if not named.purls and not named.digests:
        return Match.UNKNOWN
    found = Match.NO
    for each in named.purls:
        parsed = purl.parse(each)
        if parsed is None:
            found = _either(found, Match.UNKNOWN)
        elif parsed.type in IMAGES and not parsed.version and parsed.name in product.names:
            found = _either(found, _match_place(parsed.qualifiers, product))
    return found


def _match_place(qualifiers: dict[str, str], product: Product) -> Match:
    """Match what a name without a digest says of an image besides: where it is, and its architecture."""
    if not _is_of_architecture(qualifiers, product):
        return Match.NO
    repository = qualifiers.get("repository_url", "").rstrip("/").casefold()
    if "tag" in qualifiers or (repository and not product.repositories):
        return Match.UNKNOWN
    return Match.YES if repository in {"", *map(str.casefold, product.repositories)} else Match.NO


def _has_digest(named: Named, product: Product) -> bool:
    versions = [purl.version_of(each) for each in named.purls if purl.type_of(each) in IMAGES]
    return bool(product.digest) and product.digest in (*named.digests, *versions)


def _has_architecture(named: Named, product: Product) -> bool:
    parsed = [found for each in named.purls if (found := purl.parse(each)) and found.type in IMAGES]
    return all(_is_of_architecture(each.qualifiers, product) for each in parsed)


def _is_of_architecture(qualifiers: dict[str, str], product: Product) -> bool:
    """Return whether the qualifiers that say more than a place are the image's; no other one is known."""
    wanted = {name: value for name, value in qualifiers.items() if name not in _PLACE}
    return all(name == "arch" and value == product.architecture for name, value in wanted.items())
