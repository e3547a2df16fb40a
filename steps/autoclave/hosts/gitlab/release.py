"""A GitLab release with its evidence: files in the generic package registry, linked from the release.

Sources: docs.gitlab.com/api/releases, docs.gitlab.com/api/releases/links, docs.gitlab.com/api/packages,
docs.gitlab.com/user/packages/generic_packages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from gitlab.v4.objects import ProjectRelease
from msgspec import Struct

from autoclave.errors import HostError
from autoclave.hosts.gitlab.client import find_or_none
from autoclave.hosts.gitlab.project import GitLab
from autoclave.model.digest import Digest

PACKAGE = "autoclave-evidence"
BEGIN, END = "<!-- autoclave begin -->", "<!-- autoclave end -->"

_DIGESTS = re.compile(r"<!-- autoclave digest ([a-z0-9-]{1,50}) (sha256:[0-9a-f]{64}) -->")
_BLOCK = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)


class File(Struct, frozen=True, kw_only=True):
    """A file of evidence: its name in the registry, its content, the digest of that (`sha256:…`)."""

    name: str
    content: bytes
    digest: str


def publish(host: GitLab, tag: str, version: str, images: dict[str, str], files: Sequence[File]) -> list[str]:
    """Upload the files and write the release of a tag; return what was done. Raises HostError."""
    done = upload(host, version, files)
    with host.perform("release"):
        release, word = host.client.repeat_unclear(lambda: _release(host, tag, block(images, files)))
        done.append(f"{word} release {tag}")
        for file in files:
            linked = host.client.repeat_unclear(
                partial(_link, release, file.name, _url(host, version, file.name))
            )
            done += [linked] if linked else []
    return done


def upload(host: GitLab, version: str, files: Sequence[File]) -> list[str]:
    """Upload the files to the registry; compare each with the digest that GitLab reports.

    A file that exists already is kept; another content under its name is refused: the evidence of a
    release must not change.
    """
    done = []
    with host.perform("evidence"):
        there = _list_files(host, version)
        for file in files:
            wanted = Digest(file.digest).hex
            have = there.get(file.name, set())
            if have - {wanted}:
                raise HostError(
                    f"the package registry has another {file.name} for version {version}",
                    why=f"its sha256 is {sorted(have - {wanted})[0]}, that of the file here {wanted}",
                    next="raise device.version: the evidence of a published version must not change",
                )
            if not have:
                _upload(host, version, file, wanted)
                done.append(f"uploaded {file.name}")
    return done


def digests(description: str) -> dict[str, str]:
    """Return the image digests that a release's description names in our block, not verified."""
    found = _BLOCK.search(description)
    return dict(_DIGESTS.findall(found[0])) if found else {}


def block(images: dict[str, str], files: Sequence[File]) -> str:
    """Return our part of a release's description."""
    lines = [BEGIN, "### Released images", "", "| image | digest |", "|---|---|"]
    lines += [f"| `{name}` | `{digest}` |" for name, digest in images.items()]
    lines += ["", f"Evidence: {len(files)} files below, of the signed records of these digests.", ""]
    lines += [f"`verify.py` of their bundle has the SHA-256 `{each}`.\n" for each in _verifiers(files)]
    lines += [f"<!-- autoclave digest {name} {digest} -->" for name, digest in images.items()]
    return "\n".join([*lines, END])


def _verifiers(files: Sequence[File]) -> list[str]:
    """Return the SHA-256 of the stand-alone verifier that was signed with the release."""
    found = {Digest(each.digest).hex for each in files if each.name.endswith("-verification-verify.py")}
    return sorted(found)


def _list_files(host: GitLab, version: str) -> dict[str, set[str]]:
    """Return the sha256 of each file of this version, by name (GitLab keeps several of one name)."""
    found: dict[str, set[str]] = {}
    listed = host.project.packages.list(iterator=True, package_type="generic", package_name=PACKAGE)
    for package in listed:
        # The filter of the API is a search: it also finds longer names.
        if package.name == PACKAGE and package.version == version:
            for file in package.package_files.list(iterator=True):
                found.setdefault(file.file_name, set()).add(file.file_sha256)
    return found


def _upload(host: GitLab, version: str, file: File, wanted: str) -> None:
    made = host.project.generic_packages.upload(
        PACKAGE, quote(version), file.name, data=file.content, select="package_file"
    )
    received = made.attributes.get("file_sha256")
    if received != wanted:
        raise HostError(
            f"GitLab received {file.name} with another content than was sent",
            why=f"its sha256 is {received}, that of the file here {wanted}",
            next="delete that file from the package registry, then retry",
        )


def _release(host: GitLab, tag: str, text: str) -> tuple[ProjectRelease, str]:
    """Find or create the release; keep what people wrote into its description."""
    releases = host.project.releases
    release = find_or_none(lambda: releases.get(tag))
    if release is None:
        made: Any = releases.create({"tag_name": tag, "name": tag, "description": text})
        return made, "created"
    before = release.description or ""
    after = _BLOCK.sub(lambda _: text, before, count=1) if _BLOCK.search(before) else f"{before}\n\n{text}"
    if after.strip() == before.replace("\r\n", "\n").strip():
        return release, "kept"
    releases.update(tag, {"description": after.strip()})
    return release, "changed"


def _link(release: ProjectRelease, name: str, url: str) -> str:
    for link in release.links.list(iterator=True):
        if link.name == name:
            if link.url == url:
                return ""
            release.links.update(link.id, {"url": url})
            return f"changed the link to {name}"
    release.links.create(
        {"name": name, "url": url, "link_type": "other", "direct_asset_path": f"/autoclave/{name}"}
    )
    return f"linked {name}"


def _url(host: GitLab, version: str, name: str) -> str:
    project = quote(host.project_id, safe="")
    return f"{host.client.api_url}/projects/{project}/packages/generic/{PACKAGE}/{quote(version)}/{name}"
