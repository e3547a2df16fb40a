"""What a repository of a registry lists, and the deletion of what nobody needs.

A registry lists tags alone. So images are found by their names, and by the tags and records that name them;
an image that nothing names is the registry's own to collect. There is no lock: what is deleted is old, and
what is attached to it is listed again before.

Source: OCI distribution specification 1.1 (deleting manifests: 202, and 405 where it is not allowed).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from autoclave.errors import StoreError
from autoclave.model.digest import digest_of
from autoclave.store.artifacts import CREATED
from autoclave.store.layout.cleaning import kind_of, read_content
from autoclave.store.oci import Manifest
from autoclave.store.registry import listing
from autoclave.store.registry.content import Content
from autoclave.store.registry.referrers import Referrers
from autoclave.store.retention import Listed

_OF_ANOTHER = re.compile(r"sha256-([0-9a-f]{64})(\.[0-9a-z]+)?")
"""Tags for what belongs to an image: a record (40 digits), cosign's lists, the specification's index."""


def read_inventory(content: Content, referring: Referrers) -> list[Listed]:
    """Return the images that tags name, and what is attached to them. Raises StoreError for a damaged one."""
    names: dict[str, list[str]] = {}
    subjects: dict[str, None] = {}
    raws: dict[str, bytes] = {}
    for tag in listing.tags(content.client, ""):
        raw = content.read_tag(tag, keep=True)
        if raw is None:
            continue
        other = _OF_ANOTHER.fullmatch(tag)
        if other:
            subjects[f"sha256:{other[1]}"] = None
        if other and other[2] not in {".sig", ".att"}:
            continue  # a record, which its image lists, or the index for other tools
        raws[digest_of(raw)] = raw
        names.setdefault(digest_of(raw), []).append(tag)
    for digest in subjects:
        if digest not in raws and (raw := content.manifest(digest)) is not None:
            raws[digest] = raw
    found = {}
    for subject in [*raws]:
        for entry, raw in referring.of(subject):
            found[entry.digest] = _describe(entry.digest, raw, ())
    images = [_describe(digest, raw, tuple(names.get(digest, ()))) for digest, raw in raws.items()]
    return [*images, *(each for each in found.values() if each.digest not in raws)]


def remove(planned: Sequence[Listed], content: Content, referring: Referrers) -> list[str]:
    """Delete images with what is attached to them; return the digests of the images that are gone.

    An image to which something was attached in the meantime is left alone. Records go before their image:
    what an interruption leaves is an image that the next clean-up finds. Raises StoreError when the registry
    deletes nothing.
    """
    gone = []
    for image in [each for each in planned if not each.subject]:
        attached = {each.digest for each in planned if each.subject == image.digest}
        if {entry.digest for entry, _ in referring.of(image.digest)} != attached:
            continue
        for digest in (*sorted(attached), image.digest):
            _delete(digest, content)
        # The index for other tools; GitLab takes its tag for the image's own digest.
        left = content.read_tag(image.digest.replace(":", "-"))
        if left is not None:
            _delete(digest_of(left), content)
        gone.append(image.digest)
    return gone


def _delete(digest: str, content: Content) -> None:
    answer = content.client.send("DELETE", f"manifests/{digest}", ok=(200, 202, 204, 400, 404, 405))
    if answer.status in {400, 405}:
        raise StoreError(
            f"{content.client.address.host} deletes nothing",
            why=f"it answers {answer.status} to the deletion of a manifest",
            next="switch it on (distribution: REGISTRY_STORAGE_DELETE_ENABLED=true), or use the registry's "
            "own clean-up, with a rule that keeps tagged images and what refers to them",
        )
    content.forget(digest)


def _describe(digest: str, raw: bytes, names: tuple[str, ...]) -> Listed:
    try:
        inner, manifest = read_content(raw, digest)
    except StoreError:
        return Listed(digest=digest, size=len(raw), written=None, names=names, is_known=False)
    return Listed(
        digest=digest,
        size=len(raw) + sum(each.size for each in inner),
        written=_written(manifest),
        names=names,
        subject=manifest.subject.digest if manifest and manifest.subject else "",
        kind=kind_of(manifest) if manifest else "",
        refers=tuple(each.digest for each in inner),
    )


def _written(manifest: Manifest | None) -> datetime | None:
    """Return when a record was attached, by its own word; an image is as old as the newest of its records."""
    if manifest is None or not manifest.subject:
        return datetime.min.replace(tzinfo=UTC)
    try:
        when = datetime.fromisoformat(manifest.annotations.get(CREATED, ""))
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
