"""What the records of an image say of its deployments, and whether another device's image is a release."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from autoclave.context import Context
from autoclave.device.schema import Image
from autoclave.errors import AutoclaveError
from autoclave.evidence import predicates
from autoclave.evidence.image_records import ImageRecords, is_of
from autoclave.evidence.statement import DEPLOYMENT
from autoclave.model.facts import Deployment, Running
from autoclave.model.place import Destination
from autoclave.release import document
from autoclave.release.candidate import judge
from autoclave.release.verification import read, read_attached


def deployments_of(attached: ImageRecords, image: Image, ctx: Context) -> list[Deployment]:
    """Return the deployments of an image of this device that good records name, oldest first."""
    return [
        predicates.facts_of(each.statement, Deployment)
        for each in attached.records
        if each.statement.predicate_type == DEPLOYMENT and is_of(each, ctx.device.device.name, image.name)
    ]


def find_release(running: Sequence[Running], destination: Destination, ctx: Context) -> str:
    """Return the release that runs in a place: the one that good records name for all that runs there.

    Empty when nothing runs, when no record says, or when images of several releases run.
    """
    named = {_release_of(each, destination, ctx) for each in running}
    return named.pop() if len(named) == 1 else ""


def _release_of(running: Running, destination: Destination, ctx: Context) -> str:
    try:
        descriptor = ctx.store.find_image(running.digest)
        image = ctx.device.find_image(running.image)
        found = deployments_of(read_attached(descriptor, ctx, destination), image, ctx)
    except AutoclaveError:
        return ""
    ran = [
        each.release
        for each in found
        if each.went_to(destination) and not each.failure and _has_run(running, each)
    ]
    return ran[-1] if ran else ""


def _has_run(running: Running, deployed: Deployment) -> bool:
    return any(
        (each.image, each.digest) == (running.image, running.digest)
        and running.inputs in {"", each.inputs}  # a registry's tag has none
        for each in deployed.running
    )


def tighten(destination: Destination, ctx: Context) -> Destination:
    """Return a destination as production, too, when the adopted release declares its environment so."""
    declared = any(each.production for each in ctx.device.environment if each.name == destination.environment)
    if destination.production or not declared:
        return destination
    return structs.replace(destination, production=True, why="the release that runs there declares it")


def foreign_release(digest: str, ctx: Context, destination: Destination, target: str) -> str:
    """Return why an image of another device is not a release that may run here; empty when it is one.

    It must pass here today as if it were deployed itself: by its own release, the organisation's policy,
    and with the approvals that this place requires.
    """
    other = ctx.fork()
    try:
        found = document.find(other, digest=digest)
        if found is None:
            return "no release gate has judged it"
        document.adopt(found, other)
        destination = tighten(destination, other)
        image = next(each for each in other.device.image if found.document.images[each.name] == digest)
        read_release = read(image, other.store.find_image(digest), other, destination=destination)
        ((_, verdict),) = judge([read_release], target, other)
    except AutoclaveError as error:
        return f"{error.what}: {error.why}" if error.why else error.what
    return "; ".join(verdict.reasons)
