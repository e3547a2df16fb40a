"""Renew what scanners judge by: advisory databases, verified before they are exchanged."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoclave.errors import AutoclaveError, Busy, DatabaseError, StoreError, UsageError
from autoclave.model.facts import Database
from autoclave.runtime.folder import Folder
from autoclave.runtime.shell import Shell
from autoclave.scanners.base import Renewable, Scanner
from autoclave.store.layout import LayoutStore
from autoclave.store.oci import Descriptor, parse_manifest
from autoclave.store.registry.auth import find_credentials
from autoclave.store.registry.store import RegistryStore

PUBLISHER = "publisher"
"""The origin that is each database's own."""

NOWHERE = "none"
"""The origin that fetches nothing: what is there is used, and its age is printed."""

_REFERENCE = re.compile(
    r"(oci(?:\+http)?://[^@]+?)(?::([A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?"
)


def renew(scanner: Scanner, origin: str, shell: Shell) -> Database:
    """Renew a scanner's database and return it, verified; the one that was there stays when that fails.

    `origin` is `publisher` or empty, `none` for nowhere, else a file or `oci://HOST/REPOSITORY[:TAG][@DIGEST]`.
    Raises DatabaseError when the new one cannot be used, or is older or less complete than the one here.
    """
    if origin == NOWHERE:
        return scanner.versions().database
    if not isinstance(scanner, Renewable):
        raise UsageError(
            f"scanner '{scanner.name}' has no database that can be fetched",
            why="it keeps one itself, or needs none",
            next="leave it out: --scanner with the names of others",
        )
    scanner.cache.mkdir(parents=True, exist_ok=True)
    with _lock(scanner.cache), _stage(scanner.cache) as stage:
        fresh = scanner.at(stage / "new")
        fresh.cache.mkdir()
        if origin in {"", PUBLISHER}:
            fresh.download()
        elif "://" in origin:
            fresh.unpack(_pull(origin, fresh.tag, stage, shell))
        else:
            fresh.unpack(_require_file(origin))
        database = fresh.versions().database
        _compare(scanner, database)
        _exchange(fresh.cache, scanner.cache, stage, scanner.parts)
    return database


def save(scanner: Scanner, path: Path) -> None:
    """Write a scanner's database into a file from which it can be renewed elsewhere. Raises UsageError."""
    if not isinstance(scanner, Renewable):
        raise UsageError(f"scanner '{scanner.name}' has no database that can be saved")
    part = path.with_name(f".{path.name}.part")
    try:
        scanner.pack(part)
        part.replace(path)
    except OSError as error:
        raise DatabaseError(f"{path} cannot be written", why=str(error), next="name another file") from error
    finally:
        part.unlink(missing_ok=True)


def _compare(scanner: Renewable, fresh: Database) -> None:
    try:
        there = scanner.versions().database
    except AutoclaveError:  # none, or one that cannot be used
        return
    if fresh.updated < there.updated:
        what, why = (
            "is older",
            f"it is of {fresh.updated:%Y-%m-%d %H:%M}, the one here of {there.updated:%Y-%m-%d %H:%M} UTC",
        )
    elif there.complete and not fresh.complete:
        what, why = "has less", fresh.lacks
    else:
        return
    raise DatabaseError(
        f"the database for {scanner.name} {what} than the one that is here, and was not taken",
        why=why,
        next=f"correct the mirror; or, to take it all the same, remove {scanner.cache} first",
    )


def _exchange(fresh: Path, cache: Path, stage: Path, parts: tuple[str, ...]) -> None:
    """Put the new parts in the place of the old ones; on an error the old ones are put back."""
    moved: list[str] = []
    try:
        for part in parts:
            if not (fresh / part).exists():
                continue
            if (cache / part).exists():
                (cache / part).rename(stage / f"old-{part}")
            moved.append(part)
            (fresh / part).rename(cache / part)
    except OSError as error:
        for part in moved:
            if (stage / f"old-{part}").exists():
                shutil.rmtree(cache / part, ignore_errors=True)
                (stage / f"old-{part}").rename(cache / part)
        raise DatabaseError(f"the database in {cache} cannot be exchanged", why=str(error)) from error


def _pull(origin: str, tag: str, stage: Path, shell: Shell) -> Path:
    """Fetch the one layer of an artifact in a registry into a file; its digest is verified on the way."""
    found = _REFERENCE.fullmatch(origin)
    if not found:
        raise UsageError(
            "--from is neither a file nor the address of a registry",
            why="an address is oci://HOST/REPOSITORY, with :TAG or @sha256:… behind it",
            next=f"name a file, an address, or '{NOWHERE}'",
        )
    address, named, digest = found[1], found[2] or tag, found[3] or ""
    store = RegistryStore(
        address, LayoutStore(Folder(stage / "pulled")), lambda host: find_credentials(host, shell)
    )
    raw = store.read(digest) if digest else _read_tagged(store, address, named)
    layers = parse_manifest(raw, digest or named).layers
    if len(layers) != 1:
        raise StoreError(
            f"{address} has no database at {digest or named}",
            why=f"its manifest has {len(layers)} layers, not one",
        )
    path = stage / f"pulled{_suffix(layers[0])}"
    with path.open("xb") as file:
        for chunk in store.chunks(layers[0].digest):
            file.write(chunk)
    return path


def _read_tagged(store: RegistryStore, address: str, tag: str) -> bytes:
    there = store.find(tag)
    if there is None:
        raise StoreError(f"{address} has no tag {tag}", next="name the one that your mirror has: oci://…:TAG")
    return store.read(there.digest)


def _suffix(layer: Descriptor) -> str:
    """Return the ending by which programs recognise how a layer is packed."""
    title = layer.annotations.get("org.opencontainers.image.title", "")
    named = re.search(r"\.(tar\.(gz|zst|xz)|tar|db)\Z", title)
    return named[0] if named else ".tar.zst" if layer.media_type.endswith("zstd") else ".tar.gz"


def _require_file(origin: str) -> Path:
    path = Path(origin)
    if not path.is_file():
        raise UsageError(
            f"--from names no file: {origin}",
            why="it does not exist, or is not a plain file",
            next=f"name a file, oci://HOST/REPOSITORY, or '{NOWHERE}'",
        )
    return path.absolute()


@contextmanager
def _lock(cache: Path) -> Iterator[None]:
    """Hold the cache against another update."""
    descriptor = Folder(cache).open_lock(".update.lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Busy(
            f"another update of the database in {cache} is under way", next="wait for it, then retry"
        ) from error
    finally:
        os.close(descriptor)


@contextmanager
def _stage(cache: Path) -> Iterator[Path]:
    """Yield a folder beside the database, on the same file system, that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix=".update-", dir=cache, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
