"""CSAF VEX documents of suppliers.

Sources: CSAF 2.0 (OASIS Standard, 18 November 2022) and 2.1: product tree 3.2.2, vulnerabilities 3.2.3, the
profile VEX 4.5. Own code: PyPI's libraries are previews, or make objects and leave the product tree as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from autoclave.errors import RecordError
from autoclave.evidence.vex.document import Claim, Document, name
from autoclave.model.declared import Justification, VexStatus
from autoclave.model.moment import Moment
from autoclave.model.vex import Named, Statement

TYPES = "https://docs.oasis-open.org/csaf/"
_PROFILE = "csaf_vex"
_VERSIONS = ("2.0", "2.1")
_UNKNOWN = Named(others=("a product that the document does not describe",))


class _Hash(Struct):
    algorithm: str
    value: str


class _Hashes(Struct):
    file_hashes: list[_Hash] = []


class _Helper(Struct, frozen=True):
    purl: str = ""
    purls: list[str] = []
    cpe: str = ""
    hashes: list[_Hashes] = []


class _FullName(Struct):
    product_id: str
    name: str = ""
    product_identification_helper: _Helper = _Helper()


class _Branch(Struct):
    category: str
    name: str
    product: _FullName | None = None
    branches: list[_Branch] = []


class _Relationship(Struct):
    category: str
    product_reference: str
    relates_to_product_reference: str
    full_product_name: _FullName


class _Group(Struct):
    group_id: str
    product_ids: list[str] = []


class _Tree(Struct, frozen=True):
    branches: list[_Branch] = []
    full_product_names: list[_FullName] = []
    relationships: list[_Relationship] = []
    product_groups: list[_Group] = []


class _Detail(Struct):
    """A flag, threat or remediation: it holds for products, for groups, or for all when it names none."""

    label: Justification | None = None
    category: str = ""
    details: str = ""
    product_ids: list[str] = []
    group_ids: list[str] = []


class _Id(Struct):
    text: str


class _Status(Struct, frozen=True):
    fixed: list[str] = []
    first_fixed: list[str] = []
    known_affected: list[str] = []
    first_affected: list[str] = []
    last_affected: list[str] = []
    known_not_affected: list[str] = []
    under_investigation: list[str] = []
    unknown: list[str] = []


class _Vulnerability(Struct):
    cve: str = ""
    ids: list[_Id] = []
    product_status: _Status = _Status()
    flags: list[_Detail] = []
    threats: list[_Detail] = []
    remediations: list[_Detail] = []


class _Tracking(Struct):
    current_release_date: Moment
    status: Literal["draft", "interim", "final"]


class _Publisher(Struct):
    name: str


class _Head(Struct):
    category: str
    csaf_version: str
    publisher: _Publisher
    tracking: _Tracking


class _Document(Struct):
    document: _Head
    product_tree: _Tree = _Tree()
    vulnerabilities: list[_Vulnerability] = []


_STATUS = {
    VexStatus.FIXED: ("fixed", "first_fixed"),
    VexStatus.NOT_AFFECTED: ("known_not_affected",),
    VexStatus.AFFECTED: ("known_affected", "first_affected", "last_affected"),
    VexStatus.UNDER_INVESTIGATION: ("under_investigation", "unknown"),
}


def read(raw: bytes, _subjects: Sequence[Named]) -> Document:
    """Read a document of the profile VEX; a draft counts for nothing."""
    found = msgspec.json.decode(raw, type=_Document)
    head = found.document
    if head.category != _PROFILE or head.csaf_version not in _VERSIONS:
        raise RecordError(
            "it is not a CSAF document of the profile VEX",
            why=f"category {head.category[:100]}, CSAF {head.csaf_version[:20]}; read are {_PROFILE}, "
            f"{' and '.join(_VERSIONS)}",
        )
    things = _things(found.product_tree)
    groups = {each.group_id: each.product_ids for each in found.product_tree.product_groups}
    claims = tuple(
        claim for each in found.vulnerabilities for claim in _claims(each, things, groups, head.tracking)
    )
    defect = "its document is a draft" if head.tracking.status == "draft" else ""
    return Document(author=head.publisher.name, claims=claims, defect=defect)


def _claims(
    one: _Vulnerability,
    things: Mapping[str, tuple[Named, Named | None]],
    groups: Mapping[str, Sequence[str]],
    tracking: _Tracking,
) -> Iterator[Claim]:
    names = tuple(filter(None, dict.fromkeys((one.cve, *(each.text for each in one.ids))))) or ("unnamed",)
    for status, fields in _STATUS.items():
        for product in dict.fromkeys(each for field in fields for each in getattr(one.product_status, field)):
            thing, part = things.get(product, (_UNKNOWN, None))
            flags = _of(product, one.flags, groups)
            texts = [*_of(product, one.threats, groups), *_of(product, one.remediations, groups)]
            yield Claim(
                statement=Statement(names=names, product=thing, part=part),
                status=status,
                created=tracking.current_release_date,
                justification=next((each.label for each in flags if each.label), None),
                rationale="; ".join(each.details for each in texts if each.details),
            )


def _of(product: str, details: Sequence[_Detail], groups: Mapping[str, Sequence[str]]) -> list[_Detail]:
    """Return the details that hold for a product."""
    return [
        each
        for each in details
        if not (each.product_ids or each.group_ids)
        or product in each.product_ids
        or any(product in groups.get(group, ()) for group in each.group_ids)
    ]


def _things(tree: _Tree) -> dict[str, tuple[Named, Named | None]]:
    """Return every product of the tree by its id, with the component of it that a relationship names."""
    plain = dict(_leaves(tree))
    found: dict[str, tuple[Named, Named | None]] = {key: (each, None) for key, each in plain.items()}
    for each in tree.relationships:
        # A relationship of relationships is not followed: what it is about is not known then.
        product = plain.get(each.relates_to_product_reference, _UNKNOWN)
        found[each.full_product_name.product_id] = (product, plain.get(each.product_reference, _UNKNOWN))
    return found


def _leaves(tree: _Tree) -> Iterator[tuple[str, Named]]:
    for each in tree.full_product_names:
        yield each.product_id, _name(each, "")
    open_branches = list(tree.branches)
    while open_branches:
        branch = open_branches.pop()
        open_branches += branch.branches
        if branch.product:
            versions = branch.name if branch.category == "product_version_range" else ""
            yield branch.product.product_id, _name(branch.product, versions)


def _name(product: _FullName, versions: str) -> Named:
    helper = product.product_identification_helper
    hashes = [one for each in helper.hashes for one in each.file_hashes]
    others = [f"{each.algorithm}:{each.value}" for each in hashes]
    names = [helper.purl, *helper.purls, helper.cpe]
    found = name(names, others=others, versions=versions)
    return found if found.purls or found.others else Named(others=(product.name or product.product_id,))
