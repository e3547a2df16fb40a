"""Merge findings that are one vulnerability under several names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from autoclave.model.facts import Finding, Severity

# Databases that name single vulnerabilities. Vendors' bulletins (DSA, RHSA, USN, …) each cover
# several; two findings that share one of those are still two.
_SINGLE = ("CVE-", "GHSA-", "PYSEC-", "OSV-", "GO-", "RUSTSEC-", "MAL-")
_ORDER = {severity: rank for rank, severity in enumerate(Severity)}


def merge_aliases(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield findings with names of the same vulnerability in the same place merged.

    Same place: equal target, package and version. Two different CVEs are never merged. The merged
    finding has the CVE as its id, the highest severity and score, and the first text there is. The
    position is that of the first of them.
    """
    found: list[Finding] = []
    index: dict[tuple[str, str, str, str], int] = {}
    for finding in map(_prefer_cve, findings):
        names = (finding.id, *finding.aliases)
        keys = [(finding.target, finding.package, finding.version, name) for name in names]
        at = next(
            (index[key] for key in keys if key in index and _is_same(found[index[key]], finding)), len(found)
        )
        if at == len(found):
            found.append(finding)
        else:
            found[at] = _merge_pair(found[at], finding)
        for key in keys:
            index.setdefault(key, at)
    yield from found


def _prefer_cve(finding: Finding) -> Finding:
    """Give a finding its CVE as id when it has one, and keep vendors' bulletins apart from the aliases."""
    if not finding.aliases:  # nearly all
        return finding
    names = dict.fromkeys((finding.id, *(name for name in finding.aliases if name.startswith(_SINGLE))))
    bulletins = tuple(dict.fromkeys(name for name in finding.aliases if name not in names))
    first = next((name for name in names if name.startswith("CVE-")), finding.id)
    aliases = tuple(name for name in names if name != first)
    if first == finding.id and aliases == finding.aliases:
        return finding
    return replace(finding, id=first, aliases=aliases, bulletins=bulletins)


def _is_same(one: Finding, other: Finding) -> bool:
    return one.id == other.id or not (one.id.startswith("CVE-") and other.id.startswith("CVE-"))


def _merge_pair(one: Finding, other: Finding) -> Finding:
    lead, rest = (
        (other, one) if other.id.startswith("CVE-") and not one.id.startswith("CVE-") else (one, other)
    )
    names = dict.fromkeys((lead.id, *lead.aliases, rest.id, *rest.aliases))
    return replace(
        lead,
        aliases=tuple(name for name in names if name != lead.id),
        severity=max(lead.severity, rest.severity, key=_ORDER.__getitem__),
        cvss=max(lead.cvss or 0.0, rest.cvss or 0.0) or None,
        title=lead.title or rest.title,
        fixed=lead.fixed or rest.fixed,
        purl=lead.purl or rest.purl,
        url=lead.url or rest.url,
        ratings=tuple(dict.fromkeys((*lead.ratings, *rest.ratings))),
        cwes=tuple(dict.fromkeys((*lead.cwes, *rest.cwes))),
        exploited=lead.exploited or rest.exploited,
        found_by="; ".join(dict.fromkeys(filter(None, (lead.found_by, rest.found_by)))),
        # The earlier one: a grace that begins with the publication is over sooner.
        published=min((each for each in (lead.published, rest.published) if each), default=None),
        bulletins=tuple(dict.fromkeys((*lead.bulletins, *rest.bulletins))),
    )
