"""Handover between jobs on different machines: one writes a folder, the next one reads it.

The folder holds an OCI layout (`store`) with the records and, after a build, the image; the digests as a
dotenv line (`digests.env`); and the public development keys (`keys`). Every job has a folder of its own:
hosts extract the artifacts of parallel jobs into one tree, where two index files of one layout would
overwrite each other. With a registry as the store, image and records are there already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from autoclave.context import Context
from autoclave.errors import StoreError, UsageError
from autoclave.evidence import transfer
from autoclave.model.digest import Digests, check_digest
from autoclave.runtime.folder import Folder
from autoclave.runtime.options import StepOptions
from autoclave.signers import development
from autoclave.store.base import is_address
from autoclave.store.layout import LayoutStore

VARIABLE, RELEASE = "AUTOCLAVE_DIGEST", "AUTOCLAVE_RELEASE"
_STORE, _DIGESTS, _KEYS = "store", "digests.env", "keys"
_PUBLIC = tuple(f"{each}.pub" for each in development.NAMES)
_LONGEST = 64 * 1024
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def read(folders: Sequence[str], ctx: Context) -> None:
    """Read what earlier jobs left. A missing folder is a warning: the gates find its records missing."""
    for name in folders:
        folder = ctx.folder_at(str(ctx.folder / name))
        if folder.kind(_DIGESTS) is None:
            ctx.screen.warn("handover", f"no job left anything in {name}")
            continue
        _refuse_odd_keys(folder.at(_KEYS))
        ctx.handover_keys.append(folder.at(_KEYS).path)
        left = _read_left(folder)
        if RELEASE in left:  # an empty one would mean the newest release of the store
            ctx.judged = check_digest(left[RELEASE])
        if not is_address(ctx.options.store):
            _read_store(folder, left, ctx)


def write(step: str, opts: StepOptions, ctx: Context) -> None:
    """Leave records, digests and public development keys for the next job; after a build, the image too."""
    if not opts.hand_on:
        return
    # A build leaves what it built, and not what an earlier one built under the same name.
    names = [image.name for image in ctx.images(opts.image) if step != "build" or image.name in ctx.built]
    given = ctx.digests(opts)
    digests = {name: ctx.subject(ctx.device.find_image(name), given.of(name)).digest for name in names}
    folder = ctx.folder_at(str(ctx.folder / opts.hand_on))
    _clear(folder, opts.hand_on)
    if not is_address(opts.store):
        target = LayoutStore(folder.at(_STORE))
        for name, digest in digests.items():
            if step == "build":
                transfer.copy_image(ctx.store, target, digest, name=name)
            transfer.copy_attached(ctx.store, target, digest)
    _write_keys(folder.at(_KEYS))
    line = ",".join(f"{name}={digest}" for name, digest in digests.items())
    text = f"{VARIABLE}={line}\n" if line else ""
    if release := ctx.released.digest if ctx.released else ctx.judged:
        text += f"{RELEASE}={release}\n"
    folder.write(_DIGESTS, [text.encode()])


def _clear(folder: Folder, option: str) -> None:
    """Remove what an earlier job left. Raises UsageError when there is anything else."""
    names = folder.names()
    if strangers := sorted(set(names) - {_STORE, _DIGESTS, _KEYS}):
        raise UsageError(
            f"--hand-on {option}: {folder.path} is not a folder of a handover",
            why=f"it has other files, which would be removed: {', '.join(strangers[:3])}",
            next="name a new or an empty folder",
        )
    for each in names:
        folder.remove(each)


def _read_store(folder: Folder, left: Mapping[str, str], ctx: Context) -> None:
    source = LayoutStore(folder.at(_STORE), create=False)
    for name, digest in _parse_digests(left.get(VARIABLE, ""), folder.path / _DIGESTS).items():
        if source.find(name) is not None:
            transfer.copy_image(source, ctx.store, digest, name=name)
        transfer.copy_attached(source, ctx.store, digest)


def _read_left(folder: Folder) -> Mapping[str, str]:
    """Return the variables that a job left: images by digest and, after sign, the release."""
    text = folder.read(_DIGESTS, limit=_LONGEST).decode("utf-8", "replace").strip()
    return dict(line.partition("=")[::2] for line in text.splitlines())


def _parse_digests(text: str, path: Path) -> Mapping[str, str]:
    """Return the digests by image. Raises StoreError when they cannot be digests of images."""
    again = "run the job that left it again"
    try:
        found = Digests.parse(text, [], option=str(path)).by_image
    except UsageError as error:
        raise StoreError(error.what, why=error.why, next=again) from error
    for name in found:
        if not _NAME.fullmatch(name):
            what = f"{path} names the image {name[:100]!r}, which cannot be the name of one"
            raise StoreError(what, next=again)
    return found


def _write_keys(folder: Folder) -> None:
    folder.make()
    own = Folder(development.folder())
    for name in _PUBLIC:
        if own.kind(name) is not None:
            folder.write(name, [own.read(name, limit=_LONGEST)])


def _refuse_odd_keys(folder: Folder) -> None:
    """Refuse public keys that are not plain files. Raises SourceError."""
    for name in _PUBLIC:
        if folder.kind(name) is not None:
            folder.read(name, limit=_LONGEST)
