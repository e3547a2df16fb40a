"""What people declare and decide about a device: requirements, waivers, approvals, the SOUP register.

Plain data, as in `facts.py`: nothing here does I/O. Times are aware datetimes in UTC.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from autoclave.model.moment import Moment
from autoclave.model.text import matching
from autoclave.model.vex import Statement

Text = Annotated[str, Meta(min_length=1, max_length=4000)]


class RequirementKind(StrEnum):
    """What a requirement is for."""

    REQUIREMENT = "requirement"
    RISK_CONTROL = "risk-control"
    SECURITY = "security"


class Method(StrEnum):
    """How a requirement is verified. Risk controls always need a test as well."""

    TEST = "test"
    ANALYSIS = "analysis"
    INSPECTION = "inspection"
    DEMONSTRATION = "demonstration"


class Requirement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One requirement. `hazard` is an id in the risk file; it is never interpreted.

    `evidence` refers to where a method other than a test is documented. `source` is the file and the line.
    `in_scope` is false for what a later version will do: it is listed, and no test is required.
    """

    id: Annotated[str, Meta(min_length=1, max_length=100)]
    text: str
    kind: RequirementKind = RequirementKind.REQUIREMENT
    hazard: str = ""
    method: Method = Method.TEST
    evidence: str = ""
    source: str = ""
    in_scope: bool = True


class Person(Struct, frozen=True, kw_only=True):
    """A person as the trust file names one: user id, printed name, roles (`quality`, `engineering` …)."""

    id: str
    name: str
    roles: tuple[str, ...]


class VexStatus(StrEnum):
    """The status of a finding, in the words of OpenVEX."""

    NOT_AFFECTED = "not_affected"
    AFFECTED = "affected"
    FIXED = "fixed"
    UNDER_INVESTIGATION = "under_investigation"


class Justification(StrEnum):
    """Why something is not affected (OpenVEX 0.2.0)."""

    COMPONENT_NOT_PRESENT = "component_not_present"
    VULNERABLE_CODE_NOT_PRESENT = "vulnerable_code_not_present"
    VULNERABLE_CODE_NOT_IN_EXECUTE_PATH = "vulnerable_code_not_in_execute_path"
    VULNERABLE_CODE_CANNOT_BE_CONTROLLED = "vulnerable_code_cannot_be_controlled_by_adversary"
    INLINE_MITIGATIONS = "inline_mitigations_already_exist"


class Scope(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a waiver applies: to one image digest, to versions of a package, or to one file.

    `package` is a package URL without version (`pkg:pypi/jinja2`) or, for findings about pods, the workload
    (`Deployment/gateway`); for a secret the path of its file, with the file's digest as `fingerprint`.
    `versions` are exact versions, or a range as `>=1.0,<2.10.1`.
    """

    digest: str = ""
    package: str = ""
    versions: str = ""
    fingerprint: str = ""


class Waiver(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A decision about one finding. `finding` is its id or one of its aliases; `author` a person's user id.

    `created` and `expires` are both mandatory; `risk_reference` points into the risk file.
    """

    id: Annotated[
        str,
        matching(
            r"[A-Za-z0-9][A-Za-z0-9._-]*",
            says="letters, digits and . _ -, beginning with a letter or a digit",
            example="WVR-1",
            max_length=100,
        ),
    ]
    device: str
    finding: Annotated[str, Meta(min_length=1, max_length=200)]
    scope: Scope
    status: VexStatus
    rationale: Text
    author: str
    created: Moment
    expires: Moment
    justification: Justification | None = None
    risk_reference: str = ""


class SignedWaiver(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A waiver after its signatures were verified: who signed it, and why it does not count, if so.

    `persons` are the ids of the persons whose trusted keys signed, the author's first. `digest` is the
    envelope's. `supplier` is the supplier whose VEX document it comes from; then no person signed it,
    `statement` is what the document states, and `packages` are those for which its signers may sign.
    """

    waiver: Waiver
    digest: str
    persons: tuple[Person, ...] = ()
    defect: str = ""
    supplier: str = ""
    statement: Statement | None = None
    packages: tuple[str, ...] = ()


class Meaning(StrEnum):
    """What a signature means (21 CFR 11.50)."""

    REVIEW = "review"
    APPROVAL = "approval"
    RESPONSIBILITY = "responsibility"
    AUTHORSHIP = "authorship"


class Approval(Struct, frozen=True, kw_only=True):
    """What a person signs about one image digest in one environment and the place where that is.

    `place` is a place's text (see model.place), empty where the target names none. `shown` is the sha256 of
    the text that the signer was shown; `signed_at` keeps the signer's time zone.
    """

    environment: str
    place: str
    user: str
    printed_name: str
    role: str
    meaning: Meaning
    reason: Text
    shown: str
    signed_at: Moment


class SignedApproval(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An approval after its signature was verified: whose key signed, and why it does not count, if so.

    `record` is the digest of the record in the store.
    """

    approval: Approval
    record: str
    person: Person | None = None
    defect: str = ""


class SoupEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of the SOUP register (IEC 62304 8.1.2): software of unknown provenance, and why it is here.

    `component` is a pattern for package URLs without version (`pkg:pypi/jinja2`, `pkg:deb/debian/*`);
    `version` one for its version, or for a distribution's package for the distribution's (`debian-12*`).
    `anomalies` is where the published anomalies were read; `reviewed_by` is who reviewed them.
    """

    title: str
    component: str
    version: str
    manufacturer: str
    why: str
    support_end: date | None = None
    support_level: str = ""
    anomalies: str = ""
    reviewed_by: str = ""
    reviewed_on: date | None = None


class Component(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One component of the SBOM; `distro` is the purl's distribution qualifier, as `debian-12.5`.

    `ref` is its reference in the SBOM, `depends` are the references of what it depends on.
    """

    name: str
    version: str
    purl: str = ""
    supplier: str = ""
    license: str = ""
    distro: str = ""
    kind: str = "library"
    ref: str = ""
    depends: tuple[str, ...] = ()


class Declared(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the device repository declares at the time of a release; None when it has no such file.

    `previous` is the digest of the release before this one, empty for the first. `together` are the digests
    of all images of the device that were judged, by name: requirements are the whole device's.
    """

    requirements: tuple[Requirement, ...] | None = None
    register: tuple[SoupEntry, ...] | None = None
    previous: str = ""
    together: dict[str, str] = {}
