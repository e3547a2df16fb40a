"""A release in one file: taken to a machine without network, and read by an auditor without Autoclave."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from autoclave.bundles import write
from autoclave.evidence import trust, trust_export
from autoclave.model.digest import digest_of
from builders import sample_bundle
from builders.devices import KNOWN_BAD, CommandResult, Repository
from builders.flow import device, make_keys
from builders.sample_bundle import Members
from doubles import tsa_double

AUDITOR = "/usr/bin/python3"
HEALTHCHECK = """
HEALTHCHECK --interval=1s CMD ["python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health')"]
"""


class Released:
    """A real release, time-stamped twice and deployed, and its bundle."""

    def __init__(self, repository: Repository, bundle: Path, trust: Path) -> None:
        self.repository, self.bundle, self.trust = repository, bundle, trust

    def verified(self, *words: str, bundle: Path | None = None) -> CommandResult:
        """Run the bundle's own verify.py as an auditor would: another Python, nothing of ours about."""
        script = self.bundle.with_name("verify.py")
        script.write_bytes(sample_bundle.members(self.bundle)["autoclave/verify.py"])
        argv = [AUDITOR, "-I", str(script), str(bundle or self.bundle), *words]
        environment = {"PATH": "/usr/bin:/bin"}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, cwd="/")
        assert "Traceback" not in done.stderr
        return CommandResult(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Released]:
    """Release, deploy and export the control device, with an organisation's keys and a time stamp."""
    folder = tmp_path_factory.mktemp("bundle")
    with (
        device(KNOWN_BAD / "control", folder, name="t-bundle") as repository,
        tsa_double.authority(folder / "tsa", "stamps", lasts=timedelta(days=400)) as authority,
    ):
        # Asked inside the container: the deployment below has no network to ask through.
        repository.edit("autoclave.toml", 'health = "/health"\n', "")
        with (repository.folder / "Dockerfile").open("a", encoding="utf-8") as file:
            file.write(HEALTHCHECK)
        repository.commit()
        options = make_keys(folder / "organisation")
        trust = Path(options[1])
        with trust.open("a", encoding="utf-8") as file:
            file.write(authority.trust)
        repository.more["AUTOCLAVE_TRUST"] = str(trust)
        repository.more["AUTOCLAVE_KEY"] = options[3]
        repository.more["AUTOCLAVE_TSA"] = authority.url
        done = repository.run("run", *options[4:])
        assert done.code == 0, done.err
        del repository.more["AUTOCLAVE_TSA"]
        bundle = folder / "release.tar"
        exported = repository.run("export", "-o", str(bundle))
        assert exported.code == 0, exported.err
        assert "8 records verify; release gate: PASSED" in exported.out
        yield Released(repository, bundle, trust)


def test_an_auditor_needs_nothing_of_ours(released: Released) -> None:
    subprocess.run([AUDITOR, "-I", "-c", "import sys; assert 'autoclave' not in sys.path"], check=True)
    missing = subprocess.run([AUDITOR, "-I", "-c", "import autoclave"], capture_output=True, check=False)
    assert missing.returncode != 0
    done = released.verified()
    assert done.code == 0, done.out + done.err
    assert done.out.splitlines()[-1].startswith("VERIFIED")
    assert "THE BUNDLE'S OWN" in done.out
    assert done.out.count("time stamp ") == 2
    assert "release gate   PASSED; signed for release by release" in done.out
    # With a trust file from another source: the right keys, and foreign ones.
    own = sample_bundle.members(released.bundle)["autoclave/trust.toml"].decode()
    others = make_keys(released.bundle.with_name("others"))
    strangers = trust_export.text(trust.load(Path(others[1])))
    for name, text, code in (("maker", own, 0), ("strangers", strangers, 1)):
        file = released.bundle.with_name(f"{name}.toml")
        file.write_text(text)
        done = released.verified("--trust", str(file))
        assert done.code == code, done.out + done.err
        assert str(file) in done.out
    assert "no trusted key that may sign it (build)" in done.out


def test_the_verifier_is_short_and_leans_on_nothing() -> None:
    source = write.verifier().decode()
    assert len(source.splitlines()) < 550
    compile(source, "verify.py", "exec")
    imported = {line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= sys.stdlib_module_names
    import ast

    ast.parse(source, feature_version=(3, 8))


def _entry(found: Members, kind: str) -> dict[str, str]:
    index = json.loads(found["index.json"])["manifests"]
    wanted = [each for each in index if kind in json.dumps(each.get("annotations", {}))]
    return {"record": wanted[-1]["digest"], "manifest": "blobs/sha256/" + wanted[-1]["digest"][7:]}


def _layer(found: Members, kind: str, number: int) -> str:
    manifest = json.loads(found[_entry(found, kind)["manifest"]])
    return "blobs/sha256/" + str(manifest["layers"][number]["digest"])[7:]


WHERE: list[tuple[str, Callable[[Members], str], str]] = [
    ("envelope", lambda found: _layer(found, "vulns", 0), "vulns"),
    ("manifest", lambda found: _entry(found, "test-result")["manifest"], "test-result"),
    ("seal", lambda found: _layer(found, "seal:v1", 0), "seal"),
    ("time stamp", lambda found: _layer(found, "seal:v1", 1), "seal"),
    ("policy of the day", lambda found: _layer(found, "verification_summary", 1), "verification"),
    ("signature list", lambda found: _entry(found, ".sig")["manifest"], ".sig"),
    ("signed payload", lambda found: _layer(found, ".sig", 0), ".sig"),
    ("image layer", lambda found: _layer(found, '"app"', 0), "image"),
    ("index", lambda found: "index.json", "index.json"),
    ("head", lambda found: "autoclave/bundle.json", "bundle.json"),
    ("trust", lambda found: "autoclave/trust.toml", "autoclave/trust.toml"),
    ("device file", lambda found: "autoclave/device.toml", "autoclave/device.toml"),
    ("verifier", lambda found: "autoclave/verify.py", "autoclave/verify.py"),
]


@pytest.mark.parametrize(("place", "says"), [each[1:] for each in WHERE], ids=[each[0] for each in WHERE])
def test_one_changed_byte_is_found_and_named(
    released: Released, tmp_path: Path, place: Callable[[Members], str], says: str
) -> None:
    found = sample_bundle.members(released.bundle)
    name = place(found)
    spoilt = tmp_path / "spoilt.tar"
    shutil.copyfile(released.bundle, spoilt)
    raw = found[name]
    with tarfile.open(released.bundle) as archive:
        at = archive.getmember(name).offset_data + len(raw) // 2
    with spoilt.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 4]))
    done = released.verified(bundle=spoilt)
    assert done.code == 1, done.out + done.err
    output = done.out + done.err
    assert "NOT VERIFIED" in output
    assert says in output
    if name.startswith("blobs/"):
        assert name.rpartition("/")[2] in output
    refused = released.repository.run("import", str(spoilt), "--into", str(tmp_path / "site"))
    assert refused.code == 45, refused.err
    assert not (tmp_path / "site" / "autoclave.toml").exists()


def test_a_change_that_fits_everywhere_but_in_what_was_signed_is_named(
    released: Released, tmp_path: Path
) -> None:
    """Somebody who can make all digests fit again still cannot sign."""
    spoilt = tmp_path / "spoilt.tar"
    shutil.copyfile(released.bundle, spoilt)
    sample_bundle.rewrite(spoilt, _without_deployment, announce=True)
    done = released.verified(bundle=spoilt)
    assert done.code == 1, done.out + done.err
    assert "WRONG: deployment sha256:" in done.out
    assert "sealed, now missing or bad" in done.out
    refused = released.repository.run("import", str(spoilt), "--into", str(tmp_path / "site"))
    assert refused.code == 41, refused.err
    assert "the sealed deployment record sha256:" in refused.message


def test_a_file_exchanged_beside_a_record_is_named(released: Released, tmp_path: Path) -> None:
    """Everything matches but the signed statement: a weaker policy replaces the one of the day."""
    spoilt = tmp_path / "spoilt.tar"
    shutil.copyfile(released.bundle, spoilt)
    sample_bundle.rewrite(spoilt, _with_another_policy, announce=True)
    done = released.verified(bundle=spoilt)
    assert done.code == 1, done.out + done.err
    assert "its files are not those that were signed with it: policy.json" in done.out
    refused = released.repository.run("import", str(spoilt), "--into", str(tmp_path / "site"))
    assert refused.code == 41, refused.err
    assert "the files of the verification record are not those that were signed" in refused.message


def _with_another_policy(found: Members) -> None:
    index, entry = json.loads(found["index.json"]), _entry(found, "verification_summary")
    manifest = json.loads(found.pop(entry["manifest"]))
    (policy,) = [each for each in manifest["layers"] if "policy.json" in each.get("annotations", {}).values()]
    raw = found.pop("blobs/sha256/" + policy["digest"][7:]).replace(b"true", b"false")
    policy |= {"digest": digest_of(raw), "size": len(raw)}
    found["blobs/sha256/" + digest_of(raw)[7:]] = raw
    changed = json.dumps(manifest).encode()
    found["blobs/sha256/" + digest_of(changed)[7:]] = changed
    for each in index["manifests"]:
        if each["digest"] == entry["record"]:
            each |= {"digest": digest_of(changed), "size": len(changed)}
    found["index.json"] = json.dumps(index).encode()


def test_what_a_bundle_holds_steers_no_terminal(released: Released, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.tar"
    shutil.copyfile(released.bundle, spoilt)

    def rename_keys(found: Members) -> None:
        before = found["autoclave/trust.toml"]
        found["autoclave/trust.toml"] = before.replace(
            b'name = "release', b'name = "release\\u001b[2J\\rVERIFIED', 1
        )

    sample_bundle.rewrite(spoilt, rename_keys, announce=True)
    done = released.verified(bundle=spoilt)
    assert "release?[2J?VERIFIED may sign" in done.out
    assert "\x1b" not in done.out + done.err


def _without_deployment(found: Members) -> None:
    index = json.loads(found["index.json"])
    entry = _entry(found, "deployment:v1")
    index["manifests"] = [each for each in index["manifests"] if each["digest"] != entry["record"]]
    envelope = _layer(found, "deployment:v1", 0)
    found["index.json"] = json.dumps(index).encode()
    del found[entry["manifest"]], found[envelope]


def test_the_same_release_gives_the_same_bytes(released: Released, tmp_path: Path) -> None:
    assert released.repository.run("export", "-o", str(tmp_path / "again.tar")).code == 0
    assert (tmp_path / "again.tar").read_bytes() == released.bundle.read_bytes()


def test_a_bundle_is_deployed_where_there_is_no_network(released: Released, tmp_path: Path) -> None:
    site = tmp_path / "site"
    for container in released.repository.containers():
        container.remove(force=True, v=True)
    image = released.repository.image_digest
    cut_off(released, tmp_path, "import", str(released.bundle), "--into", str(site))
    cut_off(released, site, "verify", image)
    done = cut_off(released, site, "deploy", "staging")
    assert f"app: {image} runs and is healthy" in done.err
    (running,) = released.repository.containers()
    assert running.labels["dev.autoclave.device"] == released.repository.name
    cut_off(released, site, "export", "-o", str(tmp_path / "back.tar"))
    # The maker sees what was done there: the deployment is in the record, sealed.
    assert released.verified(bundle=tmp_path / "back.tar").out.count("deployment") == 2


def cut_off(released: Released, folder: Path, *words: str) -> CommandResult:
    """Run the command in a network name space of its own, with no interface; the engine is a socket file."""
    argv = ["unshare", "-n", sys.executable, "-m", "autoclave", *words]
    environment = {**released.repository.environment, "AUTOCLAVE_TRUST": str(released.trust)}
    process = subprocess.run(
        argv, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    done = CommandResult(process.returncode, process.stdout, process.stderr)
    assert done.code == 0, done.err
    return done


def test_a_failed_release_is_exported_as_what_it_is(tmp_path: Path) -> None:
    with device(KNOWN_BAD / "control", tmp_path, name="t-bundle-failed") as repository:
        repository.edit("autoclave.toml", 'command = ["python"', 'command = ["false", "python"')
        repository.commit()
        assert repository.run("run").code == 22
        assert repository.run("export", "-o", "b.tar").code == 45  # no release gate has judged it
        repository.run("scan")
        assert repository.run("sign").code == 24
        exported = repository.run("export", "-o", "b.tar")
        assert exported.code == 0, exported.err
        assert "release gate: FAILED" in exported.out
        checked = repository.run("verify", "b.tar")
        assert checked.code == 24, checked.err
        script = repository.folder / "verify.py"
        script.write_bytes(write.verifier())
        argv = [AUDITOR, "-I", str(script), str(repository.folder / "b.tar")]
        done = subprocess.run(argv, env={"PATH": os.defpath}, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "it is not a release: not passed, or not signed" in done.stdout


def test_today_may_demand_more_than_the_day_did(released: Released, tmp_path: Path) -> None:
    policy = tmp_path / "today.toml"
    policy.write_text("[unit-test]\nmin-passed = 1000\n")
    done = released.repository.run("verify", "--policy", str(policy))
    assert done.code == 26, done.err
    assert "✔ by the policy of the day: passes" in done.out
    assert "✘ by today's policy: CLOSED" in done.out
    assert "only today's policy closes the release gate" in done.message
