"""A release of Autoclave as a folder: what is published, with checksums, a signature over them, and notes.

    python setup/release/assemble.py v0.2.0 dist [--key URI]

Run in a checkout of the tag, after `autoclave run --to sign`: the release record of the step image is read
from its store (AUTOCLAVE_STORE, AUTOCLAVE_RELEASE). The key signs SHA256SUMS: openssl alone can verify it.
Without one, this user's development key does, on which nobody else should rely. `setup/release.sh` sets up
what this needs, and publishes.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoclave import __version__

ROOT = Path(__file__).resolve().parents[2]
SUMS = "SHA256SUMS"
PARTS = {
    "gitlab-templates": ("pipelines/gitlab", "templates"),
    "github": ("pipelines/github",),
    "jenkins-library": ("pipelines/jenkins/src", "pipelines/jenkins/vars"),
    "documentation": ("README.md", "CHANGELOG.md", "LICENSE", "SECURITY.md", "docs"),
}
"""Archives of the tag's files, by the part of their name. What a tag does not have is left out."""
_VERSION = re.compile(r"v(\d+\.\d+\.\d+)")


class Refused(Exception):
    """The release cannot be made; the text says why, and what to do."""


def version_of(tag: str) -> str:
    """Return the version of a tag, `v1.2.3`, which must be this Autoclave's."""
    found = _VERSION.fullmatch(tag)
    if not found:
        raise Refused(f"'{tag}' is not the tag of a release: it is v and three numbers, as v{__version__}")
    if found[1] != __version__:
        raise Refused(
            f"the tag is {tag}, and pyproject.toml says {__version__}: run setup/set-version.sh {found[1]}"
        )
    return found[1]


def section(changelog: str, version: str) -> str:
    """Return the section of a version in the changelog. Raises Refused when it is missing or empty."""
    parts = re.split(r"^## ", changelog, flags=re.MULTILINE)
    found = [part for part in parts if re.match(rf"\[{re.escape(version)}\](\s|$)", part)]
    body = found[0].partition("\n")[2].strip() if found else ""
    if not body:
        raise Refused(
            f"CHANGELOG.md has no section [{version}] with anything in it: move there what is Unreleased"
        )
    return body + "\n"


def run(*words: str | Path, cwd: Path = ROOT) -> bytes:
    """Return what a command prints. Raises Refused with its errors."""
    done = subprocess.run(words, cwd=cwd, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr or done.stdout.strip().rpartition(b"\n")[2]  # with --json an error is a line of it
        raise Refused(f"{' '.join(map(str, words))}:\n{said.decode('utf-8', 'replace').strip()}")
    return done.stdout


def check_tag(tag: str) -> str:
    """Return the commit of a tag, which must be the one that is checked out."""
    commit = run("git", "rev-parse", "--verify", f"refs/tags/{tag}^{{commit}}").decode().strip()
    if commit != run("git", "rev-parse", "HEAD").decode().strip():
        raise Refused(f"{tag} is {commit[:12]}, and another commit is checked out: git checkout {tag}")
    return commit


def write_archives(commit: str, version: str, folder: Path) -> None:
    """Write the parts of the commit's files, the same bytes everywhere."""
    tracked = run("git", "ls-tree", "-r", "--name-only", commit).decode().splitlines()
    for part, paths in PARTS.items():
        there = [path for path in paths if any(f"{name}/".startswith(f"{path}/") for name in tracked)]
        if there:
            name = f"autoclave-{part}-{version}"
            raw = run("git", "archive", "--format=tar", f"--prefix={name}/", commit, "--", *there)
            (folder / f"{name}.tar.gz").write_bytes(gzip.compress(raw, mtime=0))


def lines_of(raw: bytes) -> list[dict[str, Any]]:
    """Return the JSON objects that a command printed, one each line."""
    return [json.loads(line) for line in raw.splitlines() if line.startswith(b"{")]


def write_records(version: str, folder: Path) -> None:
    """Write what the step image's release record says: SBOM, VEX, report, and the bundle with all of it."""
    autoclave = [sys.executable, "-P", "-m", "autoclave"]
    listed = lines_of(run(*autoclave, "show", "--json"))
    images = [each["image"] for each in listed if each.get("image")]
    for number, digest in enumerate(images):
        suffix = f"-{number + 1}" if len(images) > 1 else ""
        for record in lines_of(run(*autoclave, "show", digest, "sbom", "--json")):
            _write_json(folder / f"autoclave-{version}{suffix}.cdx.json", record["statement"]["predicate"])
    for form, ending in (("openvex", "openvex.json"), ("cyclonedx", "vex.cdx.json")):
        for each in lines_of(run(*autoclave, "vex", "--format", form, "--json")):
            _write_json(folder / f"autoclave-{version}-{each['image']}.{ending}", each["vex"])
    run(*autoclave, "report", "--output", folder)
    run(*autoclave, "export", "--output", folder / f"autoclave-{version}.bundle.tar")
    (folder / "image.txt").write_text("".join(f"{each}\n" for each in images), "utf-8")


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


def sums(folder: Path) -> str:
    """Return the checksums of every file in a folder, as sha256sum writes and checks them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(SUMS))
    return "".join(f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sign(folder: Path, uri: str) -> None:
    """Write the checksums, the key's signature over them, and its public key."""
    from autoclave.context import Context
    from autoclave.signers import development

    text = sums(folder).encode()
    signer = Context.open_signer(uri, "", development.RELEASE)
    signature = bytes.fromhex(signer.sign(text).signature)
    (folder / SUMS).write_bytes(text)
    (folder / f"{SUMS}.sig").write_bytes(base64.b64encode(signature) + b"\n")
    (folder / f"{SUMS}.pub").write_text(signer.public_key.keyval["public"], "utf-8")


def main(words: Sequence[str]) -> int:
    """Make the folder; return an exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tag")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--key", default="", help="URI of the key that signs the checksums")
    given = parser.parse_args(words)
    folder: Path = given.folder.absolute()
    try:
        version = version_of(given.tag)
        notes = section((ROOT / "CHANGELOG.md").read_text("utf-8"), version)
        commit = check_tag(given.tag)
        folder.mkdir(parents=True)
        (folder / "NOTES.md").write_text(notes, "utf-8")
        run(ROOT / "setup" / "wheel.sh", folder, commit)
        write_archives(commit, version, folder)
        write_records(version, folder)
        sign(folder, given.key)
    except FileExistsError:
        print(f"error: {folder} exists already: name a new folder", file=sys.stderr)
        return 1
    except Refused as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print((folder / SUMS).read_text("utf-8"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
