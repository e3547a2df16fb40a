"""The files that an image shows: layers over each other, and which user a name is in them."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from autoclave.errors import StoreError
from autoclave.harness.differences import compare_files, compare_variables
from autoclave.model.digest import digest_of
from autoclave.store.archive import file_tar, layers
from autoclave.store.archive import overlay as overlay_module
from autoclave.store.archive.layers import read_file, read_files, read_layer
from autoclave.store.archive.overlay import Entry, Files, overlay
from autoclave.store.archive.read import read_archive
from autoclave.store.layout import LayoutStore
from autoclave.store.users import resolve_user


def layer(*members: tuple[str, Any], **more: Any) -> bytes:
    """A layer's archive: bytes are files, text is a link, None a folder, other values a whole header."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in members:
            info, body = tarfile.TarInfo(name), b""
            info.mode = 0o644
            match content:
                case bytes():
                    info.size, body = len(content), content
                case str():
                    info.type, info.linkname = tarfile.SYMTYPE, content
                case None:
                    info.type, info.mode = tarfile.DIRTYPE, 0o755
                case dict():
                    body = content.get("body", b"")
                    info.size = len(body)
                    for key, value in content.items():
                        if key != "body":
                            setattr(info, key, value)
            tar.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def shown(*layers: bytes) -> Files:
    return overlay(read_layer([each])[1] for each in layers)


BASE = layer(("app", None), ("app/main.py", b"v1"), ("app/lib", "../usr/lib"), ("etc", None), ("etc/x", b"x"))


@pytest.mark.parametrize(
    ("upper", "says"),
    [
        (layer(("app/main.py", b"v2")), "/app/main.py has other content"),
        (layer(("app/.wh.main.py", b"")), "/app/main.py is removed"),
        (layer((".wh.app", b"")), "/app is removed"),
        (layer(("app/.wh..wh..opq", b"")), "/app/lib is removed"),
        (layer(("app", "etc")), "/app is a link instead of a folder"),
        (layer(("app", b"")), "/app is a file instead of a folder"),
        (layer(("app/main.py", None)), "/app/main.py is a folder instead of a file"),
        (layer(("app/main.py/x", b"")), "/app/main.py is a folder instead of a file"),
        (layer(("app/lib", "../etc")), "/app/lib leads elsewhere"),
        (
            layer(("app/main.py", {"body": b"v1", "mode": 0o4755})),
            "/app/main.py has the mode 4755 instead of",
        ),
        (layer(("app/main.py", {"body": b"v1", "mode": 0o644, "uid": 7})), "belongs to 7:0 instead of 0:0"),
        (layer(("app", {"type": tarfile.DIRTYPE, "mode": 0o777})), "/app has the mode 777 instead of 755"),
        (layer(("./app//main.py", b"v2")), "/app/main.py has other content"),
        (
            layer(("other", b"v2"), ("app/main.py", {"type": tarfile.LNKTYPE, "linkname": "other"})),
            "other content",
        ),
        (
            layer(("app/main.py", {"body": b"v1", "mode": 0o644, "pax_headers": {"SCHILY.xattr.a": "b"}})),
            "/app/main.py has other extended attributes",
        ),
        (layer(("etc/ld.so.preload", b"/x.so")), "/etc/ld.so.preload is added"),
        (layer(("etc/ld-musl-x86_64.path", b"/x")), "/etc/ld-musl-x86_64.path is added"),
    ],
)
def test_what_a_stage_changes_is_named(upper: bytes, says: str) -> None:
    assert any(says in each for each in compare_files(shown(BASE), shown(BASE, upper)))


@pytest.mark.parametrize(
    "upper",
    [
        layer(("tests", None), ("tests/check.py", b"t"), ("app/more.py", b"new")),
        layer(("app/main.py", b"v1")),  # the same bytes again
        layer(("app", None)),
        layer(("app/.wh.more.py", b"")),
        layer(("var/lib/dpkg/status", b"more")),
        layer(("etc/ld.so.cache", b"")),
        layer(("etc/ld-musl-x/y.path", b"")),
    ],
)
def test_what_a_stage_adds_is_no_difference(upper: bytes) -> None:
    base = layer(("var/lib/dpkg/status", b"few"))
    assert compare_files(shown(BASE, base), shown(BASE, base, upper)) == ()


def test_what_is_put_back_is_no_difference() -> None:
    removed, again = (
        layer((".wh.app", b"")),
        layer(("app", None), ("app/main.py", b"v1"), ("app/lib", "../usr/lib")),
    )
    assert compare_files(shown(BASE), shown(BASE, removed, again)) == ()


def test_many_differences_are_counted() -> None:
    base = layer(*((f"f{number}", b"1") for number in range(80)))
    found = compare_files(shown(base), shown(base, layer(*((f"f{number}", b"2") for number in range(80)))))
    assert len(found) == 51
    assert found[-1] == "30 more paths"


def test_variables_that_load_other_code_are_differences() -> None:
    released = {"PATH": "/bin", "LANG": "C"}
    assert compare_variables(released, {**released, "CI": "1"}) == ()
    assert compare_variables(released, {"PATH": "/x:/bin"}) == (
        "the variable LANG has another value",
        "the variable PATH has another value",
    )
    for name in ("LD_PRELOAD", "LD_BIND_NOW", "GLIBC_TUNABLES", "OPENSSL_CONF", "OPENSSL_MODULES"):
        (reason,) = compare_variables(released, {**released, name: "/x"})
        assert f"{name} is added" in reason


def test_a_damaged_layer_is_refused() -> None:
    spoiled = bytearray(layer(("a", b"1"), ("b", b"2")))
    spoiled[1024] ^= 1
    with pytest.raises(StoreError, match="cannot be read"):
        read_layer([bytes(spoiled)])
    with pytest.raises(StoreError, match="cannot be read"):
        read_layer([layer(("a", b"1")) + layer(("b", b"2"))])
    with pytest.raises(StoreError, match="cannot be read") as caught:
        read_layer([layer(("../a", b"1"))])
    assert "names '../a'" in caught.value.why


def refuse(raw: bytes) -> str:
    with pytest.raises(StoreError, match="a layer of the image cannot be read") as caught:
        read_layer(iter([raw]))
    return caught.value.why


@pytest.mark.parametrize("fields", [
    {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 60)},
    {"GNU.sparse.map": "0,1,9,1", "GNU.sparse.size": str(1 << 60)},
    {"GNU.sparse.size": str(1 << 60), "GNU.sparse.numblocks": "1"},
])  # fmt: skip
def test_a_sparse_file_is_refused(fields: dict[str, str]) -> None:
    assert "a sparse file" in refuse(layer(("a", {"body": bytes(512), "pax_headers": fields})))


def test_an_old_sparse_file_is_refused() -> None:
    raw = layer(("a", {"type": tarfile.GNUTYPE_SPARSE}))
    assert "a sparse file" in refuse(raw)
    with pytest.raises(StoreError, match="a layer of the image cannot be read"):
        read_file([raw], "sha256:none", limit=100)


def test_what_a_layer_takes_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "4,099 characters" in refuse(layer(("a/" * 2050, b"")))
    assert "an extended header" in refuse(layer(("a", {"pax_headers": {"SCHILY.xattr.a": "x" * (1 << 20)}})))
    chained = layer(("a", {"type": tarfile.XHDTYPE, "size": 0}))[:512] * 2000
    assert "recursion" in refuse(chained)
    monkeypatch.setattr(file_tar, "_LARGEST", 100_000)
    assert "more than 100,000 bytes" in refuse(gzip.compress(layer(("a", bytes(200_000)))))
    with monkeypatch.context() as patch:
        patch.setattr(layers, "_LARGEST_TEXT", 10)
        assert "more than 10 characters" in refuse(layer(("a" * 6, b""), ("b" * 6, b"")))
    monkeypatch.setattr(overlay_module, "_LARGEST", 100)
    with pytest.raises(StoreError) as caught:
        shown(layer(("a/a/a/a/a/a/a/a", b"")), layer(("b/b/b/b/b/b/b/b", b"")))
    assert "more than 100 characters" in caught.value.why


def test_a_layer_has_at_most_so_many_members() -> None:
    raw = layer(("a", b""), ("b", b""), ("c", b""))
    assert len(list(file_tar.Members([raw], most=3))) == 3
    with pytest.raises(file_tar.DamagedTar, match="more than 2 members"):
        list(file_tar.Members([raw], most=2))


def test_an_archives_documents_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_LARGEST_DOCUMENTS", 150_000)
    body = b"{" + b" " * 100_000
    with pytest.raises(StoreError, match="refused") as caught:
        read_files([layer(("a.json", body), ("b.json", body))], "sha256:" + "0" * 64, below=1)
    assert "more than 150,000 bytes" in caught.value.why


def test_whiteouts_take_as_long_as_what_they_remove() -> None:
    names = [f"d{number}/f{number}" for number in range(5000)]
    below = [(each, Entry("file")) for each in names]
    removed = [(each.replace("/", "/.wh."), None) for each in names]
    began = time.process_time()
    left = overlay([below, removed, below, [(f".wh.d{number}", None) for number in range(4999)]])
    assert time.process_time() - began < 1
    assert set(left) == {"d4999", "d4999/f4999"}


def test_an_opaque_root_keeps_itself() -> None:
    assert set(shown(layer((".", None), ("a/b", b"1")), layer((".wh..wh..opq", b"")))) == {""}


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_packed_layer_is_read_in_pieces_of_any_size(size: int) -> None:
    raw = layer(("a", b"1" * 1000), ("b", b"2"))
    packed = gzip.compress(raw[:700]) + gzip.compress(b"") * 200 + gzip.compress(raw[700:])
    pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
    digest, found = read_layer([b"", *pieces, b""])
    assert digest == digest_of(raw)
    assert [name for name, _ in found] == ["a", "b"]
    assert read_file(pieces, digest_of(b"2"), limit=10) == b"2"
    with pytest.raises(StoreError, match="cannot be read"):
        read_layer([packed[:-30]])


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_an_archive_is_read_in_one_pass(compress: Any) -> None:
    layers = [layer(("app", b"1" * 200_000)), layer(("app", b"2"))]
    config = json.dumps(
        {"rootfs": {"type": "layers", "diff_ids": [digest_of(each) for each in layers]}}
    ).encode()
    blobs = [compress(each) for each in layers]
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": {"mediaType": "c", "digest": digest_of(config), "size": len(config)},
            "layers": [{"mediaType": "l", "digest": digest_of(each), "size": len(each)} for each in blobs],
        }
    ).encode()
    files = [
        ("config.json", config),
        ("manifest", manifest),
        *((f"{n}/layer.tar", b) for n, b in enumerate(blobs)),
    ]
    below, all_of_it = read_files([layer(*files)], digest_of(manifest), below=1)
    assert below["app"].content == digest_of(b"1" * 200_000)
    assert all_of_it["app"].content == digest_of(b"2")


PASSWD = b"root:x:0:0::/:/bin/sh\nservice:x:0:0::/:\napp:x:10001:0::/:\nservice:x:5:5\nodd:x:zero:0\nshort\n"


@pytest.mark.parametrize(
    ("user", "uid"),
    [
        ("", 0),
        ("root", 0),
        ("service", 0),  # the first entry counts
        ("service:app", 0),
        ("app", 10001),
        ("app:0", 10001),
        ("10001", 10001),
        ("00", 0),
        ("+0", 0),
        ("0:0", 0),
        ("odd", 0),  # an engine takes a number that is none for 0
        ("short", 0),
        ("0x0", None),
        (" 0", None),
        ("4294967296", None),
        ("-1", None),
        ("nobody", None),
        ("9" * 5000, None),
    ],
)
def test_a_user_is_looked_up_in_the_image(tmp_path: Path, user: str, uid: int | None) -> None:
    store = LayoutStore(tmp_path / "store")
    assert resolve_user(store, image(store, user, layer(("etc/passwd", PASSWD)))) == uid


@pytest.mark.parametrize(
    ("layers", "uid"),
    [
        ([layer(("etc/passwd", b"app:x:7:7\n"))], 7),
        ([layer(("etc/passwd", b"app:x:7:7\n")), layer(("etc/passwd", b"app:x:0:0\n"))], 0),
        ([layer(("etc/passwd", b"app:x:7:7\n")), layer(("etc/.wh.passwd", b""))], None),
        ([layer(("etc/passwd", "/srv/users")), layer(("srv/users", b"app:x:0:0\n"))], 0),
        ([layer(("etc", "usr/etc"), ("usr/etc/passwd", "../users"), ("usr/users", b"app:x:0:0\n"))], 0),
        ([layer(("etc/passwd", "../../../../srv/users"), ("srv/users", b"app:x:0:0\n"))], 0),
        ([layer(("etc/passwd", "passwd"))], None),
        ([layer(("etc/passwd", b"xapp:x:0:0\x0bapp:x:0:0\x1capp:x:0:0\n  app:x:8:8\n"))], 8),
    ],
)
def test_the_file_that_the_container_sees_counts(
    tmp_path: Path, layers: list[bytes], uid: int | None
) -> None:
    store = LayoutStore(tmp_path / "store")
    assert resolve_user(store, image(store, "app", *layers)) == uid


def image(store: LayoutStore, user: str, *layers: bytes) -> str:
    config = json.dumps(
        {
            "config": {"User": user},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(each) for each in layers]},
        }
    ).encode()
    files = [("config.json", config), *((f"{number}/layer.tar", each) for number, each in enumerate(layers))]
    return read_archive([layer(*files)], store, image_id=digest_of(config)).digest
