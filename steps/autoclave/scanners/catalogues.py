"""Catalogues about exploitation: which vulnerabilities are known to be exploited, and how likely others are.

`exploited` is CISA's Known Exploited Vulnerabilities catalogue (known_exploited_vulnerabilities.json),
`predicted` FIRST's Exploit Prediction Scoring System (epss_scores-YYYY-MM-DD.csv.gz: a comment with the
date, then cve,epss,percentile). The organisation's policy says where each is: a file, or an address of which
`autoclave database update` keeps a copy.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from autoclave.errors import ConfigError, DatabaseError
from autoclave.model.digest import digest_of
from autoclave.model.facts import Catalogue, CatalogueName, Exploited, Finding, Kind, Prediction, ScanFacts
from autoclave.model.text import matching
from autoclave.runtime.surroundings import base_folder

_LARGEST = 64 * 1024 * 1024  # bytes, compressed or not; both are below 15 MB today
_LONGEST_LINE = 1000
_DATED = re.compile(r"#.*\bscore_date:\s*([0-9T:.+-]+)")
_CVE = r"CVE-\d{4}-\d{4,19}"
_NEXT = "'autoclave database update' fetches it; or correct scan.catalogues in the organisation's policy"


class Source(Struct, frozen=True, kw_only=True):
    """Where a catalogue is: a file or an https address, and the digest that it must have, if one is named."""

    name: CatalogueName
    location: str
    digest: str = ""

    @property
    def is_remote(self) -> bool:
        """Whether it is fetched, and read from the copy that was kept."""
        return "://" in self.location

    def file(self) -> Path:
        """Return the file that is read: the one that is named, or the copy."""
        if not self.is_remote:
            return Path(self.location)
        return folder() / f"{self.name}-{hashlib.sha256(self.location.encode()).hexdigest()[:16]}"


class Catalogues(Struct, frozen=True, kw_only=True):
    """The catalogues that a policy names, read; `records` are their times and digests."""

    records: tuple[Catalogue, ...] = ()
    exploited: Mapping[str, date] = {}
    predictions: bytes = b""

    def find_predictions(self, names: Collection[str]) -> dict[str, Prediction]:
        """Return the predictions about these vulnerabilities. Raises DatabaseError for an invalid line."""
        found: dict[str, Prediction] = {}
        for name, each in _read_predictions(self.predictions, names) if self.predictions else ():
            found[name] = max(found.get(name, each), each, key=lambda one: one.score)
        return found


def folder() -> Path:
    """Return the folder with the copies."""
    return base_folder("XDG_CACHE_HOME", ".cache") / "autoclave" / "catalogues"


def parse_source(name: CatalogueName, text: str) -> Source:
    """Read what a policy says of a catalogue: a file or an address, and `@sha256:…`. Raises ConfigError."""
    location, at, digest = text.rpartition("@sha256:")
    if not at:
        location, digest = text, ""
    parts = urlsplit(location)
    is_near = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    if digest and not re.fullmatch(r"[0-9a-f]{64}", digest):
        why = "what follows @sha256: is not 64 hexadecimal digits"
    elif "://" in location and parts.scheme != "https" and not is_near:
        why = "an address must be https"
    elif "://" in location and (not parts.hostname or parts.password or parts.username):
        why = "an address needs a host, and must not contain a password"
    elif "://" not in location and not Path(location).is_absolute():
        why = "a file must be named by its absolute path, to be the same one from everywhere"
    else:
        return Source(name=name, location=location, digest=f"sha256:{digest}" if digest else "")
    raise ConfigError(
        f"scan.catalogues.{name} is neither a file nor an address",
        why=why,
        next="write it as '/srv/mirror/FILE' or 'https://HOST/FILE', with '@sha256:…' to pin its content",
    )


def load(named: Mapping[CatalogueName, str]) -> Catalogues:
    """Read the catalogues that a policy names. Raises ConfigError, or DatabaseError for an unusable one."""
    found = Catalogues()
    for name, text in sorted(named.items()):
        source = parse_source(name, text)
        found = read(source, read_file(source), found)
    return found


def read_file(source: Source) -> bytes:
    """Return the bytes of a catalogue. Raises DatabaseError when it is missing, too large, or another one."""
    file = source.file()
    if not file.is_file():
        raise refuse(source, "is missing", f"there is no file {file}")
    try:
        with file.open("rb") as stream:
            raw = stream.read(_LARGEST + 1)
    except OSError as error:
        raise refuse(source, "cannot be read", str(error)) from error
    if len(raw) > _LARGEST:
        raise refuse(source, "is too large", f"{file} has more than {_LARGEST:,} bytes")
    if source.digest and digest_of(raw) != source.digest:
        raise refuse(
            source, "is another one", f"{file} has {digest_of(raw)}, the policy names {source.digest}"
        )
    return raw


def read(source: Source, raw: bytes, others: Catalogues | None = None) -> Catalogues:
    """Return a catalogue of these bytes, beside others. Raises DatabaseError when it is invalid or empty."""
    before = others or Catalogues()
    if source.name is CatalogueName.EXPLOITED:
        updated, known = _read_exploited(source, raw)
        after, entries = replace(before, exploited=known), len(known)
    else:
        text = _unpack(source, raw)
        updated, entries = _examine_predictions(source, text)
        after = replace(before, predictions=text)
    if not entries:
        raise refuse(source, "is empty", "it lists no vulnerability, so every image would look good")
    record = Catalogue(name=source.name, updated=updated, digest=digest_of(raw), entries=entries)
    return replace(after, records=(*before.records, record))


def enrich(facts: ScanFacts, catalogues: Catalogues) -> ScanFacts:
    """Return facts whose findings say what the catalogues have about them, and which catalogues were used."""
    names = {name for each in facts.findings for name in _names(each)}
    predictions = catalogues.find_predictions(names)
    findings = tuple(_enrich(each, catalogues.exploited, predictions) for each in facts.findings)
    return replace(facts, findings=findings, catalogues=catalogues.records)


def refuse(source: Source, what: str, why: str) -> DatabaseError:
    """Return the error for a catalogue that cannot be used."""
    return DatabaseError(f"the catalogue '{source.name}' {what}", why=why, next=_NEXT)


def _names(finding: Finding) -> tuple[str, ...]:
    return (finding.id, *finding.aliases) if finding.kind is Kind.VULNERABILITY else ()


def _enrich(
    finding: Finding, exploited: Mapping[str, date], predictions: Mapping[str, Prediction]
) -> Finding:
    names = _names(finding)
    added = next((exploited[name] for name in names if name in exploited), None)
    likely = [predictions[name] for name in names if name in predictions]
    if added is None and not likely:
        return finding
    return replace(
        finding,
        exploited=Exploited(added=added, source="CISA KEV") if added else finding.exploited,
        prediction=max(likely, key=lambda each: each.score) if likely else finding.prediction,
    )


class _Known(Struct, frozen=True, rename="camel"):
    cve: Annotated[str, matching(_CVE, says="the number of a CVE", example="CVE-2024-3094")] = field(
        name="cveID"
    )
    date_added: date


class _Kev(Struct, frozen=True, rename="camel"):
    date_released: Annotated[datetime, Meta(tz=True)]
    count: int
    vulnerabilities: list[_Known]


def _read_exploited(source: Source, raw: bytes) -> tuple[datetime, dict[str, date]]:
    try:
        found = msgspec.json.decode(raw, type=_Kev)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refuse(source, "is not CISA's", str(error)) from error
    if found.count != len(found.vulnerabilities):
        why = f"it says that it has {found.count:,} entries, and has {len(found.vulnerabilities):,}"
        raise refuse(source, "is not whole", why)
    return found.date_released, {each.cve: each.date_added for each in found.vulnerabilities}


def _unpack(source: Source, raw: bytes) -> bytes:
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        with gzip.open(io.BytesIO(raw)) as stream:
            text = stream.read(_LARGEST + 1)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise refuse(source, "is not whole", str(error)) from error
    if len(text) > _LARGEST:
        raise refuse(source, "is too large", f"it unpacks to more than {_LARGEST:,} bytes")
    return text


def _examine_predictions(source: Source, text: bytes) -> tuple[datetime, int]:
    """Return the day of the scores and how many there are."""
    first, _, rest = text.partition(b"\n")
    dated = _DATED.match(first[:_LONGEST_LINE].decode("utf-8", "replace"))
    try:
        updated = datetime.fromisoformat(dated[1]) if dated else None
    except ValueError:
        updated = None
    header = rest[:100].partition(b"\n")[0].strip()
    if updated is None or header != b"cve,epss,percentile":
        raise refuse(source, "is not FIRST's", "it does not begin with score_date and cve,epss,percentile")
    return updated if updated.tzinfo else updated.replace(tzinfo=UTC), rest.count(b"CVE-")


def _read_predictions(text: bytes, names: Collection[str]) -> Iterator[tuple[str, Prediction]]:
    lines = io.TextIOWrapper(io.BytesIO(text), "utf-8", errors="replace", newline="")
    try:
        rows = csv.reader(line for line in lines if len(line) <= _LONGEST_LINE and not line.startswith("#"))
        next(rows, None)
        for row in rows:
            if row and row[0] in names:
                score, percentile = float(row[1]), float(row[2])
                if not (0 <= score <= 1 and 0 <= percentile <= 1):
                    raise ValueError("a probability is between 0 and 1")  # noqa: TRY301
                yield row[0], Prediction(score=score, percentile=percentile)
    except (ValueError, IndexError, csv.Error) as error:
        raise DatabaseError(
            "the catalogue 'predicted' has a line that is no score", why=str(error), next=_NEXT
        ) from error
