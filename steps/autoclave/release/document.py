"""Make the document of a release, and find and open one that was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from msgspec import structs

from autoclave import __version__
from autoclave.context import Context, read_file
from autoclave.device import device_file
from autoclave.device.schema import FILE
from autoclave.errors import AutoclaveError, ConfigError, SourceError, StoreError
from autoclave.evidence import records
from autoclave.evidence.records import ARTIFACT_TYPE, PREDICATE_TYPE, Record
from autoclave.evidence.statement import VERIFICATION, info
from autoclave.model import release
from autoclave.model.digest import Digest, Digests, check_digest
from autoclave.model.release import LARGEST, TITLE, OpenedRelease, ReleaseDocument
from autoclave.release.verification import Release, find_verification, read_attached
from autoclave.runtime.folder import Folder
from autoclave.store.base import Store
from autoclave.store.oci import (
    EMPTY_BLOB,
    EMPTY_CONFIG,
    MANIFEST,
    Descriptor,
    Manifest,
    encode,
    parse_manifest,
)

NEWEST = "newest.release"
"""The store's name for the release that was judged last. No image can be called so."""


def make(judged: Sequence[Release], files: Iterable[tuple[str, Descriptor]], ctx: Context) -> ReleaseDocument:
    """Return the document of the images that are judged together."""
    device = ctx.device.device
    return ReleaseDocument(
        device=device.name,
        version=device.version,
        safety_class=device.safety_class,
        commit=ctx.source.commit,
        tree=ctx.source.tree,
        images={each.image.name: each.digest for each in judged},
        files={title: descriptor.digest for title, descriptor in files},
        tools={"autoclave": __version__, **_tools(judged)},
    )


def _tools(judged: Sequence[Release]) -> dict[str, str]:
    """Return the tools that made the evidence, and their versions as the records have them."""
    found: dict[str, set[str]] = {}
    for each in judged:
        if each.evidence.build:
            found.setdefault("builder", set()).add(each.evidence.build.builder)
        for scan in each.evidence.scans:
            found.setdefault(f"scanner {scan.scanner}", set()).add(scan.scanner_version)
    return {name: ", ".join(sorted(values)) for name, values in found.items()}


def keep(made: ReleaseDocument, files: Sequence[tuple[str, Descriptor]], store: Store) -> Descriptor:
    """Write a release to the store as an artifact of its own, the newest one, and return its document.

    A registry keeps what a manifest names: with it, no file of the release is ever collected as garbage.
    """
    kept = store.write([release.encode(made)], media_type=release.MEDIA_TYPE)
    _name([(TITLE, kept), *files], store)
    return kept


def keep_imported(good: Sequence[Record], store: Store) -> str:
    """Make the release that an image was judged by last the store's newest one, and return its digest.

    Its files are in the store, since a verification record carries them. Empty when no record names one.
    """
    summary = find_verification(good)
    kept = records.find_file(summary, TITLE) if summary else None
    if summary is None or kept is None:
        return ""
    found = [(each.annotations.get(records.TITLE, ""), each) for each in summary.attachments]
    _name([(TITLE, kept), *((title, each) for title, each in found if title != TITLE)], store)
    return kept.digest


def _name(files: Sequence[tuple[str, Descriptor]], store: Store) -> None:
    """Write the artifact, its document first, and give it the name of the newest release."""
    store.write([EMPTY_BLOB], media_type=EMPTY_CONFIG.media_type, expect=EMPTY_CONFIG.digest)
    named = [structs.replace(each, annotations={records.TITLE: title}) for title, each in files]
    manifest = Manifest(
        schema_version=2,
        media_type=MANIFEST,
        artifact_type=release.MEDIA_TYPE,
        config=EMPTY_CONFIG,
        layers=named,
    )
    store.tag(NEWEST, store.write([encode(manifest)], media_type=MANIFEST))


def open_release(ctx: Context, *, named: str = "", digest: str = "") -> OpenedRelease | None:
    """Find a release and let everything after this work on it: device, policy and images are the release's.

    A checkout that differs is reported, and not used; one of another device is an error where no release is
    named. None when there is none (see `find`). Raises StoreError, ConfigError.
    """
    return _open(find(ctx, named=named, digest=digest), ctx, is_named=bool(named or digest))


def open_latest(ctx: Context, *, named: str = "", digest: str = "") -> OpenedRelease | None:
    """Open a release like `open_release`; None also when none is named, and something was built since.

    Then what was built last is what a person means, and the checkout says what it is.
    """
    found = find(ctx, named=named, digest=digest)
    is_named = bool(named or digest)
    if found and not is_named and find_newer_builds(found, ctx):
        return None
    return _open(found, ctx, is_named=is_named)


def _open(found: OpenedRelease | None, ctx: Context, *, is_named: bool) -> OpenedRelease | None:
    if found:
        _compare_checkout(found, ctx, is_named=is_named or bool(ctx.judged))
        adopt(found, ctx)
    return found


def is_signed(found: OpenedRelease, ctx: Context) -> bool:
    """Return whether a trusted key signed a verdict about a release, for one of its images at least."""
    for digest in found.document.images.values():
        with suppress(AutoclaveError):
            attached = read_attached(ctx.store.find_image(digest), ctx)
            if find_verification(attached.records, found.digest):
                return True
    return False


def find_newer_builds(found: OpenedRelease, ctx: Context) -> dict[str, str]:
    """Return the digests of images that were built after a release was judged, by name."""
    built = {name: ctx.store.find(name) for name in found.document.images}
    return {
        name: each.digest
        for name, each in built.items()
        if each and each.digest != found.document.images[name]
    }


def adopt(found: OpenedRelease, ctx: Context) -> None:
    """Let a context work on a release. Raises StoreError when its device file is another device's."""
    document = found.document
    source = f"{FILE} of release {Digest(found.digest).short}"
    device = device_file.parse(read_file(ctx.store, found, FILE), source=source)
    own = device.device
    described = (own.name, own.version, str(own.safety_class), {each.name for each in device.image})
    if described != (document.device, document.version, document.safety_class, set(document.images)):
        raise StoreError(
            f"{found.digest} contradicts itself",
            why="its device file does not describe the device, version, class and images that it names",
            next="sign the release anew",
        )
    ctx.adopt(found, device)


def find(ctx: Context, *, named: str = "", digest: str = "") -> OpenedRelease | None:
    """Return a release: by its digest (`named`), else by those of its images (`NAME=DIGEST,…`, or one).

    With neither, it is the one that this command judged, else the one judged last in the store; None when
    nothing was judged. Raises StoreError when the store lacks it, or the images are of several releases.
    """
    images = Digests.parse(digest, [""]).by_image  # one digest alone belongs to no name
    if named:
        found = read(check_digest(named), ctx)
        _refuse_mixed(images, found)
        return found
    if images:
        return _find_of_images(images, ctx)
    if ctx.judged:
        return read(ctx.judged, ctx)
    return _find_newest(ctx)


def _find_newest(ctx: Context) -> OpenedRelease | None:
    newest = ctx.store.find(NEWEST)
    if newest is None:
        return None
    layers = parse_manifest(ctx.store.read(newest.digest), newest.digest).layers
    return read(layers[0].digest, ctx) if layers else None


def read(digest: str, ctx: Context) -> OpenedRelease:
    """Return the release of a digest. Raises StoreError when the store has no release there."""
    try:
        raw = ctx.store.read(digest, limit=LARGEST)
    except StoreError as error:
        raise StoreError(
            f"the store has no release {digest}",
            why=f"{error.what}: {error.why}" if error.why else error.what,
            next="'autoclave sign' prints the release's digest; an image's digest is given with --digest",
        ) from error
    return release.parse(raw)


def _find_of_images(digests: Mapping[str, str], ctx: Context) -> OpenedRelease | None:
    """Return the release judged last of the first image, when all the images are of it."""
    found = _find_newest(ctx)
    if found is None or not set(digests.values()) <= set(found.document.images.values()):
        found = _find_of_image(ctx.store.find_image(next(iter(digests.values()))), ctx)
    if found:
        _refuse_mixed(digests, found)
    return found


def _refuse_mixed(digests: Mapping[str, str], found: OpenedRelease) -> None:
    """Refuse images that are not of the release. Raises StoreError."""
    own = found.document.images
    for name, digest in digests.items():
        if digest not in ({own.get(name)} if name else own.values()):
            raise StoreError(
                f"{name or 'the image'} {Digest(digest).short} is not part of release "
                f"{Digest(found.digest).short}",
                why="images of two releases are never mixed",
                next="name one release with --release",
            )


def _find_of_image(image: Descriptor, ctx: Context) -> OpenedRelease | None:
    """Return the release by which an image was judged last; None when it never was.

    What no trusted key signed only names a release: nothing of it counts unless the gate verifies it.
    """
    listed = [
        each
        for each in ctx.store.referrers(image.digest, artifact_type=ARTIFACT_TYPE)
        if each.annotations.get(PREDICATE_TYPE) == VERIFICATION
    ]
    good, _ = records.read_listed(ctx.store, listed, image.digest, ctx.trust)
    judged = [each for each in good if each.statement.predicate_type == VERIFICATION]
    named = [files for each in judged if (files := info(each.statement).files.get(TITLE))]
    if not named:
        named = [digest for each in listed for digest in _list_documents(each, ctx)]
    return read(named[-1], ctx) if named else None


def _list_documents(record: Descriptor, ctx: Context) -> list[str]:
    layers = parse_manifest(ctx.store.read(record.digest), record.digest).layers
    return [each.digest for each in layers if each.annotations.get(records.TITLE) == TITLE]


def _compare_checkout(found: OpenedRelease, ctx: Context, *, is_named: bool) -> None:
    """Report a checkout whose device file is not the release's: it is not used.

    One of another device is refused where no release is named: a store may be shared, and nobody meant that
    device. Raises StoreError.
    """
    try:
        raw = Folder(ctx.folder).read(FILE, limit=LARGEST)
    except SourceError:
        return
    if not is_named and (here := _name_of(raw)) not in {"", found.document.device}:
        raise StoreError(
            f"the release judged last in this store is of {found.document.device}, and this is {here}",
            why="several devices share the store",
            next="name the release with --release: 'autoclave sign' prints its digest",
        )
    if raw != read_file(ctx.store, found, FILE):
        ctx.screen.note(
            "release",
            f"{FILE} here is not that of release {Digest(found.digest).short} "
            f"({found.document.device} {found.document.version}); the release's is used",
        )


def _name_of(raw: bytes) -> str:
    """Return the name of the device that a device file describes; empty when it cannot be used."""
    try:
        return device_file.parse(raw, source=FILE).device.name
    except ConfigError:
        return ""
