"""Suppliers' documents in three formats: which finding of which image each opens, warns of, or leaves alone.

The fixtures in `tests/fixtures/vex` are what suppliers send; the expectations were worked out by hand.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from securesystemslib.signer import CryptoSigner

from autoclave.errors import RecordError
from autoclave.evidence import dsse, vex
from autoclave.evidence.statement import PAYLOAD_TYPE, TYPE
from autoclave.evidence.trust import Trust, TrustedKey
from autoclave.gates import waivers
from autoclave.gates.waivers import JudgedWaiver, WaiverState
from autoclave.model.facts import Finding, Severity
from autoclave.model.vex import Product
from builders.sample_facts import NOW, POLICY, vulnerability

FIXTURES = Path(__file__).parents[2] / "fixtures" / "vex"
OPENVEX, CYCLONEDX = "https://openvex.dev/ns/v0.2.0", "https://cyclonedx.org/bom"
CSAF = "https://docs.oasis-open.org/csaf/csaf/v2.0/csaf_json_schema.json"
HEX = "ab" * 32
PRODUCT = Product(
    digest=f"sha256:{HEX}",
    names=("app", "pump"),
    repositories=("registry.example/team/pump",),
    architecture="amd64",
)
JINJA = replace(
    vulnerability(Severity.HIGH, name="CVE-2019-10906"),
    package="Jinja2",
    version="2.10",
    purl="pkg:pypi/jinja2@2.10",
    aliases=("GHSA-462w-v97r-4m45",),
    bulletins=("DSA-1",),
)
OPENSSL = replace(
    vulnerability(Severity.HIGH, name="CVE-2026-7"),
    package="openssl",
    version="3.0.11-1",
    purl="pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12.5",
)
KEY = CryptoSigner.generate_ecdsa()
PATTERNS = ("pkg:pypi/jinja2", "pkg:deb/debian/*")
TRUST = Trust(
    (TrustedKey(name="Pallets", key=KEY.public_key, may=("vex",), packages=PATTERNS),), "trust.toml"
)


def attest(document: Any, kind: str = OPENVEX, *, subject: str = "0" * 64) -> bytes:
    """Sign a document as a supplier's attestation about a digest."""
    statement = {
        "_type": TYPE,
        "subject": [{"name": "x", "digest": {"sha256": subject}}],
        "predicateType": kind,
        "predicate": document,
    }
    return dsse.sign(json.dumps(statement).encode(), PAYLOAD_TYPE, KEY)


def judge(
    *raw: bytes, found: Finding = JINJA, product: Product = PRODUCT, trust: Trust = TRUST
) -> tuple[JudgedWaiver, ...]:
    """Judge documents for a finding in an image of class B."""
    signed = [each for one in raw for each in vex.verify(one, trust, name="a.vex.json", device="pump")]
    return waivers.judge(signed, [found], device="pump", product=product, policy=POLICY["B"].waivers, now=NOW)


def outcome(judged: tuple[JudgedWaiver, ...]) -> str:
    """Return `opens`, `warns`, or `-` when a document does nothing for the finding."""
    if waivers.find_waived(judged):
        return "opens"
    refused = [each for each in judged if each.state is WaiverState.REFUSED and each.covers]
    warned = [each for each in refused if not each.signed.defect]
    return "warns" if warned else "-"


def openvex(**changed: Any) -> dict[str, Any]:
    """Return a document with one statement that opens the gate for the finding; changed as named."""
    said = {
        "vulnerability": {"name": "CVE-2019-10906"},
        "products": [{"@id": "pkg:pypi/jinja2@2.10"}],
        "status": "not_affected",
        "justification": "vulnerable_code_not_present",
    }
    return {
        "@context": OPENVEX,
        "@id": "urn:x:1",
        "author": "Pallets",
        "timestamp": (NOW - timedelta(days=3)).isoformat(),
        "version": 1,
        "statements": [{key: value for key, value in (said | changed).items() if value is not None}],
    }


def within(product: str | dict[str, Any], part: str | dict[str, Any] = "pkg:pypi/jinja2@2.10") -> list[Any]:
    """Return a list of products with one, of which a component is named."""
    whole = {"@id": product} if isinstance(product, str) else product
    return [whole | {"subcomponents": [{"@id": part} if isinstance(part, str) else part]}]


PRODUCTS: list[tuple[list[Any], str, str]] = [
    # the package as the product
    ([{"@id": "pkg:pypi/jinja2@2.10"}], "opens", "warns"),
    ([{"@id": "pkg:pypi/Jinja2@2.10"}], "opens", "warns"),
    (["pkg:pypi/jinja2@2.10"], "opens", "warns"),
    ([{"@id": "urn:any", "identifiers": {"purl": "pkg:pypi/jinja2@2.10"}}], "opens", "warns"),
    ([{"@id": "pkg:pypi/jinja2@2.10?arch=arm64"}], "-", "-"),
    ([{"@id": "pkg:pypi/jinja2@2.9"}], "-", "-"),
    ([{"@id": "pkg:pypi/jinja2"}], "warns", "warns"),  # refused: it names no version
    ([{"@id": "pkg:pypi/jin\nja2@2.10"}], "warns", "warns"),
    # a component of this image
    (within("pkg:oci/app"), "opens", "warns"),
    (within("pkg:oci/APP"), "opens", "warns"),
    (within("pkg:oci/pump"), "opens", "warns"),
    (within(f"pkg:oci/anything@sha256%3A{HEX}"), "opens", "warns"),
    (within(f"pkg:oci/app@sha256:{HEX}?arch=amd64"), "opens", "warns"),
    (within(f"pkg:oci/app@sha256:{HEX}?arch=arm64"), "-", "-"),
    (within(f"pkg:oci/app@sha256:{HEX}?repository_url=elsewhere.example/app"), "opens", "warns"),
    (within("pkg:oci/app?repository_url=registry.example/team/pump"), "opens", "warns"),
    (within("pkg:oci/app?repository_url=elsewhere.example/app"), "-", "-"),
    (within("pkg:oci/app?arch=arm64"), "-", "-"),
    (within("pkg:oci/app?tag=1.0"), "-", "warns"),  # a tag says nothing that can be verified
    (within({"@id": "urn:any", "hashes": {"sha-256": HEX}}), "opens", "warns"),
    (within({"@id": f"registry.example/team/pump@sha256:{HEX}"}), "opens", "warns"),
    (within(f"pkg:oci/app@sha256:{HEX}", "pkg:pypi/jinja2"), "opens", "warns"),  # pinned by the digest
    (within("pkg:oci/app", "pkg:pypi/jinja2"), "warns", "warns"),
    (within("pkg:oci/app", "pkg:pypi/jinja2@2.9"), "-", "-"),
    (within("pkg:oci/app", "pkg:pypi/other@1"), "-", "-"),
    (within("pkg:oci/app", {"identifiers": {"cpe23": "cpe:2.3:a:pallets:jinja2:2.10"}}), "warns", "warns"),
    # another product's component
    (within("pkg:oci/other"), "-", "-"),
    (within("pkg:oci/app@sha256:" + "0" * 64), "-", "-"),
    (within("pkg:pypi/webconsole@4.0"), "-", "-"),
    (within({"hashes": {"sha-256": "0" * 64}}), "-", "-"),
    (within("https://example.org/product/7"), "-", "warns"),
    (within({"identifiers": {"cpe23": "cpe:2.3:a:acme:console:4.0"}}), "-", "warns"),
    # nothing at all
    ([{}], "warns", "warns"),
]


@pytest.mark.parametrize(("products", "opening", "warning"), PRODUCTS)
def test_a_statement_is_about_the_product_and_component_that_it_names(
    products: list[Any], opening: str, warning: str
) -> None:
    assert outcome(judge(attest(openvex(products=products)))) == opening
    said = openvex(products=products, status="affected", justification=None, action_statement="update")
    assert outcome(judge(attest(said))) == warning


@pytest.mark.parametrize("file", ["other-product.json", "product-of-the-attestation.json"])
def test_a_document_about_another_product_does_nothing(file: str) -> None:
    assert outcome(judge(attest(json.loads((FIXTURES / file).read_bytes())))) == "-"


def test_a_document_that_names_no_product_is_about_what_is_attested() -> None:
    document = json.loads((FIXTURES / "product-of-the-attestation.json").read_bytes())
    assert outcome(judge(attest(document, subject=HEX))) == "warns"
    assert outcome(judge(attest(openvex(products=None), subject=HEX))) == "opens"
    assert outcome(judge(attest(openvex(products=None)))) == "-"
    for said, result in ((document, "warns"), (openvex(products=[]), "warns")):
        payload = {"_type": TYPE, "subject": [], "predicateType": OPENVEX, "predicate": said}
        raw = dsse.sign(json.dumps(payload).encode(), PAYLOAD_TYPE, KEY)
        assert outcome(judge(raw)) == result, "without any product it opens nothing, and may warn"


@pytest.mark.parametrize(
    ("vulnerability", "opening", "warning"),
    [
        ({"name": "GHSA-462w-v97r-4m45"}, "opens", "warns"),
        ({"name": "ghsa-462W-v97r-4m45"}, "opens", "warns"),
        ({"name": "PALLETS-1", "aliases": ["CVE-2019-10906"]}, "opens", "warns"),
        ({"name": "PALLETS-1", "@id": "https://nvd.example/vuln/detail/CVE-2019-10906"}, "opens", "warns"),
        ("CVE-2019-10906", "opens", "warns"),
        ({"name": "DSA-1"}, "-", "warns"),
        ({"name": "CVE-2020-1", "aliases": ["GHSA-462w-v97r-4m45"]}, "-", "warns"),
        ({"name": "CVE-2020-1"}, "-", "-"),
        ({"name": ""}, "-", "-"),
    ],
)
def test_a_warning_counts_under_every_name_of_the_finding(
    vulnerability: Any, opening: str, warning: str
) -> None:
    assert outcome(judge(attest(openvex(vulnerability=vulnerability)))) == opening
    said = openvex(vulnerability=vulnerability, status="under_investigation", justification=None)
    assert outcome(judge(attest(said))) == warning
    good = attest(openvex())
    assert outcome(judge(good, attest(later(said)))) == ("opens" if warning == "-" else "warns")


def later(document: dict[str, Any], days: int = 1) -> dict[str, Any]:
    """Return a document that was issued later than the one of `openvex`."""
    return document | {"timestamp": (NOW - timedelta(days=3 - days)).isoformat()}


def test_the_newest_statement_counts_whichever_document_it_is_in() -> None:
    good, bad = openvex(), openvex(status="affected", justification=None, action_statement="update")
    assert outcome(judge(attest(good), attest(later(bad)))) == "warns"
    assert outcome(judge(attest(later(good)), attest(bad))) == "opens"
    both = good | {"statements": good["statements"] + bad["statements"]}
    assert outcome(judge(attest(both))) == "warns", "of the same moment, the warning"
    dated = [bad["statements"][0] | {"timestamp": (NOW - timedelta(days=9)).isoformat()}]
    assert outcome(judge(attest(good | {"statements": good["statements"] + dated}))) == "opens"


@pytest.mark.parametrize(
    ("name", "opens"),
    [
        ("pkg:deb/debian/openssl@3.0.11-1", True),
        ("pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12.5", True),
        ("pkg:deb/debian/openssl@3.0.11-1?distro=debian-12", True),
        ("pkg:deb/debian/openssl@3.0.11-1?arch=arm64", False),
        ("pkg:deb/debian/openssl@3.0.11-1?distro=debian-11", False),
        ("pkg:deb/ubuntu/openssl@3.0.11-1", False),
        ("pkg:deb/debian/openssl@3.0.11", False),
    ],
)
def test_another_architecture_or_distribution_opens_nothing(name: str, opens: bool) -> None:
    said = openvex(vulnerability={"name": "CVE-2026-7"}, products=[{"@id": name}])
    assert (outcome(judge(attest(said), found=OPENSSL)) == "opens") is opens


def test_a_signer_signs_for_its_packages_only_whatever_the_statement_names() -> None:
    other = replace(JINJA, purl="pkg:pypi/requests@2.10", package="requests")
    image = openvex(products=[{"@id": f"pkg:oci/app@sha256:{HEX}"}])
    assert outcome(judge(attest(image))) == "opens", "of the package that is its own, in this image"
    for said in (image, openvex(products=[{"hashes": {"sha-256": HEX}}])):
        (one,) = judge(attest(said), found=other)
        assert not one.counts
        assert one.why == (
            "the trust file lets no signer sign for pkg:pypi/requests: "
            "Pallets may sign for pkg:pypi/jinja2, pkg:deb/debian/*"
        )
    trusted = replace(TRUST.keys[0], packages=("pkg:oci/app",))
    assert outcome(judge(attest(image), found=other, trust=Trust((trusted,), "trust.toml"))) == "opens"


def test_a_warning_by_somebody_who_may_not_sign_for_the_package_changes_nothing() -> None:
    other = replace(JINJA, purl="pkg:pypi/requests@2.10", package="requests")
    key = CryptoSigner.generate_ecdsa()
    requests = TrustedKey(name="R", key=key.public_key, may=("vex",), packages=("pkg:pypi/requests",))
    good = json.loads(attest(openvex(products=[{"@id": "pkg:pypi/requests@2.10"}])))
    payload, kind, _ = dsse.decode(json.dumps(good).encode())
    signed = dsse.sign(payload, kind, key)
    warning = openvex(products=None, status="affected", justification=None, action_statement="stop using it")
    trust = Trust((*TRUST.keys, requests), "trust.toml")
    assert outcome(judge(signed, attest(later(warning), subject=HEX), found=other, trust=trust)) == "opens"


def csaf(product: str, status: str, **head: Any) -> dict[str, Any]:
    """Return the CSAF fixture about one product with one status."""
    text = (FIXTURES / "csaf.json").read_text().replace("PRODUCT", product).replace("STATUS", status)
    document: dict[str, Any] = json.loads(text)
    document["document"] |= head
    return document


@pytest.mark.parametrize(
    ("product", "opening", "warning"),
    [
        ("J-210", "opens", "warns"),
        ("J-OLD", "opens", "warns"),
        ("J-NEW", "-", "-"),
        ("APP:J-210", "opens", "warns"),
        ("CONSOLE:J-210", "-", "-"),
        ("CONSOLE", "-", "-"),
        ("MISSING", "warns", "warns"),
    ],
)
def test_csaf_is_matched_in_the_same_way(product: str, opening: str, warning: str) -> None:
    for status in ("known_not_affected", "fixed", "first_fixed"):
        assert outcome(judge(attest(csaf(product, status), CSAF))) == opening, status
    for status in ("known_affected", "first_affected", "last_affected", "under_investigation"):
        assert outcome(judge(attest(csaf(product, status), CSAF))) == warning, status
    assert outcome(judge(attest(csaf(product, "recommended"), CSAF))) == "-"


def test_csaf_gives_author_time_reason_and_justification() -> None:
    (one,) = judge(attest(csaf("J-210", "known_not_affected"), CSAF))
    waiver = one.signed.waiver
    assert (waiver.author, waiver.justification) == ("Pallets PSIRT", "vulnerable_code_not_in_execute_path")
    assert (waiver.rationale, f"{waiver.created:%Y-%m-%d}") == (
        "no sandboxed template is rendered",
        "2026-11-20",
    )


def test_a_draft_of_csaf_and_another_profile_do_not_count() -> None:
    draft = csaf("J-210", "known_not_affected")
    draft["document"]["tracking"]["status"] = "draft"
    (one,) = judge(attest(draft, CSAF))
    assert not one.counts and one.why == "its document is a draft"
    with pytest.raises(RecordError, match="not a CSAF document of the profile VEX"):
        judge(attest(csaf("J-210", "fixed", category="csaf_security_advisory"), CSAF))


def cyclonedx(ref: str, state: str, main: str = "", **affected: Any) -> dict[str, Any]:
    """Return the CycloneDX fixture about one reference with one state."""
    text = (FIXTURES / "cyclonedx.json").read_text().replace("REF", ref).replace("STATE", state)
    document: dict[str, Any] = json.loads(text.replace("MAIN", main))
    if not main:
        del document["metadata"]["component"]
    document["vulnerabilities"][0]["affects"][0] |= affected
    return document


@pytest.mark.parametrize(
    ("document", "opening", "warning"),
    [
        ({"ref": "jinja2"}, "opens", "warns"),
        ({"ref": "pkg:pypi/jinja2@2.10"}, "opens", "warns"),
        ({"ref": "jinja2", "main": "pkg:oci/app"}, "opens", "warns"),
        ({"ref": "jinja2", "main": "pkg:pypi/webconsole@4.0"}, "-", "-"),
        ({"ref": "main", "main": "pkg:pypi/jinja2@2.10"}, "opens", "warns"),
        ({"ref": "jinja2-any"}, "warns", "warns"),
        ({"ref": "jinja2-any", "versions": [{"version": "2.10"}]}, "opens", "warns"),
        ({"ref": "jinja2-any", "versions": [{"range": "vers:pypi/<2.11"}]}, "opens", "warns"),
        ({"ref": "jinja2-any", "versions": [{"range": "vers:pypi/>3"}]}, "-", "-"),
        ({"ref": "jinja2-any", "versions": [{"version": "2.9"}]}, "-", "-"),
        ({"ref": "jinja2-any", "versions": [{"version": "2.10", "status": "unknown"}]}, "-", "warns"),
        ({"ref": "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#jinja2"}, "warns", "warns"),
    ],
)
def test_cyclonedx_is_matched_in_the_same_way(document: dict[str, Any], opening: str, warning: str) -> None:
    for state in ("not_affected", "false_positive", "resolved", "resolved_with_pedigree"):
        assert outcome(judge(attest(cyclonedx(state=state, **document), CYCLONEDX))) == opening, state
    assert outcome(judge(attest(cyclonedx(state="exploitable", **document), CYCLONEDX))) == warning


def test_cyclonedx_without_an_analysis_decides_nothing_and_without_a_date_is_refused() -> None:
    document = cyclonedx("jinja2", "not_affected")
    document["vulnerabilities"][0]["analysis"] = {}
    (one,) = judge(attest(document, CYCLONEDX))
    assert one.why == "its status is under_investigation: nothing is decided yet"
    del document["metadata"]["timestamp"]
    with pytest.raises(RecordError, match="has no date"):
        judge(attest(document, CYCLONEDX))


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (csaf("J-210", "fixed"), OPENVEX),
        (openvex(), CSAF),
        (openvex(), CYCLONEDX),
        (openvex(), "https://example.org/vex"),
        (openvex(status="fine"), OPENVEX),
        (openvex() | {"@context": "https://example.org"}, OPENVEX),
        (openvex() | {"timestamp": "2026-11-20T10:00:00"}, OPENVEX),
        ([], OPENVEX),
        (cyclonedx("jinja2", "fine"), CYCLONEDX),
    ],
)
def test_what_is_not_a_document_of_its_type_is_an_error(document: Any, kind: str) -> None:
    with pytest.raises(RecordError, match=r"a\.vex\.json"):
        judge(attest(document, kind))


def test_hostile_documents_are_bounded() -> None:
    many = openvex(products=[{"@id": f"pkg:pypi/p{number}@1"} for number in range(30_000)])
    with pytest.raises(RecordError, match="more than 20000 statements"):
        judge(attest(many))
    text = json.dumps(csaf("J-210", "fixed"))
    deep = text.replace('"full_product_names"', '"branches": BRANCH, "full_product_names"')
    nested = '{"category":"v","name":"x","branches":[' * 3000 + "]}" * 3000
    statement = (
        f'{{"_type":"{TYPE}","subject":[],"predicateType":"{CSAF}","predicate":'
        + deep.replace("BRANCH", f"[{nested}]")
        + "}"
    )
    with pytest.raises(RecordError):
        judge(dsse.sign(statement.encode(), PAYLOAD_TYPE, KEY))


NAMES = st.sampled_from(
    [
        "pkg:pypi/jinja2@2.10", "pkg:pypi/jinja2", "pkg:oci/app", f"pkg:oci/x@sha256:{HEX}", "pkg:oci/other",
        "pkg:pypi/webconsole@4.0", "pkg:oci/app?arch=arm64", "https://example.org/x", "",
    ]
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(product=NAMES, part=NAMES)
def test_what_opens_would_also_warn(product: str, part: str) -> None:
    products = within(product, part)
    bad = openvex(products=products, status="affected", justification=None, action_statement="x")
    if outcome(judge(attest(openvex(products=products)))) == "opens":
        assert outcome(judge(attest(bad))) == "warns"
