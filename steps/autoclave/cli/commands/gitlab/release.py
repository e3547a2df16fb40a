"""`autoclave gitlab release`: a release of a tag, with the signed records of its images as evidence."""

from __future__ import annotations

import os
import re
from typing import Annotated

import click
import msgspec

from autoclave.cli.click_options import make_command
from autoclave.cli.commands.gitlab.shared import ProjectOptions, open_project
from autoclave.cli.image_options import read_standings
from autoclave.context import Context
from autoclave.errors import ReleaseGateClosed
from autoclave.evidence import records
from autoclave.evidence.records import Record
from autoclave.evidence.statement import PROVENANCE, SBOM, TEST_RESULT, VERIFICATION, VULNS
from autoclave.hosts.gitlab import settings
from autoclave.hosts.gitlab.release import File, publish
from autoclave.model.digest import digest_of
from autoclave.model.status import GateStatus
from autoclave.release.status import ImageStatus
from autoclave.runtime.options import option
from autoclave.store.oci import Descriptor

_EVIDENCE = (PROVENANCE, TEST_RESULT, VULNS, SBOM, VERIFICATION)
_LARGEST = 1 << 30  # bytes of one file


class Options(ProjectOptions, frozen=True):
    """Options of `autoclave gitlab release`."""

    tag: Annotated[str, option("the tag to release; none: CI_COMMIT_TAG")] = ""


def command(name: str, text: str) -> click.Command:
    """Return the command."""
    return make_command(name, text, Options, _run)


def _run(opts: Options, ctx: Context) -> None:
    found = read_standings(opts, ctx)
    for each in found:
        _check(each)
    digests = {each.image: each.digest for each in found}
    files = [file for each in found for file in collect_files(each, ctx)]
    files.append(_index(digests, files, ctx))
    if opts.dry_run:
        ctx.screen.result("\n".join(f"{file.name} {file.digest}" for file in files), {"images": digests})
        return
    tag = settings.require_setting("tag", opts.tag, os.environ, "CI_COMMIT_TAG", "--tag")
    version = ctx.device.device.version
    if not tag.endswith(version):
        ctx.screen.warn("release", f"tag {tag} does not name the device's version {version}")
    done = publish(open_project(opts), tag, version, digests, files)
    ctx.screen.result("\n".join(done), {"tag": tag, "images": digests, "done": done})


def _check(image: ImageStatus) -> None:
    """Raise ReleaseGateClosed unless the image was signed and all that is attached to it verifies."""
    refused = [reason for gate in image.gates if gate.state is GateStatus.REJECTED for reason in gate.reasons]
    signed = image.gate("sign")
    unsigned = () if signed.state is GateStatus.PASSED else signed.reasons or ("it is not signed yet",)
    if reasons := refused or unsigned:
        raise ReleaseGateClosed(
            f"image '{image.image}' has no release",
            why="\n".join(reasons),
            next="run 'autoclave sign', then retry",
        )


def collect_files(image: ImageStatus, ctx: Context) -> list[File]:
    """Return the newest record of each type and its attachments, under names that never change.

    Where several scanners left records, the names have the scanner's.
    """
    found = []
    for kind in _EVIDENCE:
        newest = records.latest_of_each(image.records, kind)
        for tool, record in newest.items():
            base = f"{image.image}-{record.name}"
            found += _of(f"{base}-{_safe(tool)}" if len(newest) > 1 else base, record, ctx)
    return found


def _of(base: str, record: Record, ctx: Context) -> list[File]:
    named = [(f"{base}.dsse.json", record.envelope)]
    named += [(f"{base}-{_safe(_title(each))}", each) for each in record.attachments]
    return [_file(name, ctx.store.read(each.digest, limit=_LARGEST)) for name, each in named]


def _index(digests: dict[str, str], files: list[File], ctx: Context) -> File:
    """Return the list of all files, which says what belongs to which image."""
    device = ctx.device.device
    content = {
        "device": device.name,
        "version": device.version,
        "images": digests,
        "files": {file.name: file.digest for file in files},
    }
    raw = msgspec.json.format(msgspec.json.encode(content, order="sorted"), indent=2)
    return _file("evidence.json", raw + b"\n")


def _file(name: str, content: bytes) -> File:
    return File(name=name, content=content, digest=digest_of(content))


def _title(descriptor: Descriptor) -> str:
    return descriptor.annotations.get(records.TITLE, "file")


def _safe(title: str) -> str:
    """Return a title as the package registry accepts it: letters, digits, dots, hyphens and underscores."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", title).lstrip(".-")[:100] or "file"
