"""What a release is to run in an environment, and how that differs from what runs there now.

Both are read from releases and records alone, so that a person sees the same text on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from autoclave.context import Context
from autoclave.errors import AutoclaveError
from autoclave.model.facts import Deployment
from autoclave.model.place import Destination
from autoclave.model.release import manifests_of
from autoclave.release import decisions, document
from autoclave.release.deployments import deployments_of
from autoclave.release.verification import find_verification, read_attached
from autoclave.runtime.neutral import neutralise
from autoclave.targets.kubernetes import diff, manifests

_FARTHEST = 50  # releases that are walked back


def describe(destination: Destination, ctx: Context) -> list[str]:
    """Return the lines: what will run, and the difference to the release that was deployed there last."""
    # No value of a device file looks like another line.
    return [neutralise(line) for line in _describe(destination, ctx)]


def _describe(destination: Destination, ctx: Context) -> list[str]:
    environment = destination.environment
    settings = _settings(environment, ctx)
    lines = ["", f"WHAT RUNS IN {environment} AFTERWARDS", *_list(settings)]
    digest = find_deployed(destination, ctx)
    if not digest:
        return [*lines, "", f"DIFFERENCE: nothing was deployed to {environment} yet, as the records say"]
    lines += ["", f"DIFFERENCE TO RELEASE {digest}, deployed there last as the records say"]
    if digest == ctx.opened.digest:
        return [*lines, "  none: it is this release"]
    former = ctx.fork()
    try:
        document.adopt(document.read(digest, ctx), former)
    except AutoclaveError as error:
        return [*lines, f"  NOT KNOWN, since that release cannot be read here: {error.what}"]
    found = _differences(_settings(environment, former), settings)
    return [*lines, *(found or ["  none in version, images, settings and manifests"])]


def find_deployed(destination: Destination, ctx: Context) -> str:
    """Return the release deployed there last, as good records of it or of this one say."""
    found = [each for image in ctx.device.image for each in _walk_back(image.name, destination, ctx)]
    newest = max(found, key=lambda each: each.finished, default=None)
    return newest.release if newest else ""


def _walk_back(name: str, destination: Destination, ctx: Context) -> Iterator[Deployment]:
    """Yield the deployments of an image and its former releases to a destination."""
    image = ctx.device.find_image(name)
    digest = ctx.subject(image).digest
    for _ in range(_FARTHEST):
        try:
            attached = read_attached(ctx.store.find_image(digest), ctx).of(ctx.device.device.name, name)
        except AutoclaveError:
            return
        for each in deployments_of(attached, image, ctx):
            if each.went_to(destination) and not each.failure and each.release:
                yield each
        summary = find_verification(attached.records)
        digest = decisions.declared_of(summary).previous if summary else ""
        if not digest:
            return


def _settings(environment: str, ctx: Context) -> dict[str, Any]:
    """Return all that decides what runs: images, service settings, the environment, its manifests."""
    device, opened = ctx.device, ctx.opened
    place = next((each for each in device.environment if each.name == environment), None)
    return {
        "version": f"{device.device.version} (class {device.device.safety_class})",
        "image": opened.document.images,
        "service": {each.name: _plain(each.service) for each in device.image if each.service},
        "environment": _plain(place) if place else {},
        "flow": [_plain(each) for each in device.flow],
        "manifests": _objects(environment, ctx),
    }


def _objects(environment: str, ctx: Context) -> dict[str, Any]:
    title = manifests_of(environment)
    if title not in ctx.opened.document.files:
        return {}
    found = manifests.read(ctx.read_released(title).decode("utf-8"), title)
    return {each.title: each.data for each in found}


def _plain(settings: object) -> Any:
    return msgspec.to_builtins(settings)


def _list(settings: Mapping[str, Any]) -> Iterator[str]:
    for path, value in diff.flatten({key: each for key, each in settings.items() if key != "manifests"}):
        if value not in ("", None, [], {}):
            yield f"  {path} = {value}"
    for title in settings["manifests"]:
        yield f"  applied: {title}"


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    def rest(of: Mapping[str, Any]) -> dict[str, Any]:
        return {key: each for key, each in of.items() if key != "manifests"}

    lines = [f"  {change}" for change in diff.list_changes(rest(before), rest(after))]
    old, new = before["manifests"], after["manifests"]
    for title in dict.fromkeys([*old, *new]):
        if title not in new:
            lines.append(f"  - {title}  no longer applied")
        elif title not in old:
            lines.append(f"  + {title}  applied for the first time")
        else:
            lines += [f"  ~ {title} {change}" for change in diff.list_changes(old[title], new[title])]
    return lines
