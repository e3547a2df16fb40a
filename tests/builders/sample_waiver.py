"""A finding, and the waiver that covers it."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from autoclave.model.declared import Scope, SignedWaiver, VexStatus, Waiver
from autoclave.model.facts import Severity
from builders.sample_facts import ADA, BEN, DIGEST, NOW, SCAN, vulnerability

FINDING = replace(
    vulnerability(Severity.HIGH), purl="pkg:pypi/jinja2@2.10", version="2.10", aliases=("GHSA-1",)
)


WAIVER = Waiver(
    id="W-1",
    device="pump",
    finding="CVE-2026-1",
    scope=Scope(package="pkg:pypi/jinja2", versions="<2.10.1"),
    status=VexStatus.NOT_AFFECTED,
    rationale="no template comes from outside",
    risk_reference="RM-7",
    author="ada",
    created=NOW - timedelta(days=1),
    expires=NOW + timedelta(days=60),
)


SIGNED = SignedWaiver(waiver=WAIVER, digest=DIGEST, persons=(ADA, BEN))


FACTS = replace(SCAN, findings=(FINDING,))
