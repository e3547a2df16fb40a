"""The tar reader: whatever Python's tarfile writes is read alike; what no engine writes is refused."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoclave.errors import StoreError
from autoclave.store.archive.tar_stream import Kind, members

NAMES = st.from_regex(r"[a-z]{1,90}(/[a-zé]{1,90}){0,3}", fullmatch=True)


def tar(fill: Callable[[tarfile.TarFile], object], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        fill(archive)
    return buffer.getvalue()


def add(archive: tarfile.TarFile, name: str, content: bytes = b"", **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    archive.addfile(info, io.BytesIO(content))
    return info


def read(chunks: Iterable[bytes]) -> list[tuple[str, Kind, bytes]]:
    return [(member.name, member.kind, b"".join(content)) for member, content in members(chunks)]


def cut(raw: bytes, size: int) -> Iterator[bytes]:
    return (raw[start : start + size] for start in range(0, len(raw), size))


@given(
    files=st.dictionaries(NAMES, st.binary(max_size=1500), max_size=5),
    size=st.integers(1, 2000),
    form=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_members_are_read_however_the_stream_is_cut(files: dict[str, bytes], size: int, form: int) -> None:
    raw = tar(lambda archive: [add(archive, name, content) for name, content in files.items()], form)
    assert read(cut(raw, size)) == [(name, Kind.FILE, content) for name, content in files.items()]


def test_folders_links_and_extended_headers_as_engines_write_them() -> None:
    def fill(archive: tarfile.TarFile) -> None:
        add(archive, "one/", type=tarfile.DIRTYPE)
        add(archive, "./one/layer.tar", b"x", mtime=1.5, pax_headers={"SCHILY.xattr.user.a": "b"})
        add(archive, "two/layer.tar", type=tarfile.SYMTYPE, linkname="../one/layer.tar")
        add(archive, "three", type=tarfile.LNKTYPE, linkname="one/layer.tar")

    assert read([tar(fill)]) == [
        ("one", Kind.FOLDER, b""),
        ("one/layer.tar", Kind.FILE, b"x"),
        ("two/layer.tar", Kind.LINK, b""),
        ("three", Kind.LINK, b""),
    ]


def test_content_that_is_not_consumed_is_skipped() -> None:
    raw = tar(lambda archive: [add(archive, name, b"x" * 1000) for name in "abc"])
    assert [member.name for member, _ in members(cut(raw, 700))] == ["a", "b", "c"]


def test_sizes_above_eight_gibibytes_are_understood() -> None:
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        info = tarfile.TarInfo("layer")
        info.size = 9 * 1024**3
        member, _ = next(iter(members([info.tobuf(form)])))
        assert member.size == 9 * 1024**3


def test_memory_stays_flat() -> None:
    header = tarfile.TarInfo("layer")
    header.size = 64 * 1024 * 1024
    stream = [header.tobuf(), *[bytes(1024 * 1024)] * 64, bytes(1024)]
    tracemalloc.start()
    try:
        for _, content in members(stream):
            assert sum(map(len, content)) == header.size
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()


HOSTILE: dict[str, Callable[[tarfile.TarFile], object]] = {
    "absolute name": lambda archive: add(archive, "/etc/passwd"),
    "name that leaves": lambda archive: add(archive, "a/../../b"),
    "parent": lambda archive: add(archive, ".."),
    "link that leaves": lambda archive: add(archive, "a", type=tarfile.SYMTYPE, linkname="../b"),
    "absolute link": lambda archive: add(archive, "a/b", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "hard link that leaves": lambda archive: add(archive, "a/b", type=tarfile.LNKTYPE, linkname="../c"),
    "device": lambda archive: add(archive, "sda", type=tarfile.BLKTYPE),
    "terminal": lambda archive: add(archive, "tty", type=tarfile.CHRTYPE),
    "pipe": lambda archive: add(archive, "pipe", type=tarfile.FIFOTYPE),
    "sparse": lambda archive: add(archive, "sparse", type=tarfile.GNUTYPE_SPARSE),
    "pax sparse": lambda archive: add(archive, "s", b"x", pax_headers={"GNU.sparse.major": "1"}),
    "twice": lambda archive: (add(archive, "a", b"1"), add(archive, "./a", b"2")),
    "huge extended header": lambda archive: add(archive, "a", pax_headers={"comment": "x" * 70_000}),
    "size that is none": lambda archive: add(archive, "a", pax_headers={"size": "-5"}),
    "size in words": lambda archive: add(archive, "a", pax_headers={"size": "\N{SUPERSCRIPT TWO}"}),
    "too many": lambda archive: [add(archive, f"{number}") for number in range(4097)],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_archives_are_refused(case: str) -> None:
    with pytest.raises(StoreError, match="archive is refused"):
        read([tar(HOSTILE[case])])


def two_files() -> bytes:
    return tar(lambda archive: (add(archive, "a", b"1" * 700), add(archive, "b", b"2" * 700)))


@pytest.mark.parametrize("length", [0, 1, 511, 512, 700, 1536, 1537, 2048, 3072])
def test_truncated_archives_are_refused(length: int) -> None:
    with pytest.raises(StoreError, match="archive is refused") as caught:
        read([two_files()[:length]])
    assert "truncated" in caught.value.why


def test_one_zero_block_ends_an_archive_but_nothing_may_follow() -> None:
    raw = two_files()
    assert len(read([raw[: 3072 + 512]])) == 2
    with pytest.raises(StoreError) as caught:
        read([raw, raw])
    assert "after its end" in caught.value.why


@given(position=st.integers(0, 511), value=st.integers(1, 255))
def test_a_damaged_header_is_never_taken_for_the_end(position: int, value: int) -> None:
    raw = bytearray(two_files())
    raw[1536 + position] ^= value
    # A header without a size still sums up: only a change that keeps the sum could pass, and none here does.
    with pytest.raises(StoreError, match="archive is refused"):
        read([bytes(raw)])


@given(raw=st.binary(max_size=1200))
def test_random_bytes_are_refused(raw: bytes) -> None:
    if any(raw[:512]):
        with pytest.raises(StoreError):
            read([raw])
