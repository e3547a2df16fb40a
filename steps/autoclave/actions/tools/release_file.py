"""A tool out of the file that its vendor published: fetched, compared with the pinned digest, unpacked."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from autoclave.actions.tools.sources import Exchanged, Unavailable
from autoclave.store.archive.file_tar import DamagedTar, Members, decompress
from autoclave.store.registry.http import Broken, Wire
from autoclave.store.registry.redirects import open_address
from autoclave.tools import File, Release

_LARGEST = 512 << 20  # bytes of a file, and of the program in it
_CHUNK = 1 << 20
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def find_platform() -> str:
    """Return this machine's platform as the vendors name it, `linux-amd64`."""
    machine = platform.machine().lower()
    return f"{sys.platform}-{_MACHINES.get(machine, machine)}"


def get(release: Release, mirror: str, path: Path, note: Callable[[str], None]) -> str:
    """Write the program of a release to a path, and return where it came from.

    `mirror` is a folder or an address with the vendor's files under their own names: the digest is the same.
    Raises Unavailable, and Exchanged when the file has another digest.
    """
    where = find_platform()
    file = release.files.get(where)
    if file is None:
        raise Unavailable(f"there is none for {where}")
    address = find_address(file, mirror)
    note(f"fetching {address}")
    packed = path.with_name("release")
    with packed.open("xb") as out:
        digest = _copy(_open(address), out.write)
    if digest != file.sha256:
        raise Exchanged(
            f"{address} is not the file that is pinned",
            why=f"its SHA-256 is {digest}, and it must be {file.sha256}",
            next="do not use it; fetch it from another network, and report it if it is the same there",
        )
    member = release.member.replace("PLATFORM", where)
    unpack(packed, member, path) if member else packed.rename(path)
    packed.unlink(missing_ok=True)
    return f"release file {address}"


def find_address(file: File, mirror: str) -> str:
    """Return where a file is got: at its vendor's, or under the same name at a mirror."""
    return f"{mirror.rstrip('/')}/{file.url.rpartition('/')[2]}" if mirror else file.url


def unpack(packed: Path, member: str, path: Path) -> None:
    """Write one file of an archive to a path. Raises Unavailable when it is not there, or damaged."""
    with packed.open("rb") as file:
        try:
            for found, content in Members(decompress(iter(lambda: file.read(_CHUNK), b""))):
                if found.name.removeprefix("./") == member and found.isreg():
                    with path.open("xb") as out:
                        _copy(content, out.write)
                    return
        except DamagedTar as error:
            raise Unavailable("the archive cannot be read", why=str(error)) from error
    raise Unavailable(f"the archive has no file {member}")


def _copy(chunks: Iterable[bytes], write: Callable[[bytes], object]) -> str:
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        if size > _LARGEST:
            raise Unavailable(f"the file is larger than {_LARGEST >> 20} MiB")
        digest.update(chunk)
        write(chunk)
    return digest.hexdigest()


def _open(address: str) -> Iterator[bytes]:
    """Yield what is at an address, or in a file. Raises Unavailable."""
    if "://" not in address:
        try:
            with Path(address).open("rb") as file:
                yield from iter(lambda: file.read(_CHUNK), b"")
        except OSError as error:
            raise Unavailable(f"{address} cannot be read", why=error.strerror or str(error)) from error
        return
    with _translate_errors(address):
        answer = open_address(Wire(None), address)
        if answer.status != 200:
            answer.close()
            raise Unavailable(f"{address} cannot be fetched", why=f"the server answers {answer.status}")
        yield from answer.chunks()


@contextmanager
def _translate_errors(address: str) -> Iterator[None]:
    try:
        yield
    except Broken as error:
        raise Unavailable(f"{address} cannot be fetched", why=error.why) from error
