"""Two verifiers, one verdict: no byte of a bundle can be another, whichever of the two looks at it.

Each mutant is made by rule from a real small bundle, and given to `autoclave import` and to `verify.py`, both
in this process. Edits of a blob are those of somebody who knows the format: every digest that depends on them
is corrected, up to the head.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib.util
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from msgspec import structs
from securesystemslib.signer import CryptoSigner

from autoclave.bundles import contents, write
from autoclave.cli import screen
from autoclave.cli.commands.import_bundle import Options, run_import
from autoclave.errors import AutoclaveError
from autoclave.evidence import trust_export
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.signers import keys as key_kinds
from builders import sample_bundle
from builders.sample_bundle import Members
from builders.sample_facts import APPROVALS

HEAD, INDEX, TRUST = "autoclave/bundle.json", "index.json", "autoclave/trust.toml"
HARMLESS = {"org.opencontainers.image.created", "keyid"}
"""What nobody signs or reads: of the newest seal alone, for a seal names all others by their digests."""

PERSON = CryptoSigner.generate_ecdsa()

Mutant = tuple[str, bytes]


class Verifiers:
    """A bundle of a release, and both verifiers, with the site's trust."""

    def __init__(self, bundle: Path, trust: Trust, share: float = 1.0) -> None:
        self.folder, self.bundle, self.share = bundle.parent, bundle, share
        self.whole, self.members = bundle.read_bytes(), sample_bundle.members(bundle)
        self.trust = self.folder / "trust.toml"
        self.trust.write_text(trust_export.text(trust), "utf-8")
        self.script = _load(self.folder / "verify.py")

    def judge(self, raw: bytes, *, own: bool = False) -> tuple[bool, bool]:
        """Return whether `import` accepts a bundle, and whether `verify.py` does."""
        self.bundle.write_bytes(raw)
        trust = "" if own else str(self.trust)
        return self._imports(trust), not self.script.check(str(self.bundle), trust, self.folder)

    def _imports(self, trust: str) -> bool:
        number = len(list(self.folder.glob("site-*")))
        options = Options(file=str(self.bundle), into=str(self.folder / f"site-{number}"), trust=trust)
        try:
            run_import(options, screen.choose(as_json=True))
        except AutoclaveError:
            return False
        return True


def _load(path: Path) -> Any:
    """Return the packaged verifier as a module; it remembers what openssl said of the same bytes."""
    path.write_bytes(write.verifier())
    spec = importlib.util.spec_from_file_location("bundle_verifier", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    real, known = module.openssl, {}

    def openssl(*words: object) -> tuple[bool, str]:
        parts = [each.read_bytes() if isinstance(each, Path) else str(each) for each in words]
        parts += [Path(str(each)).read_bytes() for each in words if str(each).startswith(str(path.parent))]
        key = hashlib.sha256(repr(parts).encode()).digest()
        if key not in known:
            known[key] = real(*words)
        return known[key]  # type: ignore[no-any-return]

    module.openssl = openssl
    return module


def signer(private: Any) -> CryptoSigner:
    """Return the signer of a private key."""
    return CryptoSigner(private, key_kinds.accept(private.public_key(), "the key"))


KINDS: dict[str, tuple[Callable[[], CryptoSigner], float]] = {
    "P-256": (lambda: signer(ec.generate_private_key(ec.SECP256R1())), 1.0),
    "P-384": (lambda: signer(ec.generate_private_key(ec.SECP384R1())), 0.2),
    "P-521": (lambda: signer(ec.generate_private_key(ec.SECP521R1())), 0.2),
    "Ed25519": (CryptoSigner.generate_ed25519, 0.6),
    "RSA-3072": (lambda: signer(rsa.generate_private_key(65537, 3072)), 0.6),
}
"""Every kind of key that signs, and which share of the mutants is tried with it."""


@pytest.fixture(scope="module", params=KINDS)
def verifiers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Verifiers:
    """Both verifiers and a bundle whose signatures are of one kind."""
    make, share = KINDS[request.param]
    folder, keys = tmp_path_factory.mktemp(request.param), (make(), make())
    store, subject = sample_bundle.make_release(folder, *keys)
    sample_bundle.seal_records(store, subject, 2, *keys)
    trust = sample_bundle.trust_of(*keys)
    return Verifiers(sample_bundle.write(folder / "bundle.tar", store, subject, trust), trust, share)


def test_both_accept_the_bundle_itself(verifiers: Verifiers) -> None:
    assert sample_bundle.pack(verifiers.members) == verifiers.whole
    assert verifiers.judge(verifiers.whole) == (True, True)
    assert verifiers.judge(verifiers.whole, own=True) == (True, True)


def test_no_byte_of_the_archive_can_be_another(verifiers: Verifiers) -> None:
    assert_refused(verifiers, archives(verifiers.whole), sample=45)


def test_no_member_can_be_missing_added_renamed_or_moved(verifiers: Verifiers) -> None:
    assert_refused(verifiers, moved(verifiers.members), sample=60)


def test_no_content_can_be_exchanged_by_somebody_who_corrects_every_digest(verifiers: Verifiers) -> None:
    assert_refused(verifiers, edited(verifiers.members), sample=170)


def test_no_signature_can_be_exchanged_added_or_spelled_otherwise(verifiers: Verifiers) -> None:
    assert_refused(verifiers, resigned(verifiers.members), sample=60)


def test_no_byte_follows_a_signature(verifiers: Verifiers) -> None:
    for label, raw in resigned(verifiers.members):
        if label.endswith("signature longer"):
            assert verifiers.judge(raw) == (False, False), label


@pytest.mark.parametrize("kind", KINDS)
def test_standalone_verifier_takes_a_signature_of_its_very_length(tmp_path: Path, kind: str) -> None:
    script = _load(tmp_path / "verify.py")

    def put(name: str, raw: bytes) -> Path:
        (tmp_path / name).write_bytes(raw)
        return tmp_path / name

    signs = KINDS[kind][0]()
    public = trust_export.pem(TrustedKey(name="steps", key=signs.public_key, may=("build",)))
    key = script.Key({"name": "steps", "public": public, "may": ["build"]}, put)
    for number in range(12):  # a DER signature of the greatest length is one of two
        message = b"%d" % number
        raw = bytes.fromhex(signs.sign(message).signature)
        assert key.signs(message, raw)
        for other in (raw + b"\0", raw + raw, raw[:-1], raw[:1], b""):
            assert not key.signs(message, other)


def test_no_key_of_the_bundles_own_trust_can_be_exchanged(verifiers: Verifiers) -> None:
    for label, raw in trusts(verifiers.members[TRUST].decode()):
        mutant = sample_bundle.pack(sample_bundle.fit({**verifiers.members, TRUST: raw}))
        assert verifiers.judge(mutant, own=True) == (False, False), label
        assert verifiers.judge(mutant) == (False, False), label


@pytest.mark.parametrize(
    ("limit", "place", "counts"),
    [
        ("engine tcp://lab-1:2376", "engine tcp://lab-1:2376", True),
        ("engine tcp://lab-*:2376", "engine tcp://lab-1:2376", True),
        ("local", "engine unix:///var/run/docker.sock", True),
        ("engine tcp://lab-1:2376", "engine tcp://clinic:2376", False),
        ("engine tcp://lab-*", "engine tcp://lab-1:2376", False),
        ("engine tcp://lab-*:2376", "engine tcp://lab-1@clinic:2376", False),
        ("local", "engine tcp://clinic:2376", False),
        ("local", "", False),
    ],
)
@pytest.mark.parametrize("kind", ["deployment", "approval"])
def test_key_limited_to_another_place_signs_nothing_about_this_one(
    tmp_path: Path, kind: str, limit: str, place: str, counts: bool
) -> None:
    person = TrustedKey(name="ada", key=PERSON.public_key, may=("approve",), person=APPROVALS[0].person)
    trust = Trust((*sample_bundle.TRUST.keys, person), "trust.toml")
    store, subject = sample_bundle.make_release(tmp_path)
    if kind == "deployment":
        sample_bundle.attach_deployment(store, subject, place)
    else:
        sample_bundle.attach_approval(store, subject, place, PERSON)
    sample_bundle.seal_records(store, subject, 2, trust=trust)
    bundle = sample_bundle.write(tmp_path / "bundle.tar", store, subject, trust)
    limited = {"deployment": "steps", "approval": "ada"}[kind]
    keys = [structs.replace(key, places=(limit,)) if key.name == limited else key for key in trust.keys]
    assert Verifiers(bundle, trust).judge(bundle.read_bytes()) == (True, True)
    narrow = Trust(tuple(keys), "trust.toml")
    assert Verifiers(bundle, narrow).judge(bundle.read_bytes()) == (counts, counts)


def assert_refused(verifiers: Verifiers, mutants: Iterator[Mutant], *, sample: int) -> None:
    """Check that both verifiers refuse mutants, a sample of those that the rule makes, always the same."""
    every = list(mutants)
    chosen = random.Random(1).sample(every, min(int(sample * verifiers.share), len(every)))
    for label, raw in chosen:
        if raw == verifiers.whole:
            continue
        verdict = verifiers.judge(raw)
        harmless = any(label.endswith(each) for each in HARMLESS)
        assert verdict in ({(False, False), (True, True)} if harmless else {(False, False)}), label


def archives(whole: bytes) -> Iterator[Mutant]:
    """Yield archives with other bytes, without looking into them."""
    choice = random.Random(2)
    for _ in range(40):
        at, bit = choice.randrange(len(whole)), 1 << choice.randrange(8)
        yield f"bit {bit} of byte {at}", whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :]
    for size in (0, 1, 511, 512, 1024, len(whole) // 2, len(whole) - 1024, len(whole) - 512, len(whole) - 1):
        yield f"cut off at {size}", whole[:size]
    for more in (b"x", b"\0", bytes(512), bytes(10240), whole, b"x" * 512):
        yield f"{len(more)} bytes more", whole + more
    at = choice.randrange(len(whole) // 512) * 512
    yield "a block twice", whole[:at] + whole[at : at + 512] + whole[at:]
    yield "a block less", whole[:at] + whole[at + 512 :]
    yield "compressed", gzip.compress(whole)
    yield "an end in the middle", whole[:-1024] + bytes(512) + whole[-1024:]


def moved(members: Members) -> Iterator[Mutant]:
    """Yield archives with a member less, more or moved; with the head as it was, and corrected."""
    names = [each for each in members if each != HEAD]
    for name in names:
        rest = {each: raw for each, raw in members.items() if each != name}
        changed: list[tuple[str, Members]] = [
            ("without", rest),
            ("renamed", {**rest, name + "x": members[name]}),
            ("upper case", {**rest, name.upper(): members[name]}),
            ("last", {**rest, name: members[name]}),
        ]
        for label, found in changed:
            yield f"{name} {label}", sample_bundle.pack(found)
            if label in {"without", "renamed"}:
                yield f"{name} {label}, announced", sample_bundle.pack(sample_bundle.fit(found))
    for name, raw in {
        "autoclave/more": b"x",
        "more": b"",
        f"blobs/sha256/{hashlib.sha256(b'x').hexdigest()}": b"x",
        "blobs/sha512/" + "0" * 128: b"",
        "blobs/": b"",
        "../x": b"x",
    }.items():
        for found in ({**members, name: raw}, sample_bundle.fit({**members, name: raw})):
            yield f"{name} added", sample_bundle.pack(found) if len(name) <= 100 else b""
    yield (
        "the head last",
        sample_bundle.pack({**{each: members[each] for each in names}, HEAD: members[HEAD]}),
    )


def edited(members: Members) -> Iterator[Mutant]:
    """Yield bundles in which one JSON document or copy is another one, and all digests are corrected."""
    for name, raw in members.items():
        if name in contents.COPIES or name == "oci-layout":
            yield f"{name} exchanged", announced(members, name, raw + b"\n")
        elif name == HEAD:
            yield from ((f"head {label}", pack_head(members, other)) for label, other in documents(raw))
        elif raw.startswith(b"{"):
            yield from (
                (f"{name} {label}", announced(members, name, other)) for label, other in documents(raw)
            )


def documents(raw: bytes) -> Iterator[Mutant]:
    """Yield other spellings of a JSON document, and documents that say something else."""
    document: dict[str, Any] = json.loads(raw)
    yield "indented", json.dumps(document, indent=1).encode()
    yield "with a space", raw + b" "
    yield "with a byte order mark", b"\xef\xbb\xbf" + raw
    if not document:
        return
    first = next(iter(document))
    yield "a key twice", raw[:-1] + b"," + compact({first: document[first]})[1:]
    yield "a key first and twice", b"{" + compact({first: 0})[1:-1] + b"," + raw[1:]
    yield "a key more", raw[:-1] + b',"more":1}'
    yield "in another order", compact(dict(reversed(document.items())))
    yield "escaped", raw.replace(b"a", b"\\u0061", 1)
    for path in paths(document):
        for label, value in others(at(document, path)):
            yield f"{label} {'.'.join(map(str, path))}", compact(replaced(document, path, value))


def resigned(members: Members) -> Iterator[Mutant]:
    """Yield bundles with signatures and envelopes that are not those that were made."""
    envelopes = {name: json.loads(raw) for name, raw in members.items() if raw.startswith(b'{"payload"')}
    for name, envelope in envelopes.items():
        (signed,) = envelope["signatures"]
        raw = base64.b64decode(signed["sig"])
        strange = [each["signatures"][0] for each in envelopes.values() if each != envelope]
        lists = {
            "none": [],
            "twice": [signed, signed],
            "of another": strange[:1],
            "and of another": [signed, *strange[:1]],
            "with another key id": [{**signed, "keyid": "0" * 64}],
            "without a key id": [{"sig": signed["sig"]}],
            "longer": [{**signed, "sig": base64.b64encode(raw + b"\0").decode()}],
            "for the web": [{**signed, "sig": base64.urlsafe_b64encode(raw).decode().rstrip("=")}],
            "with a line end": [{**signed, "sig": signed["sig"] + "\n"}],
            "with other last bits": [{**signed, "sig": other_bits(signed["sig"])}],
        }
        for label, listed in lists.items():
            suffix = " keyid" if "key id" in label else ""
            other = compact({**envelope, "signatures": listed})
            yield f"{name} signature {label}{suffix}", announced(members, name, other)
        for label, text in {
            "for the web": base64.urlsafe_b64encode(base64.b64decode(envelope["payload"])).decode(),
            "with a space": envelope["payload"] + " ",
            "with other last bits": other_bits(envelope["payload"]),
            "of another": next(each["payload"] for each in envelopes.values() if each != envelope),
        }.items():
            yield f"{name} payload {label}", announced(members, name, compact({**envelope, "payload": text}))


def trusts(text: str) -> Iterator[Mutant]:
    """Yield other trust files."""
    stranger = CryptoSigner.generate_ecdsa().public_key.keyval["public"]
    keys = text.split("[[key]]")
    yield "a role more", text.replace('["release"]', '["release", "deploy"]').encode()
    yield "a comment", b"# mine\n" + text.encode()
    yield "a line end more", text.encode() + b"\n"
    yield "another name", text.replace('"steps"', '"Steps"').encode()
    yield "another order", ("[[key]]" + keys[2] + "\n[[key]]" + keys[1].rstrip("\n") + "\n").encode()
    yield "a key less", ("[[key]]" + keys[2]).encode()
    public = json.dumps(str(stranger).strip() + "\n")
    entry = f'\n[[key]]\nname = "x"\npublic = {public}\nmay = ["release"]\n'
    yield "a key more", (text + entry).encode()
    first = json.loads(text.partition("public = ")[2].partition("\n")[0])
    yield "a key exchanged", text.replace(json.dumps(first), public).encode()
    yield "two keys in one", text.replace(json.dumps(first), json.dumps(first + first)).encode()
    yield "a key with a line more", text.replace(json.dumps(first), json.dumps("# x\n" + first)).encode()


def announced(members: Members, name: str, raw: bytes) -> bytes:
    """Return a bundle with another content of one member, and every digest and size that depends on it."""
    found = {**members, name: raw}
    while wrong := next((each for each in found if renamed(each, found[each]) != each), ""):
        content = found.pop(wrong)
        right = renamed(wrong, content)
        found[right] = content
        old, new = (each.rpartition("/")[2].encode() for each in (wrong, right))
        size = re.compile(new + rb'"(,"mediaType":"[^"]*")?,"size":\d+')
        for parent, said in found.items():
            if parent not in {HEAD, right} and said.startswith(b"{") and old in said:
                fixed = said.replace(old, new)
                found[parent] = size.sub(new + rb'"\1,"size":%d' % len(content), fixed)
    return sample_bundle.pack(with_seals(sample_bundle.fit(found)))


def renamed(name: str, content: bytes) -> str:
    """Return the name under which content belongs."""
    return f"blobs/sha256/{hashlib.sha256(content).hexdigest()}" if name.startswith("blobs/") else name


def with_seals(members: Members) -> Members:
    """Correct what the head says of images and seals, as far as index and manifests say it."""
    head = json.loads(members[HEAD])
    try:
        entries = [(each["annotations"], each["digest"]) for each in json.loads(members[INDEX])["manifests"]]
        dated = sorted(
            (marks["org.opencontainers.image.created"], digest)
            for marks, digest in entries
            if marks.get("in-toto.io/predicate-type", "").endswith("seal:v1")
        )
        head["seals"] = {"app": dated[-1][1]}
    except (ValueError, LookupError, TypeError, AttributeError):
        return members
    return {**members, HEAD: json.dumps(head, sort_keys=True, separators=(",", ":")).encode()}


def pack_head(members: Members, head: bytes) -> bytes:
    """Return the bundle with another head."""
    return sample_bundle.pack({**members, HEAD: head})


def compact(value: object) -> bytes:
    """Return JSON as Autoclave writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def other_bits(text: str) -> str:
    """Return other base64 of the same bytes, where there is some."""
    if not text.endswith("="):
        return text
    bare = text.rstrip("=")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return bare[:-1] + letters[letters.index(bare[-1]) ^ 1] + text[len(bare) :]


Path_ = tuple[str | int, ...]


def paths(value: Any, before: Path_ = ()) -> Iterator[Path_]:
    """Yield the path of each value in a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (*before, key)
        yield from paths(each, (*before, key))


def at(value: Any, path: Path_) -> Any:
    """Return the value at a path."""
    for key in path:
        value = value[key]
    return value


def replaced(document: Any, path: Path_, value: object) -> Any:
    """Return a copy of a document with another value at a path."""
    copy = json.loads(json.dumps(document))
    at(copy, path[:-1])[path[-1]] = value
    return copy


def others(value: object) -> Iterator[tuple[str, object]]:
    """Yield values that could stand in the place of one."""
    match value:
        case bool():
            yield "other", not value
        case int():
            yield from (("more", value + 1), ("real", float(value)), ("text", str(value)), ("none", None))
        case str():
            yield from (("longer", value + "x"), ("empty", ""), ("none", None))
        case list():
            yield from (("twice", [*value, *value]), ("backwards", value[::-1]), ("short", value[:-1]))
        case dict():
            yield from (("with more", {**value, "more": "x"}), ("backwards", dict(reversed(value.items()))))
