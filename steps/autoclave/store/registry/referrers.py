"""Which artifacts are attached to an image in a registry, with the referrers API and without it.

Without the API, every artifact gets a tag of its own, `sha256-<subject>.<40 digits of the artifact>`. Tags
are only added, so that parallel writers cannot remove what another one wrote. The specification's own way,
one index under the tag `sha256-<subject>` that every writer reads, changes and writes back, loses entries
when two do so at once: it is written for other tools, and not relied on.

Source: OCI distribution specification 1.1 (listing referrers, referrers tag schema, listing tags). GitLab's
registry takes `sha256-<hex>` for the digest itself (oras-project/oras-go issue 1396).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from autoclave.errors import StoreError
from autoclave.model.digest import Digest, digest_of
from autoclave.store import artifacts
from autoclave.store.oci import MANIFEST, Descriptor
from autoclave.store.registry import listing
from autoclave.store.registry.content import Content
from autoclave.store.registry.errors import RegistryError

_OWN_TAG = re.compile(r"sha256-[0-9a-f]{64}\.([0-9a-f]{40})")
_TURNS = 5

Listed = tuple[Descriptor, bytes]


class Referrers:
    """The artifacts of the images in one repository. Its answers show what the registry supports."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._has_api: bool | None = None
        self._api_lists = False
        self._is_gitlab = False
        self._digests: dict[str, str] = {}  # own tag: digest

    def of(self, subject: str) -> Iterator[Listed]:
        """Yield what is listed for an image, with its bytes; raise StoreError if one is damaged."""
        entries = self._entries(subject)
        if entries is None:
            yield from self._without_api(subject)
        for entry in entries or ():
            if entry.media_type == MANIFEST:
                yield self._read(entry)

    def add(self, made: Descriptor, raw: bytes, subject: str) -> None:
        """Put an artifact into the registry, so that it is listed; its content is there already."""
        own = _own_tag(subject, made.digest)
        # Decided once: another thread may find out about the API meanwhile.
        at_once = self._has_api is False
        answer = self._content.put(own if at_once else made.digest, raw)
        if answer.headers.get("OCI-Subject") == subject:
            self._has_api = True
            return
        if not at_once:
            if self._is_listed(made.digest, subject):
                return
            self._content.put(own, raw)
        self._digests[own] = made.digest
        with suppress(StoreError):  # for other tools only
            self._update_standard_index(made, subject)

    def _is_listed(self, digest: str, subject: str) -> bool:
        """Return whether the API lists an artifact: False without an API. Raises when it does not."""
        if self._api_lists:
            return True
        for turn in range(1, _TURNS + 1):
            entries = self._entries(subject)
            if entries is None:
                return False
            if any(entry.digest == digest for entry in entries):
                self._api_lists = True
                return True
            self._content.client.retry.wait(turn)
        raise RegistryError(
            f"the registry does not list {digest}, which was attached to {subject}",
            why="the list of its referrers API is without it",
            next="see the registry's log, then repeat the step",
        )

    def _entries(self, subject: str) -> list[Descriptor] | None:
        """Return the entries of the referrers API; None without one."""
        if self._has_api is False:
            return None
        found, sure = listing.referrers(self._content.client, subject)
        self._has_api = found is not None if sure else None
        return found

    def _without_api(self, subject: str) -> Iterator[Listed]:
        raw = self._standard_index(subject)
        standard = {entry.digest: entry for entry in listing.entries(raw or b"") or ()}
        seen: set[str] = set()
        for entry, own in self._own(subject, standard):
            seen.add(entry.digest)
            yield entry, own
        for digest, entry in standard.items():
            if digest not in seen and entry.media_type == MANIFEST:
                yield self._read(entry)

    def _own(self, subject: str, known: dict[str, Descriptor]) -> Iterator[Listed]:
        """Yield the artifacts that have tags of their own; `known` ones are not requested by tag."""
        for tag in listing.tags(self._content.client, _standard_tag(subject)):
            if not (own := _OWN_TAG.fullmatch(tag)):
                continue  # such as cosign's .sig and .att
            start = f"sha256:{own[1]}"
            digest = self._digests.get(tag) or next((each for each in known if each.startswith(start)), "")
            raw = self._content.read(digest, is_manifest=True) if digest else self._read_tag(tag)
            if raw is None or not digest_of(raw).startswith(start):
                raise StoreError(
                    f"the record {tag} is damaged in the registry",
                    why="the tag is listed, but "
                    + ("has no manifest" if raw is None else "has other content"),
                    next="restore the registry, or attach the record again by repeating its step",
                )
            self._digests[tag] = digest_of(raw)
            yield Descriptor(media_type=MANIFEST, digest=self._digests[tag], size=len(raw)), raw

    def _read_tag(self, tag: str) -> bytes | None:
        """Return the manifest of a listed tag; some registries list a tag before it can be read."""
        for turn in range(1, _TURNS):
            if (raw := self._content.read_tag(tag, keep=True)) is not None:
                return raw
            self._content.client.retry.wait(turn)
        return self._content.read_tag(tag, keep=True)

    def _read(self, entry: Descriptor) -> Listed:
        raw = self._content.read(entry.digest, is_manifest=True)
        artifacts.refuse_size(entry, len(raw))
        return Descriptor(media_type=entry.media_type, digest=entry.digest, size=entry.size), raw

    def _standard_index(self, subject: str) -> bytes | None:
        """Return the specification's index of an image, empty if new; None if its tag is something else."""
        if self._is_gitlab:
            return None
        raw = self._content.read_tag(_standard_tag(subject))
        if raw is None:
            return b""
        if digest_of(raw) == subject:
            self._is_gitlab = True
            return None
        return raw if listing.entries(raw) is not None else None

    def _update_standard_index(self, made: Descriptor, subject: str) -> None:
        """Update the specification's index for other tools, with what parallel writers removed from it."""
        for turn in range(_TURNS):
            index = self._standard_index(subject)
            if index is None:
                return
            known = {entry.digest: entry for entry in listing.entries(index) or ()}
            if turn and made.digest in known:
                return
            own = list(self._own(subject, {**known, made.digest: made}))
            found = [
                artifacts.parse_referrer(entry, raw, subject)
                for entry, raw in own
                if entry.digest not in known
            ]
            self._content.put(
                _standard_tag(subject), listing.add_entries(index, [made, *filter(None, found)])
            )


def _standard_tag(subject: str) -> str:
    return subject.replace(":", "-")


def _own_tag(subject: str, artifact: str) -> str:
    return f"{_standard_tag(subject)}.{Digest(artifact).hex[:40]}"
