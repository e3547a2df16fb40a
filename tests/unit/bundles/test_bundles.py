"""Bundles: the same content gives the same bytes; what is hostile is refused, and nothing of it remains."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from autoclave.bundles import tar
from autoclave.cli import screen
from autoclave.cli.commands.import_bundle import Options, run_import
from autoclave.errors import AutoclaveError, BundleError, ConfigError, RecordError, StoreError
from autoclave.evidence import records, trust_export
from autoclave.model.digest import digest_of
from autoclave.store.layout import LayoutStore
from builders import sample_bundle
from builders.sample_bundle import TRUST, Members

HEAD, INDEX = "autoclave/bundle.json", "index.json"


def import_bundle(path: Path, folder: Path, *, trust: bool = True) -> LayoutStore:
    """Import a bundle with the site's own trust."""
    (folder / "trust.toml").write_text(trust_export.text(TRUST), "utf-8")
    named = str(folder / "trust.toml") if trust else ""
    options = Options(file=str(path), into=str(folder / "site"), trust=named)
    run_import(options, screen.choose(as_json=True))
    return LayoutStore(folder / "site" / ".autoclave" / "store", create=False)


def assert_refused(path: Path, folder: Path, says: str, kind: type[AutoclaveError] = BundleError) -> None:
    """Check that a bundle is refused for a reason, and that nothing of it remains."""
    with pytest.raises(kind) as caught:
        import_bundle(path, folder)
    assert says in f"{caught.value.what}: {caught.value.why}"
    left = [each for each in (folder / "site").rglob("*") if each.is_file() and each.name != "lock"]
    assert left == []


def test_what_comes_out_is_what_went_in(tmp_path: Path) -> None:
    store, subject = sample_bundle.make_release(tmp_path)
    bundle = sample_bundle.write(tmp_path / "b.tar", store, subject)
    site = import_bundle(bundle, tmp_path)
    assert records.read_all(site, subject.digest, TRUST) == records.read_all(store, subject.digest, TRUST)
    assert site.find("app") is not None
    again = sample_bundle.write(tmp_path / "again.tar", site, subject)
    assert again.read_bytes() == bundle.read_bytes()
    # Once more into the same place changes nothing.
    assert import_bundle(bundle, tmp_path).tags() == site.tags()


def test_other_tools_read_the_archive(tmp_path: Path) -> None:
    with tarfile.open(sample_bundle.bundle(tmp_path)) as archive:
        found = archive.getmembers()
    assert all(each.isreg() and not each.mtime and each.mode == 0o644 for each in found)
    assert tar.header("a", (1 << 33) + 5)[124:136] == b"\x80\0\0\0\0\0\0\2\0\0\0\5"


def test_without_a_trust_file_the_bundle_vouches_for_itself_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_bundle(sample_bundle.bundle(tmp_path), tmp_path, trust=False)
    output = capsys.readouterr().out
    assert "VOUCHES FOR ITSELF" in output
    assert all(trust_export.fingerprint(key) in output for key in TRUST.keys)


def first_blob(found: Members) -> str:
    return next(name for name in found if name.startswith("blobs/"))


def record_of(found: Members, kind: str) -> tuple[str, bytes]:
    """Return the name and bytes of the envelope of a record."""
    entry = next(
        each
        for each in json.loads(found[INDEX])["manifests"]
        if each.get("annotations", {}).get("in-toto.io/predicate-type", "").endswith(kind)
    )
    manifest = json.loads(found["blobs/sha256/" + entry["digest"][7:]])
    name = "blobs/sha256/" + manifest["layers"][0]["digest"][7:]
    return name, found[name]


def change(name: str, old: bytes, new: bytes) -> Callable[[Members], object]:
    def spoil(found: Members) -> None:
        assert old in found[name]
        found[name] = found[name].replace(old, new)

    return spoil


SPOILT: list[tuple[Callable[[Members], object], str]] = [
    (lambda found: found.pop(HEAD), "does not begin with autoclave/bundle.json"),
    (lambda found: found.update({HEAD: b"{"}), "autoclave/bundle.json: Input data was truncated"),
    (
        lambda found: found.update({HEAD: b"[" * 100_000}),
        "autoclave/bundle.json: Expected `object`, got `array`",
    ),
    (change(HEAD, b"bundle:v1", b"bundle:v9"), "is of the format 'urn:autoclave:bundle:v9'"),
    (change(HEAD, b'"oci-layout"', b'"../../layout"'), "'../../layout' is not a file of a bundle"),
    (change(HEAD, b'"device":"pump"', b'"device":"pomp"'), "of pomp 1"),
    (change(INDEX, b'"app"', b'"ape"'), "index.json is not what autoclave/bundle.json announces"),
    (lambda found: found.pop(first_blob(found)), "which it announces, is not in it"),
    (lambda found: found.pop("autoclave/verify.py"), "autoclave/verify.py, which it announces, is not in it"),
    (lambda found: found.update({"blobs/sha256/" + "0" * 64: b"x"}), "0000' does not belong to it"),
    (lambda found: found.update({"../evil": b"x"}), "'../evil' does not belong to it"),
    (lambda found: found.update({"/etc/evil": b"x"}), "'/etc/evil' does not belong to it"),
    (lambda found: found.update({"C:\\evil": b"x"}), "evil' does not belong to it"),
    (
        lambda found: found.update({INDEX: found.pop(INDEX)}),
        "index.json, which it announces, is not in it where",
    ),
    (change(HEAD, b'"format"', b' "format"'), "autoclave/bundle.json is not as Autoclave writes it"),
    (lambda found: found.update({first_blob(found): b"other"}), "has 5 bytes, and "),
]


@pytest.mark.parametrize(("spoil", "says"), SPOILT, ids=[says for _, says in SPOILT])
def test_a_damaged_bundle_is_refused(tmp_path: Path, spoil: Callable[[Members], object], says: str) -> None:
    assert_refused(sample_bundle.rewrite(sample_bundle.bundle(tmp_path), spoil), tmp_path, says)


def test_content_of_another_digest_is_refused(tmp_path: Path) -> None:
    def flip(found: Members) -> None:
        name = first_blob(found)
        found[name] = bytes([found[name][0] ^ 1]) + found[name][1:]

    assert_refused(
        sample_bundle.rewrite(sample_bundle.bundle(tmp_path), flip), tmp_path, "not what was announced"
    )


ANNOUNCED: list[tuple[Callable[[Members], object], str, type[AutoclaveError]]] = [
    (
        lambda found: found.update({"blobs/sha256/" + digest_of(b"x")[7:]: b"x"}),
        "is not both in the head and signed for",
        BundleError,
    ),
    (
        change(INDEX, b'"app"', b'"ape"'),
        "index.json is not what follows from the signed records",
        BundleError,
    ),
    (
        lambda found: found.update({INDEX: b"{}"}),
        "index.json is not a usable OCI index: an index has schemaVersion 2",
        StoreError,
    ),
    (lambda found: found.update({"oci-layout": b"{}"}), "not an OCI layout of version 1.0.0", BundleError),
    (
        change("autoclave/device.toml", b'"pump"', b'"pomp"'),
        "autoclave/device.toml is not the autoclave.toml of the release",
        BundleError,
    ),
    (
        change("autoclave/policy.json", b"{}", b'{"release":{"clean-tree":false}}'),
        "autoclave/policy.json is not the policy.json of the release",
        BundleError,
    ),
    (
        lambda found: found.update({"autoclave/verify.py": b'print("VERIFIED")'}),
        "autoclave/verify.py is not the verify.py of the release",
        BundleError,
    ),
    (
        change("autoclave/trust.toml", b'"unit-test"', b'"waive"'),
        "key 'steps' may sign 'waive', but belongs to no person",
        ConfigError,
    ),
    (
        change("autoclave/trust.toml", b"[[key]]", b"# hello\n[[key]]"),
        "not as Autoclave writes it",
        BundleError,
    ),
    (
        lambda found: found.update({"autoclave/keys/09-x.pub": b"x"}),
        "'autoclave/keys/09-x.pub' is not a file of a bundle",
        BundleError,
    ),
    (
        lambda found: found.update({"autoclave/evil": b"x"}),
        "'autoclave/evil' is not a file of a bundle",
        BundleError,
    ),
]


@pytest.mark.parametrize(("spoil", "says", "kind"), ANNOUNCED, ids=[says for _, says, _ in ANNOUNCED])
def test_damaged_content_is_refused_even_when_the_head_describes_it(
    tmp_path: Path, spoil: Callable[[Members], object], says: str, kind: type[AutoclaveError]
) -> None:
    assert_refused(
        sample_bundle.rewrite(sample_bundle.bundle(tmp_path), spoil, announce=True), tmp_path, says, kind
    )


def without(kind: str) -> Callable[[Members], object]:
    """Remove a record as an attacker who knows the format would: index and blobs stay consistent."""

    def spoil(found: Members) -> None:
        index = json.loads(found[INDEX])
        marked = [
            each
            for each in index["manifests"]
            if each.get("annotations", {}).get("in-toto.io/predicate-type", "").endswith(kind)
        ]
        index["manifests"] = [each for each in index["manifests"] if each not in marked]
        found[INDEX] = json.dumps(index).encode()
        for each in marked:
            raw = found.pop("blobs/sha256/" + each["digest"][7:])
            found.pop("blobs/sha256/" + json.loads(raw)["layers"][0]["digest"][7:])

    return spoil


def test_a_removed_sealed_record_is_reported_missing(tmp_path: Path) -> None:
    bundle = sample_bundle.rewrite(sample_bundle.bundle(tmp_path), without("provenance/v1"), announce=True)
    assert_refused(bundle, tmp_path, "the sealed provenance record sha256:", RecordError)


def test_a_bundle_that_strangers_signed_is_refused(tmp_path: Path) -> None:
    store, subject = sample_bundle.make_release(tmp_path)
    bundle = sample_bundle.write(tmp_path / "b.tar", store, subject)
    (tmp_path / "trust.toml").write_text(trust_export.text(TRUST).replace('"release"]', '"build"]'), "utf-8")
    options = Options(file=str(bundle), into=str(tmp_path / "site"), trust=str(tmp_path / "trust.toml"))
    with pytest.raises(RecordError, match="do not verify"):
        run_import(options, screen.choose(as_json=True))


def hand_made(fill: Callable[[tarfile.TarFile], object], path: Path) -> Path:
    """Append to the members of a bundle what only a hand writes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as new:
        fill(new)
    path.write_bytes(path.read_bytes()[:-1024] + buffer.getvalue())
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> Callable[[tarfile.TarFile], object]:
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return lambda archive: archive.addfile(info)


HOSTILE: list[tuple[Callable[[tarfile.TarFile], object], str]] = [
    (entry("link", tarfile.SYMTYPE, linkname="/etc/passwd"), "'link' is not a plain file"),
    (entry("link", tarfile.SYMTYPE, linkname="oci-layout"), "'link' is not a plain file"),
    (entry("link", tarfile.LNKTYPE, linkname="oci-layout"), "'link' is not a plain file"),
    (entry("dev", tarfile.CHRTYPE), "'dev' is not a plain file"),
    (entry("pipe", tarfile.FIFOTYPE), "'pipe' is not a plain file"),
    (entry("folder", tarfile.DIRTYPE), "'folder/' is not a plain file"),
    (entry("sparse", tarfile.GNUTYPE_SPARSE), "'sparse' is not a plain file"),
    (entry("old", tarfile.AREGTYPE), "'old' is not a plain file"),
    (entry("x", mode=0o755), "'x' is not a plain file"),
    (entry("x", mtime=1), "'x' is not a plain file"),
    (entry("x", uname="root"), "'x' is not a plain file"),
    (entry("oci-layout"), "'oci-layout' is not a plain file"),
    (entry("./oci-layout"), "'./oci-layout' is not a plain file"),
    (entry("x", pax_headers={"GNU.sparse.major": "1"}), "PaxHeader' is not a plain file"),
    (entry("x", pax_headers={"comment": "x" * 100_000}), "PaxHeader' is not a plain file"),
    (entry("x", pax_headers={"path": "../x"}), "PaxHeader' is not a plain file"),
]


@pytest.mark.parametrize(
    ("fill", "says"), HOSTILE, ids=[f"{n} {says}" for n, (_, says) in enumerate(HOSTILE)]
)
def test_a_hostile_member_is_refused(
    tmp_path: Path, fill: Callable[[tarfile.TarFile], object], says: str
) -> None:
    assert_refused(hand_made(fill, sample_bundle.bundle(tmp_path)), tmp_path, says)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("oci-layout", "'oci-layout' comes twice"),
        ("./oci-layout", "'./oci-layout' does not belong to it"),
        ("autoclave/bundle.json", "'autoclave/bundle.json' does not belong to it"),
    ],
)
def test_a_member_more_is_refused(tmp_path: Path, name: str, says: str) -> None:
    bundle = sample_bundle.bundle(tmp_path)
    bundle.write_bytes(bundle.read_bytes()[:-1024] + tar.header(name, 0) + bytes(1024))
    assert_refused(bundle, tmp_path, says)


def test_every_cut_off_bundle_is_refused(tmp_path: Path) -> None:
    bundle = sample_bundle.bundle(tmp_path)
    whole = bundle.read_bytes()
    for size in range(0, len(whole) - 1024, 1511):
        bundle.write_bytes(whole[:size])
        assert_refused(bundle, tmp_path, "the archive is refused: it is truncated")
    for more in (b"x", bytes(512), b"\0", whole):
        bundle.write_bytes(whole + more)
        assert_refused(bundle, tmp_path, "data after its end")
    bundle.write_bytes(gzip.compress(whole))
    assert_refused(bundle, tmp_path, "is not a plain file as a bundle has them")


def test_a_bundle_announcing_more_than_the_disk_holds_is_refused_before_a_byte_is_written(
    tmp_path: Path,
) -> None:
    def announce(found: Members) -> None:
        head = json.loads(found[HEAD])
        head["blobs"]["sha256:" + "0" * 64] = 1 << 49
        found[HEAD] = json.dumps(head, sort_keys=True, separators=(",", ":")).encode()

    assert_refused(
        sample_bundle.rewrite(sample_bundle.bundle(tmp_path), announce),
        tmp_path,
        "not enough space for the bundle",
    )


def test_an_import_writes_no_device_file(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "autoclave.toml").write_text("# mine\n")
    import_bundle(sample_bundle.bundle(tmp_path), tmp_path)
    assert (tmp_path / "site" / "autoclave.toml").read_text() == "# mine\n"
