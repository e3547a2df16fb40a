"""Check a bundle of Autoclave's without Autoclave: python3 verify.py BUNDLE.tar [--trust trust.toml].

Needs Python 3.8 and `openssl`. A bundle's own keys vouch for themselves: compare them, or give the maker's
trust file. Never run the verify.py of a bundle before you compared its sha256 with the maker's.
"""

import base64
import hashlib
import ipaddress
import json
import re
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

TITLE, REF = "org.opencontainers.image.title", "org.opencontainers.image.ref.name"
SIGNATURE, KIND, CREATED = (
    "dev.cosignproject.cosign/signature",
    "in-toto.io/predicate-type",
    "org.opencontainers.image.created",
)
RECORD, DSSE = "application/vnd.autoclave.record.v1+json", "application/vnd.dsse.envelope.v1+json"
MANIFEST, INDEX = (f"application/vnd.oci.image.{each}.v1+json" for each in ("manifest", "index"))
SIGNED, PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json", "application/vnd.in-toto+json"
IMAGES = {MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"}
STATEMENT, SIGNING = "https://in-toto.io/Statement/v1", "cosign container image signature"
EMPTY = {
    "mediaType": "application/vnd.oci.empty.v1+json",
    "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    "size": 2,
}
FORMAT, HEAD, TRUST = "urn:autoclave:bundle:v1", "autoclave/bundle.json", "autoclave/trust.toml"
COPIES = {  # a file of the bundle: the title of the file of the newest verification that it is a copy of
    "autoclave/device.toml": "autoclave.toml",
    "autoclave/policy.json": "policy.json",
    "autoclave/release.json": "release.json",
    "autoclave/verify.py": "verify.py",
}
FILES = sorted([*COPIES, TRUST, "index.json", "oci-layout"])
TIME, HASH = r"Time stamp: (.{15})\S* (\d{4}) GMT", r"Hash Algorithm: sha(256|384|512)\n"
KINDS = {  # predicate type: (short name, the roles of keys that may sign it)
    "https://slsa.dev/provenance/v1": ("provenance", "build"),
    "https://in-toto.io/attestation/test-result/v0.1": ("test-result", "unit-test"),
    "https://in-toto.io/attestation/vulns/v0.2": ("vulns", "scan"),
    "https://cyclonedx.org/bom": ("sbom", "scan"),
    "https://slsa.dev/verification_summary/v1": ("verification", "release"),
    "urn:autoclave:predicate:deployment:v1": ("deployment", "deploy"),
    "urn:autoclave:predicate:host-approvals:v1": ("host-approvals", "deploy"),
    "urn:autoclave:predicate:approval:v1": ("approval", "approve"),
    "urn:autoclave:predicate:seal:v1": ("seal", "release deploy"),
}
FILES_OF_DGST = "-signature {signature} {data}"
KEYS = {  # how a public key in DER form begins: how `openssl` verifies its signatures
    "302a300506032b6570032100": "pkeyutl -verify -rawin -pubin -inkey {key} -sigfile {signature} -in {data}",
    "3059301306072a8648ce3d020106082a8648ce3d030107034200": "dgst -sha256 -verify {key} " + FILES_OF_DGST,
    "3076301006072a8648ce3d020106052b81040022036200": "dgst -sha384 -verify {key} " + FILES_OF_DGST,
    "30819b301006072a8648ce3d020106052b8104002303818600": "dgst -sha512 -verify {key} " + FILES_OF_DGST,
}
FIELDS = {"table", "name", "public", "may", "places", "development", "person", "packages"}
STAR, LOCAL_FILES = "[A-Za-z0-9._-]*", ("unix:///", "npipe:////./", "file:///")
LOCAL_HOST = (
    r"(?:(?:tcp|https?)://)?(?P<host>[A-Za-z0-9.]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._/-]*)?"
)
RSA = "dgst -sha256 -verify {key} " + FILES_OF_DGST
RSA_BITS, RSA_KEY = (3072, 16384), "2a864886f70d010101"
SMALL_ORDER = {  # with such an Ed25519 key everybody can sign anything; the highest bit is a sign
    "00" * 32,
    "01" + "00" * 31,
    *(first + "ff" * 30 + "7f" for first in ("ec", "ed", "ee")),
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
}


def openssl(*words):  # whether it ended well, and what it printed
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, check=False)
    return done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace")


def say(*words, gap=""):  # one line: what a bundle holds never steers the reader's terminal
    print(gap + "".join(each if each.isprintable() else "?" for each in " ".join(words)))


def encode(value, **options):  # the only bytes that it can have
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), **options).encode()


def digest_of(raw):
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def decode64(text):  # only the text that would be written
    raw = base64.b64decode(text)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("it is not base64 as Autoclave writes it")
    return raw


def der_size(raw):  # how long the first value of DER is; `openssl` does not look at what follows it
    if len(raw) < 2 or raw[1] < 128:
        return 2 + (raw[1] if len(raw) > 1 else 0)
    return 2 + raw[1] % 128 + int.from_bytes(raw[2 : 2 + raw[1] % 128], "big")


def header(name, size):  # of a member of the archive: a plain file has no other
    length = b"%011o\0" % size if size < 1 << 33 else b"\x80" + size.to_bytes(11, "big")
    raw = name.encode("ascii").ljust(100, b"\0") + b"0000644\0" + 2 * b"0000000\0" + length
    raw += b"00000000000\0" + b" " * 8 + b"0".ljust(101, b"\0") + b"ustar\x0000" + bytes(64)
    raw = (raw + 2 * b"0000000\0").ljust(512, b"\0")
    return raw[:148] + b"%06o\0 " % sum(raw) + raw[156:]


def read_toml(text):  # the tables of a trust file as Autoclave writes it, where each value is one of JSON's
    tables = []
    for line in text.split("\n"):
        if re.fullmatch(r"\[\[(key|tsa)\]\]", line):
            tables.append({"table": line[2:5]})
        elif line:
            name, equals, value = line.partition(" = ")
            if not equals or not tables or name in tables[-1]:
                raise ValueError(f"{line[:60]!r} is not as Autoclave writes a trust file")
            tables[-1][name] = read_inline(value) if value[0] == "{" else json.loads(value)
    return tables


def read_inline(text):  # an inline table: { name = value, name = value }
    found, at = {}, 1
    while text[at:] != " }":
        name = re.compile(r",? (\w+) = ").match(text, at)
        found[name[1]], at = json.JSONDecoder().raw_decode(text, name.end())
    return found


def is_match(place, pattern):  # whether a key that is limited to a pattern counts in a place
    if not re.fullmatch(r"[a-z][a-z0-9-]*( [!-~]+){1,2}", place):  # kind, address, namespace in a cluster
        return False
    if pattern != "local":
        return bool(re.fullmatch(re.escape(pattern).replace(r"\*", STAR), place))
    address = place.split(" ")[1]
    found = re.fullmatch(LOCAL_HOST, address)
    return address.startswith(LOCAL_FILES) or bool(found and is_loopback(found["host"]))


def is_loopback(host):  # by what it says: who answers for another name is decided elsewhere
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Key:
    def __init__(self, entry, put):
        if odd := {*entry} - FIELDS:  # it could be a limit
            raise ValueError(f"the key {entry['name']} has {min(odd)}, which a trust file does not have")
        person = entry.get("person")
        self.label = entry["name"] + (" of {name} <{id}>".format(**person) if person else "")
        body = re.fullmatch(r"-----BEGIN PUBLIC KEY-----\n([^-]+)-----END PUBLIC KEY-----\n", entry["public"])
        der = decode64(body[1].replace("\n", ""))
        self.print, self.roles = hashlib.sha256(der).hexdigest(), entry["may"]
        self.places = entry.get("places", [])
        self.path, self.put = put(self.print, entry["public"].encode()), put
        self.how = next((how for begins, how in KEYS.items() if der.hex().startswith(begins)), "")
        self.size = 64 if "-rawin" in self.how else 0  # of a signature; 0: as its DER says
        if RSA_KEY in der[:24].hex():
            said = openssl("pkey", "-pubin", "-in", self.path, "-noout", "-text")[1]
            bits, exponent = re.search(r"\((\d+) bit\)", said), re.search(r"Exponent: (\d+)", said)
            strong = bits and RSA_BITS[0] <= int(bits[1]) <= RSA_BITS[1]
            if strong and exponent and int(exponent[1]) % 2 and int(exponent[1]) > 1 << 16:
                self.how, self.size = RSA, (int(bits[1]) + 7) // 8
        if (
            not self.how
            or der_size(der) != len(der)
            or (der[12:43] + bytes([der[-1] & 127])).hex() in SMALL_ORDER
        ):
            raise ValueError(f"the key {self.label} is of a kind that does not count")

    def signs(self, message, signature):  # whether this key made the signature
        if len(signature) != (self.size or der_size(signature)):
            return False
        files = {
            "key": self.path,
            "data": self.put("message", message),
            "signature": self.put("signature", signature),
        }
        return openssl(*(each.format(**files) for each in self.how.split()))[0]


class Record:  # whole, and signed by a key that may; else ValueError says why not
    def __init__(self, bundle, digest, manifest, image):
        kind = manifest["annotations"][KIND]
        self.digest, self.files, (self.name, roles) = digest, manifest["layers"][1:], KINDS[kind]
        self.envelope, self.created = (
            manifest["layers"][0]["digest"],
            manifest["annotations"].get(CREATED, ""),
        )
        statement, self.by = bundle.verify(self.envelope, roles)
        about = [each["digest"].get("sha256") for each in statement["subject"]]
        if [statement["_type"], statement["predicateType"]] != [STATEMENT, kind] or image[7:] not in about:
            raise ValueError("it is about another image, or of another kind than it is listed as")
        self.said, self.facts = statement["predicate"], statement["predicate"].get("facts", {})
        self.made = self.said.get("autoclave", {})  # an SBOM does not say how it was made
        self.at = self.made["finishedOn"].rstrip("Z") if self.name != "sbom" else ""
        self.titles = {each["annotations"][TITLE]: each["digest"] for each in self.files}
        odd = {(f["annotations"][TITLE], f["digest"]) for f in self.files} ^ {
            *self.made.get("files", {}).items()
        }
        if any(title != "timestamp.tsr" or self.name != "seal" for title, _ in odd):
            raise ValueError(f"its files are not those that were signed with it: {min(odd)[0]}")

    def is_plain(
        self, bundle, subject
    ):  # whether manifest and envelope have the only bytes that they can have
        layer, kind = (
            dict(bundle.describe(self.envelope, DSSE)),
            json.loads(bundle.blob(self.digest))["annotations"][KIND],
        )
        files = [
            {
                **bundle.describe(each["digest"], each["mediaType"]),
                "annotations": {TITLE: each["annotations"][TITLE]},
            }
            for each in self.files
        ]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": EMPTY}
        manifest["layers"] = [{**layer, "annotations": {KIND: kind}}, *files]
        manifest.update(artifactType=RECORD, subject=subject, annotations={KIND: kind, CREATED: self.created})
        # Annotations are in the order of their names.
        manifest["annotations"] = dict(sorted(manifest["annotations"].items()))
        raw = bundle.blob(self.envelope)
        (signed,), payload = json.loads(raw)["signatures"], decode64(json.loads(raw)["payload"])
        envelope = {"payload": base64.b64encode(payload).decode(), "payloadType": PAYLOAD}
        envelope["signatures"] = [
            {"sig": base64.b64encode(decode64(signed["sig"])).decode(), "keyid": signed["keyid"]}
        ]
        plain = isinstance(signed["keyid"], str) and isinstance(self.created, str)
        return plain and encode(manifest) == bundle.blob(self.digest) and encode(envelope) == raw


class Bundle:  # each file is read once first, to learn the digest of what it really holds
    def __init__(self, file, folder, wrong):
        self.file, self.folder, self.wrong, self.members, self.digests = file, folder, wrong, {}, {}
        while any(raw := self.take(512)):
            self.add(raw)
        # A block of zeros ended the loop: tar has two of them at the end, and a bundle has nothing more.
        if any(self.take(512)) or self.file.read(1):
            raise ValueError("there is data after the end of the archive")
        self.entries, self.sizes = [], {}  # what the index must list, and the blobs that it leads to

    def load_keys(self, trust):  # of a trust file, or of the bundle's own
        try:
            tables = read_toml((Path(trust).read_bytes() if trust else self.read(TRUST)).decode())
            self.keys = [Key(each, self.put) for each in tables if each["table"] == "key"]
            self.roots = [each["certificate"].encode() for each in tables if each["table"] == "tsa"]
        except Exception as error:  # a trust file from outside: any error in it is the file's
            raise ValueError(f"{trust or TRUST} cannot be read: {error!r}") from error

    def take(self, size):
        raw = self.file.read(size)
        if len(raw) != size:
            raise ValueError("the archive is truncated")
        return raw

    def add(self, raw):  # one member: its header has the only bytes that it can have
        name, length = raw[:100].rstrip(b"\0").decode("ascii", "replace"), raw[124:136]
        # Digits of base 8, as far as they reach (8 GiB), else a number in bytes behind 0x80.
        size = int.from_bytes(length[1:], "big") if length[0] == 0x80 else int(length[:11], 8)
        if name in self.members or header(name, size) != raw:
            raise ValueError(f"{name!r} is not a plain file as a bundle has them, or comes twice")
        at, left, hasher = self.file.tell(), size, hashlib.sha256()
        while left:
            piece = self.take(min(left, 1 << 20))
            hasher.update(piece)
            left -= len(piece)
        # A member fills whole blocks of 512 bytes, the last one up with zeros: no other byte hides there.
        if any(self.take(-size % 512)):
            raise ValueError(f"there is data between {name!r} and what follows it")
        self.members[name], self.digests[name] = (at, size), "sha256:" + hasher.hexdigest()

    def put(self, name, raw):  # a temporary file
        (self.folder / name).write_bytes(raw)
        return self.folder / name

    def read(self, name, digest=None):  # a file, which must have the digest
        if name not in self.digests or digest not in {None, self.digests[name]}:
            raise ValueError(f"{name} is damaged or missing: it has {self.digests.get(name, 'no content')}")
        self.file.seek(self.members[name][0])
        raw = self.take(self.members[name][1])
        if digest_of(raw) != self.digests[name]:
            raise ValueError(f"{name} changes while it is read")
        return raw

    def blob(self, digest):
        return self.read("blobs/sha256/" + digest[7:], digest)

    def describe(self, digest, kind):
        return {"mediaType": kind, "digest": digest, "size": self.members["blobs/sha256/" + digest[7:]][1]}

    def manifest(self, digest):  # and everything that it names is there and undamaged
        manifest = json.loads(self.blob(digest))
        for part in [manifest["config"], *manifest["layers"]]:
            name, what = "blobs/sha256/" + part["digest"][7:], part.get("annotations", {}).get(TITLE)
            if self.digests.get(name) != part["digest"] or self.members[name][1] != part["size"]:
                raise ValueError(f"its {what or part['mediaType']}, {part['digest']}, is damaged or missing")
        return manifest

    def list(self, digest, kind, **more):  # what the index must have of a manifest, and what it leads to
        manifest, entry = self.manifest(digest), {**self.describe(digest, kind), **more}
        if entry not in self.entries:
            self.entries.append(entry)
        for part in [entry, manifest["config"], *manifest["layers"]]:
            self.sizes[part["digest"]] = self.members["blobs/sha256/" + part["digest"][7:]][1]

    def verify(self, digest, roles):  # the statement in a DSSE envelope, and who signed it of those that may
        envelope = json.loads(self.blob(digest))
        payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
        message = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
        signatures = [base64.b64decode(each["sig"]) for each in envelope["signatures"]]
        able = [each for each in self.keys if {*each.roles} & {*roles.split()}]
        facts = json.loads(payload)["predicate"]["facts"] if roles in {"deploy", "approve"} else {}
        place = facts.get("place")  # none: what it says is about no place, or a CI host's, which knows none
        if place is not None:
            able = [key for key in able if not key.places or any(is_match(place, p) for p in key.places)]
        good = [key.label for key in able if any(key.signs(message, each) for each in signatures)]
        if kind != PAYLOAD.encode() or not (good or roles == "waive"):
            raise ValueError(f"no trusted key that may sign it ({roles}) has signed what it holds")
        return json.loads(payload), "signed by " + (", ".join(good) or "NOBODY WHO MAY")

    def read_records(self, image, index):  # those of an image, oldest first
        records = []
        for entry in index:
            try:
                manifest = self.manifest(entry["digest"])
                if manifest.get("artifactType") == RECORD and manifest["subject"]["digest"] == image:
                    records.append(Record(self, entry["digest"], manifest, image))
            except Exception as error:  # whatever it is, it is not good
                name = KINDS.get(
                    entry.get("annotations", {}).get(KIND), [entry.get("annotations", {}).get(REF, "?")]
                )[0]
                self.wrong.append(f"{name} {entry['digest']}: {error}")
        if len({each.envelope for each in records}) != len(records):
            self.wrong.append(f"the same record is attached to {image} twice")
        return sorted(records, key=lambda each: (each.at, each.created))

    def read_signatures(self, image, index):  # the release signatures of an image, and who made them
        signatures, signers, layers = [], [], []
        for entry in index:
            if entry.get("annotations", {}).get(REF) != f"sha256-{image[7:]}.sig":
                continue
            for layer in json.loads(self.blob(entry["digest"]))["layers"]:
                raw, text = self.blob(layer["digest"]), layer["annotations"][SIGNATURE]
                said, signature = json.loads(raw)["critical"], decode64(text)
                by = [key.label for key in self.keys if "release" in key.roles and key.signs(raw, signature)]
                if not by or [said["image"]["docker-manifest-digest"], said["type"]] != [image, SIGNING]:
                    raise ValueError(f"{entry['digest']} lists what is no signature of {image}")
                signers += by
                signatures.append({"payload": layer["digest"], "signature": text})
                layers.append({**self.describe(layer["digest"], SIGNED), "annotations": {SIGNATURE: text}})
            listed = {"schemaVersion": 2, "mediaType": MANIFEST, "config": EMPTY, "layers": layers}
            if self.blob(entry["digest"]) != encode(listed) or len({*map(str, signatures)}) != len(
                signatures
            ):
                raise ValueError(f"the list of signatures {entry['digest']} is not as Autoclave writes it")
            self.manifest(entry["digest"])
        return signatures, signers

    def check_seals(self, records, signatures, subject):  # nothing is missing, or can be anything else
        here, seals = (
            {each.digest: each.envelope for each in records},
            [r for r in records if r.name == "seal"],
        )
        sealed = set()
        for seal in seals:
            lost = [each for each in seal.facts["records"] if here.get(each["manifest"]) != each["envelope"]]
            before = {seal.facts["previous"]} - {""}
            lost += [{"name": "seal", "manifest": each} for each in before - {each.digest for each in seals}]
            gone = [each for each in seal.facts["signatures"] if each not in signatures]
            lost += [{"name": "release signature over", "manifest": each["payload"]} for each in gone]
            self.wrong += [f"{each['name']} {each['manifest']}: sealed, now missing or bad" for each in lost]
            sealed |= before | {each["manifest"] for each in seal.facts["records"]}
        for each in records:
            if each.digest not in sealed and not each.is_plain(self, subject):
                self.wrong.append(f"{each.name} {each.digest}: it is not as Autoclave writes it, nor sealed")

    def check_stamps(self, seals):  # each time stamp is valid as of the next
        at = now = datetime.now().astimezone()
        for seal in reversed(seals):
            for token in [each for each in seal.files if each["annotations"][TITLE] == "timestamp.tsr"]:
                raw = self.blob(token["digest"])
                tsr = self.put("tsr", raw)
                text = openssl("ts", "-reply", "-in", tsr, "-text")[1] if der_size(raw) == len(raw) else ""
                stated = re.search(TIME, text) if re.search(HASH, text) else None
                words = f"{stated[1]} {stated[2]} +0000" if stated else ""
                time = datetime.strptime(words, "%b %d %H:%M:%S %Y %z") if stated else now
                good, why = self.stamps(seal, tsr, at) if stated else (False, "no time, or a weak hash")
                if good:
                    at = time
                    say(f"  time stamp     {at:%Y-%m-%dT%H:%M:%S}  {seal.digest}")
                elif not self.roots or (stated and self.stamps(seal, tsr, time)[0]):
                    say(f"  TIME STAMP NOT VALID {seal.digest}: no authority, or not stamped again in time")
                else:
                    self.wrong.append(f"seal {seal.digest}: its time stamp does not verify: {why[-200:]}")

    def stamps(
        self, seal, tsr, at
    ):  # whether a trusted authority stamped the seal, as of a time, and why not
        why = ""
        for number, root in enumerate(self.roots):
            words = [
                "-attime",
                int(at.timestamp()),
                "-data",
                self.put("data", self.blob(seal.envelope)),
                "-in",
                tsr,
            ]
            good, why = openssl("ts", "-verify", *words, "-CAfile", self.put(f"root{number}", root))
            if good:
                return True, ""
        return False, why

    def account(self, name, image, head, index):  # prints what an image and its records say
        say("image", name, image, gap="\n")
        records = [
            each
            for each in self.read_records(image, index)
            if each.name == "sbom" or [each.made["device"], each.made["image"]] == [head["device"], name]
        ]
        try:
            signatures, signers = self.read_signatures(image, index)
        except Exception as error:  # whatever it is, it is not good
            signatures, signers = [], []
            self.wrong.append(f"sha256-{image[7:]}.sig: {error}")
        for each in records:
            say(f"  {each.name:14} {each.at[:19]:19}  {each.digest}")
            say("     ", each.by)
            if each.name == "approval":
                say("      {printed_name} ({role}): {meaning} for {environment}".format(**each.facts))
        kind = next(each["mediaType"] for each in index if each["digest"] == image)
        self.check_seals(records, signatures, self.describe(image, kind))
        self.check_stamps([each for each in records if each.name == "seal"])
        newest = {each.name: each for each in records}
        release, seal = newest["verification"], newest["seal"]
        self.show_waivers(release)
        result, made = release.said["verificationResult"], release.said["autoclave"]
        say(f"  release gate   {result}; signed for release by {', '.join(signers) or 'nobody'}")
        stated = [head["device"], head["version"], head["seals"][name]]
        if stated != [made["device"], made["deviceVersion"], seal.digest]:
            self.wrong.append("bundle.json describes another release than the records")
        if self.digests[TRUST] != seal.facts["trust"]:
            self.wrong.append(f"{TRUST}: it is not the trust file that the newest seal of {name} names")
        for file, title in COPIES.items():
            if release.titles.get(title) != self.digests[file]:
                self.wrong.append(f"{file}: it is not the {title} that was signed with the release of {name}")
        if result != "PASSED" or not signers:
            self.wrong.append(f"image {name} {image}: it is not a release: not passed, or not signed")
        self.expect(name, image, records, index)

    def show_waivers(self, release):
        for title, digest in release.titles.items():
            if title.endswith(".waiver.json"):
                try:
                    said, by = self.verify(digest, "waive")
                    say(
                        "  waiver         {id}: {finding} {status} until {expires}".format(
                            **said["predicate"]
                        ),
                        by,
                    )
                except Exception as error:  # a gate judges it; here it is for people
                    say(f"  waiver         {title} cannot be read: {error!r}")

    def expect(self, name, image, records, index):  # what the index must list of an image
        kind = next(each["mediaType"] for each in index if each["digest"] == image)
        if kind not in IMAGES or json.loads(self.blob(image)).get("mediaType", MANIFEST) != kind:
            raise ValueError(f"{image} is not the image of one platform")
        self.list(image, kind, annotations={REF: name})
        for each in sorted(records, key=lambda each: each.digest):
            manifest = json.loads(self.blob(each.digest))
            self.list(each.digest, MANIFEST, annotations=manifest["annotations"], artifactType=RECORD)
        tag = f"sha256-{image[7:]}.sig"
        for listed in [each for each in index if each.get("annotations", {}).get(REF) == tag]:
            self.list(listed["digest"], MANIFEST, annotations={REF: tag})

    def check_announced(self, head):  # every file is what the head says
        stated = {**head["files"], **{"blobs/sha256/" + each[7:]: each for each in head["blobs"]}}
        odd = {each[0] for each in stated.items() ^ self.digests.items()} - {HEAD}
        self.wrong += [f"file {name}: it is not as bundle.json announces, or missing" for name in sorted(odd)]

    def check_files(self, head):  # no other byte is in the bundle than what was signed
        blobs = ["blobs/sha256/" + each[7:] for each in sorted(self.sizes)]
        if [*self.members] != [HEAD, *FILES, *blobs]:
            odd = {*self.members} ^ {HEAD, *FILES, *blobs}
            self.wrong.append(
                f"files that are not signed for, or in another order: {', '.join(sorted(odd)[:3])}"
            )
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.entries}
        if self.read("index.json") != encode(index, sort_keys=True):
            self.wrong.append("index.json: it is not what follows from the signed records")
        if json.loads(self.read("autoclave/release.json"))["images"] != head["images"]:
            self.wrong.append("autoclave/release.json: its images are not those of the bundle")
        if self.read("oci-layout") != b'{"imageLayoutVersion":"1.0.0"}':
            self.wrong.append("oci-layout: it is not that of version 1.0.0")
        made = {each: head[each] for each in ("device", "images", "seals", "version")}
        made.update(format=FORMAT, blobs=self.sizes, files={each: self.digests[each] for each in FILES})
        if self.read(HEAD) != encode(made, sort_keys=True) or {*head["images"]} != {*head["seals"]}:
            self.wrong.append("bundle.json: it is not what follows from the signed records")


def check(path, trust, folder):  # prints what the bundle says, and returns what is wrong with it
    wrong = []
    try:
        with Path(path).open("rb") as file:
            show(Bundle(file, folder, wrong), trust)
    except Exception as error:  # whatever it is, it is not good
        wrong.append(f"the rest cannot be checked: {error!r}")
    return wrong


def show(bundle, trust):
    head = json.loads(bundle.read(HEAD))
    bundle.check_announced(head)
    bundle.load_keys(trust)
    say("trusted keys:", trust or "THE BUNDLE'S OWN; compare them with the maker's")
    if len({key.print for key in bundle.keys}) != len(bundle.keys):
        bundle.wrong.append("a key is in the trust file twice")
    for key in bundle.keys:
        where = f" in {', '.join(key.places)}" if key.places else ""
        say(f"  {key.print}  {key.label} may sign {', '.join(key.roles)}{where}")
    same = bundle.digests.get("autoclave/verify.py") == digest_of(Path(__file__).read_bytes())
    say(
        "verifier:",
        "the bundle has this one too" if same else "THE BUNDLE HAS ANOTHER ONE, which was not run",
    )
    for name, image in sorted(head["images"].items()):
        bundle.account(name, image, head, json.loads(bundle.read("index.json"))["manifests"])
    bundle.check_files(head)


if __name__ == "__main__":
    if len(sys.argv) not in {2, 4} or sys.argv[2:3] not in ([], ["--trust"]):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as temporary:
        found = check(sys.argv[1], "".join(sys.argv[3:]), Path(temporary))
    for each in ["", *found]:
        say(each and "WRONG: " + each)
    sys.exit("NOT VERIFIED" if found else print("VERIFIED: files, records, signatures, seals, stamps"))
