"""What the records of an image say of its deployments, and whether another device's image is a release."""

from __future__ import annotations

from autoclave.context import Context
from autoclave.device.schema import Image
from autoclave.errors import AutoclaveError
from autoclave.evidence import predicates, records
from autoclave.evidence.image_records import ImageRecords
from autoclave.evidence.statement import DEPLOYMENT, VERIFICATION
from autoclave.model.facts import Deployment
from autoclave.release.verification import is_of, read_attached, verify_attached_signature


def deployments_of(attached: ImageRecords, image: Image, ctx: Context) -> list[Deployment]:
    """Return the deployments of an image of this device that good records name, oldest first."""
    return [
        predicates.facts_of(each.statement, Deployment)
        for each in attached.records
        if each.statement.predicate_type == DEPLOYMENT and is_of(each, image, ctx)
    ]


def foreign_release(digest: str, ctx: Context, environment: str) -> str:
    """Return why an image of another device is not a release that may run here; empty when it is one.

    It must be in the store, signed by a release key that is trusted for the environment, and verified.
    """
    try:
        attached = read_attached(ctx.store.find_image(digest), ctx, environment=environment)
        verify_attached_signature(attached, ctx, environment=environment)
    except AutoclaveError as error:
        return f"{error.what}: {error.why}" if error.why else error.what
    summary = records.latest(attached.records, VERIFICATION)
    result = predicates.result_of(summary.statement) if summary else "missing"
    return "" if result == "PASSED" else f"its verification record is {result}"
