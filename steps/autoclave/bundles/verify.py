"""Check a bundle of Autoclave's without Autoclave: python3 verify.py BUNDLE.tar [--keys FOLDER].

Needs Python 3.8 and `openssl`. A bundle's own keys vouch for themselves: compare them, or give the maker's.
"""

import base64
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from datetime import datetime
from pathlib import Path

TITLE, REF = "org.opencontainers.image.title", "org.opencontainers.image.ref.name"
SIGNATURE, KIND = "dev.cosignproject.cosign/signature", "in-toto.io/predicate-type"
RECORD, TIME = "application/vnd.autoclave.record.v1+json", r"Time stamp: (.{15})\S* (\d{4}) GMT"
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


def openssl(*words, data=b""):  # whether it ended well, and what it printed
    done = subprocess.run(["openssl", *map(str, words)], input=data, capture_output=True, check=False)
    return done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace")


def say(*words, gap=""):  # one line: what a bundle holds never steers the reader's terminal
    print(gap + "".join(each if each.isprintable() else "?" for each in " ".join(words)))


class Key:  # what it may sign, and whose it is, is written before its PEM text
    def __init__(self, raw, put):
        fields = dict(re.findall(r"^(\w+): (.*)$", raw.decode(), re.M))
        self.label = fields["name"] + (" of " + fields["person"] if "person" in fields else "")
        der = base64.b64decode(re.search(r"KEY-----(.*)-----END", raw.decode(), re.S)[1])
        self.print, self.roles = hashlib.sha256(der).hexdigest(), fields["may"].split(", ")
        self.path, self.put = put(self.print, raw), put

    def signs(self, message, signature):  # whether this key made the signature
        file = self.put("signature", base64.b64decode(signature))
        return openssl("dgst", "-sha256", "-verify", self.path, "-signature", file, data=message)[0]


class Record:  # whole, and signed by a key that may; else ValueError says why not
    def __init__(self, bundle, digest, manifest, image):
        kind = manifest["annotations"][KIND]
        self.digest, self.files, (self.name, roles) = digest, manifest["layers"][1:], KINDS[kind]
        self.envelope = manifest["layers"][0]["digest"]
        statement, self.by = bundle.verify(self.envelope, roles)
        about = [each["digest"].get("sha256") for each in statement["subject"]]
        if statement["predicateType"] != kind or image[7:] not in about:
            raise ValueError("it is about another image, or of another kind than it is listed as")
        self.said, self.facts = statement["predicate"], statement["predicate"].get("facts", {})
        made = self.said.get("autoclave", {})  # an SBOM does not say how it was made
        self.at = made.get("finishedOn", "").rstrip("Z")
        odd = {(f["annotations"][TITLE], f["digest"]) for f in self.files} ^ {*made.get("files", {}).items()}
        if any(title != "timestamp.tsr" or self.name != "seal" for title, _ in odd):
            raise ValueError(f"its files are not those that were signed with it: {min(odd)[0]}")


class Bundle:  # each file is read once first, to learn the digest of what it really holds
    def __init__(self, path, folder, chosen, wrong):
        self.folder, self.wrong, self.members, self.digests = folder, wrong, {}, {}
        self.tar = tarfile.open(path, "r:")  # noqa: SIM115 -- it is read until the end
        for member in self.tar:
            if not member.isreg() or member.name in self.members:
                raise ValueError(f"{member.name!r} is not a plain file, or comes twice")
            content, hasher = self.tar.extractfile(member), hashlib.sha256()
            while piece := content.read(1 << 20):
                hasher.update(piece)
            self.members[member.name], self.digests[member.name] = member, "sha256:" + hasher.hexdigest()
        own = {name: self.read(name) for name in self.members if name.startswith("autoclave/keys/")}
        keys = {each.name: each.read_bytes() for each in Path(chosen).iterdir()} if chosen else own
        self.keys = [Key(raw, self.put) for name, raw in sorted(keys.items()) if name.endswith(".pub")]
        self.roots = self.put("roots", b"".join(raw for name, raw in keys.items() if name.endswith(".crt")))

    def put(self, name, raw):  # a temporary file
        (self.folder / name).write_bytes(raw)
        return self.folder / name

    def read(self, name, digest=None):  # a file, which must have the digest
        if name not in self.digests or digest not in {None, self.digests[name]}:
            raise ValueError(f"{name} is damaged or missing: it has {self.digests.get(name, 'no content')}")
        return self.tar.extractfile(self.members[name]).read()

    def blob(self, digest):
        return self.read("blobs/sha256/" + digest[7:], digest)

    def manifest(self, digest):  # and everything that it names is there and undamaged
        manifest = json.loads(self.blob(digest))
        for part in [manifest["config"], *manifest["layers"]]:
            name, what = "blobs/sha256/" + part["digest"][7:], part.get("annotations", {}).get(TITLE)
            if self.digests.get(name) != part["digest"] or self.members[name].size != part["size"]:
                raise ValueError(f"its {what or part['mediaType']}, {part['digest']}, is damaged or missing")
        return manifest

    def verify(self, digest, roles):  # the statement in a DSSE envelope, and who signed it of those that may
        envelope = json.loads(self.blob(digest))
        payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
        message = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
        able = [each for each in self.keys if {*each.roles} & {*roles.split()}]
        good = [k.label for k in able if any(k.signs(message, s["sig"]) for s in envelope["signatures"])]
        if kind != b"application/vnd.in-toto+json" or not (good or roles == "waive"):
            raise ValueError(f"no trusted key that may sign it ({roles}) has signed what it holds")
        return json.loads(payload), "signed by " + (", ".join(good) or "NOBODY WHO MAY")

    def read_attached(self, image, index):  # records (oldest first), release signatures, and who made those
        records, signatures, signers = [], [], []
        for entry in index:
            marks, digest = entry.get("annotations", {}), entry["digest"]
            try:
                manifest = self.manifest(digest)
                if manifest.get("artifactType") == RECORD and manifest["subject"]["digest"] == image:
                    records.append(Record(self, digest, manifest, image))
                for layer in manifest["layers"] if marks.get(REF) == f"sha256-{image[7:]}.sig" else []:
                    raw, sig = self.blob(layer["digest"]), layer["annotations"][SIGNATURE]
                    if json.loads(raw)["critical"]["image"]["docker-manifest-digest"] == image:
                        signers += [k.label for k in self.keys if "release" in k.roles and k.signs(raw, sig)]
                        signatures.append({"payload": layer["digest"], "signature": sig})
            except Exception as error:  # whatever it is, it is not good
                self.wrong.append(f"{KINDS.get(marks.get(KIND), [marks.get(REF, '?')])[0]} {digest}: {error}")
        return sorted(records, key=lambda each: each.at), signatures, signers

    def check_seals(self, records, signatures):  # nothing is missing; each time stamp is valid as of the next
        here, at = {each.digest: each.envelope for each in records}, datetime.now().astimezone()
        for seal in [each for each in reversed(records) if each.name == "seal"]:
            lost = [each for each in seal.facts["records"] if here.get(each["manifest"]) != each["envelope"]]
            lost += [{"name": "seal", "manifest": each} for each in {seal.facts["previous"]} - {"", *here}]
            gone = [each for each in seal.facts["signatures"] if each not in signatures]
            lost += [{"name": "release signature over", "manifest": each["payload"]} for each in gone]
            self.wrong += [f"{each['name']} {each['manifest']}: sealed, now missing or bad" for each in lost]
            for token in [each for each in seal.files if each["annotations"][TITLE] == "timestamp.tsr"]:
                data = self.put("data", self.blob(seal.envelope))
                tsr = self.put("tsr", self.blob(token["digest"]))
                words = ["-attime", int(at.timestamp()), "-data", data, "-in", tsr, "-CAfile", self.roots]
                good, why = openssl("ts", "-verify", *words)
                if good:
                    stated = re.search(TIME, openssl("ts", "-reply", "-in", tsr, "-text")[1])
                    at = datetime.strptime(f"{stated[1]} {stated[2]} +0000", "%b %d %H:%M:%S %Y %z")
                    say(f"  time stamp     {at:%Y-%m-%dT%H:%M:%S}  {seal.digest}")
                else:
                    self.wrong.append(f"seal {seal.digest}: its time stamp does not verify: {why[-200:]}")

    def account(self, name, image, head, index):  # prints what an image and its records say
        say("image", name, image, gap="\n")
        self.manifest(image)
        records, signatures, signers = self.read_attached(image, index)
        for each in records:
            say(f"  {each.name:14} {each.at[:19]:19}  {each.digest}")
            say("     ", each.by)
            if each.name == "approval":
                say("      {printed_name} ({role}): {meaning} for {environment}".format(**each.facts))
        self.check_seals(records, signatures)
        newest = {each.name: each for each in records}
        release, seal = newest["verification"], newest.get("seal")
        for file in [each for each in release.files if each["annotations"][TITLE].endswith(".waiver.json")]:
            said, by = self.verify(file["digest"], "waive")
            say("  waiver         {id}: {finding} {status} until {expires}".format(**said["predicate"]), by)
        result, made = release.said["verificationResult"], release.said["autoclave"]
        say(f"  release gate   {result}; signed for release by {', '.join(signers) or 'nobody'}")
        stated = [head["device"], head["version"], name, head["seals"][name]]
        if stated != [made["device"], made["deviceVersion"], made["image"], seal.digest if seal else ""]:
            self.wrong.append("bundle.json describes another release than the records")
        if result != "PASSED" or not signers:
            self.wrong.append(f"image {name} {image}: it is not a release: not passed, or not signed")


if __name__ == "__main__":
    if len(sys.argv) not in {2, 4} or sys.argv[2:3] not in ([], ["--keys"]):
        sys.exit(__doc__)
    chosen, wrong = "".join(sys.argv[3:]), []
    with tempfile.TemporaryDirectory() as folder:
        try:
            bundle = Bundle(sys.argv[1], Path(folder), chosen, wrong)
            head = json.loads(bundle.read("autoclave/bundle.json"))
            say("trusted keys:", chosen or "THE BUNDLE'S OWN; compare them with the maker's")
            for key in bundle.keys:
                say(f"  {key.print}  {key.label} may sign {', '.join(key.roles)}")
            stated = {**head["files"], **{"blobs/sha256/" + each[7:]: each for each in head["blobs"]}}
            odd = {each[0] for each in stated.items() ^ bundle.digests.items()} - {"autoclave/bundle.json"}
            wrong += [f"file {name}: it is not as bundle.json announces, or missing" for name in sorted(odd)]
            for name, image in sorted(head["images"].items()):
                bundle.account(name, image, head, json.loads(bundle.read("index.json"))["manifests"])
        except Exception as error:  # whatever it is, it is not good
            wrong.append(f"the rest cannot be checked: {error!r}")
    for each in ["", *wrong]:
        say(each and "WRONG: " + each)
    sys.exit("NOT VERIFIED" if wrong else print("VERIFIED: files, records, signatures, seals, stamps"))
