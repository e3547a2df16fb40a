"""Decisions that must not count, and claims without proof: requirements, waivers, approvals, the register."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autoclave.evidence import dsse, statement, waivers
from autoclave.evidence.vex import openvex
from autoclave.model.declared import Scope, VexStatus, Waiver
from autoclave.signers import open_signer
from builders.devices import KNOWN_BAD, Repository
from builders.flow import device
from builders.prepared_devices import prepare
from integration.known_bad import assert_not_signed, assert_stopped, is_released, prepare_scanned
from integration.people import Organisation, add_soup_register, make_organisation

# What tests share is prepared once in the worker that gets all of them.
in_control = pytest.mark.xdist_group("control")
on_the_finding = pytest.mark.xdist_group("vulnerable")
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Organisation:
    return make_organisation(tmp_path_factory.mktemp("organisation") / "keys")


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Repository]:
    """The control device, built, tested and scanned: nothing is wrong with it yet."""
    with prepare_scanned(tmp_path) as repository:
        yield repository


def register_packages(repository: Repository) -> None:
    """Let the register know the packages: the finding alone blocks then."""
    add_soup_register(repository, ("jinja2", "2.10"), ("markupsafe", "*"))


@pytest.fixture
def vulnerable(tmp_path: Path, people: Organisation) -> Iterator[Repository]:
    """A device with a finding that blocks, built and tested, and everything else in order."""
    source, words = KNOWN_BAD / "vulnerable-package", people.options
    with prepare(source, tmp_path, to="unit-test", change=register_packages, words=words) as repository:
        yield repository


@in_control
def test_a_requirement_without_a_test(control: Repository) -> None:
    with (control.folder / "requirements.csv").open("a", encoding="utf-8") as file:
        file.write('REQ-99,"An alarm sounds within a second.",risk-control,HAZ-7,test\n')
    control.commit()
    assert control.run("run", "--to", "sign").code == 24
    says = "1 risk control without a test that passed on this image: REQ-99"
    assert_not_signed(control, "requirement without a test", says)


@in_control
def test_a_test_of_another_digest(control: Repository) -> None:
    control.edit("app.py", "import", "# another image\nimport")
    control.commit()
    assert control.run("build").code == 0
    assert control.run("scan").code == 0
    assert_not_signed(
        control, "requirement tested on another digest", "without a test that passed on this image"
    )


@in_control
def test_a_component_without_an_entry_closes_the_release_gate(control: Repository) -> None:
    control.edit("soup.toml", 'component = "debian"', 'component = "alpine"')
    control.commit()
    assert control.run("run", "--to", "sign").code == 24
    says = "components have no entry in the SOUP register: debian 12."
    assert_not_signed(control, "new component without a register entry", says)


def waiver(device: str, author: str, **changed: datetime) -> Waiver:
    """A waiver of the finding, good but for what is changed."""
    return Waiver(
        id="W-1",
        device=device,
        finding="CVE-2019-10906",
        scope=Scope(package="pkg:pypi/jinja2", versions="2.10"),
        status=VexStatus.NOT_AFFECTED,
        rationale="no template comes from outside",
        risk_reference="RM-7",
        author=author,
        created=changed.get("created", NOW),
        expires=changed.get("expires", NOW + timedelta(days=30)),
    )


def commit_waiver(repository: Repository, people: Organisation, said: Waiver, *keys: str) -> None:
    """Commit a waiver signed with these keys, made without our commands."""
    first, *others = [open_signer(f"file:{people.folder / name}.pem", None) for name in keys]
    raw = waivers.sign(said, first)
    for signer in others:
        raw = waivers.countersign(raw, signer)
    commit_decision(repository, "W-1.waiver.json", raw)


def commit_decision(repository: Repository, name: str, raw: bytes) -> None:
    folder = repository.folder / "decisions"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(raw)
    repository.commit()


@on_the_finding
def test_the_same_waiver_in_order_is_used(vulnerable: Repository, people: Organisation) -> None:
    commit_waiver(vulnerable, people, waiver(vulnerable.name, "ada"), "ada", "ben")
    done = vulnerable.run("run", "--to", "sign", *people.options)
    assert done.code == 0, done.err


@on_the_finding
def test_an_expired_waiver_does_not_count(vulnerable: Repository, people: Organisation) -> None:
    day = timedelta(days=1)
    commit_waiver(
        vulnerable,
        people,
        waiver(vulnerable.name, "ada", created=NOW - 9 * day, expires=NOW - day),
        "ada",
        "ben",
    )
    says = "waiver W-1 does not count: it expired on"
    assert_refused(vulnerable, people, "expired waiver", says)


@on_the_finding
def test_a_waiver_approved_by_its_author_does_not_count(vulnerable: Repository, people: Organisation) -> None:
    people.add_person("ada-again", "Ada Quality", "quality")
    commit_waiver(vulnerable, people, waiver(vulnerable.name, "ada"), "ada", "ada-again")
    says = "author and approver are the same person (ada)"
    assert_refused(vulnerable, people, "waiver approved by its own author", says)


@on_the_finding
def test_a_waiver_with_one_word_changed_does_not_count(vulnerable: Repository, people: Organisation) -> None:
    commit_waiver(vulnerable, people, waiver(vulnerable.name, "ada"), "ada", "ben")
    file = vulnerable.folder / "decisions" / "W-1.waiver.json"
    good = file.read_bytes()
    other = waivers.sign(
        waiver(vulnerable.name, "ada", expires=NOW + timedelta(days=90)), open_signer(_key(people), None)
    )
    payload = other.split(b'"payload":"')[1].split(b'"')[0]
    file.write_bytes(good.replace(good.split(b'"payload":"')[1].split(b'"')[0], payload))
    vulnerable.commit()
    says = "its signature does not match its content"
    assert_refused(vulnerable, people, "waiver with one word changed", says)


def assert_refused(vulnerable: Repository, people: Organisation, case: str, says: str) -> None:
    """Check that the scan's gate stays closed, and that nothing is released then."""
    done = vulnerable.run("scan", *people.options[:4])
    assert_stopped(case, vulnerable, done, step="scan", code=23, says=says)
    assert vulnerable.run("sign", *people.options).code == 24
    assert not is_released(vulnerable)


def commit_vex(
    repository: Repository, people: Organisation, status: str, key: str, *, product: str = "pkg:oci/app"
) -> None:
    """Commit what a supplier says of the finding, as an attestation that anybody's tools can make."""
    said = {
        "vulnerability": {"name": "CVE-2019-10906"},
        "products": [{"@id": product, "subcomponents": [{"@id": "pkg:pypi/jinja2@2.10"}]}],
        "status": status,
    }
    document = {
        "@context": openvex.CONTEXT,
        "@id": "https://example.org/vex/1",
        "author": "Pallets",
        "timestamp": NOW.isoformat(),
        "version": 1,
        "statements": [said],
    }
    payload = statement.make("sha256:" + "0" * 64, openvex.CONTEXT, document)
    raw = dsse.sign(payload, statement.PAYLOAD_TYPE, open_signer(f"file:{people.folder / key}.pem", None))
    commit_decision(repository, "pallets.vex.json", raw)


@pytest.fixture(scope="session")
def suppliers(people: Organisation) -> Organisation:
    """One supplier of the package, and one of another."""
    people.trust_supplier("pallets", "pkg:pypi/jinja2")
    people.trust_supplier("somebody", "pkg:pypi/requests")
    return people


@on_the_finding
def test_a_valid_document_of_a_supplier_is_used(vulnerable: Repository, suppliers: Organisation) -> None:
    commit_vex(vulnerable, suppliers, "not_affected", "pallets")
    done = vulnerable.run("run", "--to", "sign", *suppliers.options)
    assert done.code == 0, done.err


@on_the_finding
def test_a_suppliers_warning_closes_the_release_gate(vulnerable: Repository, suppliers: Organisation) -> None:
    commit_vex(vulnerable, suppliers, "affected", "pallets")
    says = "its supplier says that the package is affected"
    assert_refused(vulnerable, suppliers, "supplier's VEX that warns", says)


@on_the_finding
def test_a_suppliers_document_about_anothers_package_does_not_count(
    vulnerable: Repository, suppliers: Organisation
) -> None:
    commit_vex(vulnerable, suppliers, "not_affected", "somebody")
    says = "the trust file lets no signer sign for pkg:pypi/jinja2"
    assert_refused(vulnerable, suppliers, "supplier's VEX of another's package", says)


@on_the_finding
def test_a_suppliers_document_about_another_product_does_not_count(
    vulnerable: Repository, suppliers: Organisation
) -> None:
    product = "pkg:oci/pallets-website@sha256:" + "a" * 64
    commit_vex(vulnerable, suppliers, "not_affected", "pallets", product=product)
    says = "which is not known to be this image"
    assert_refused(vulnerable, suppliers, "supplier's VEX of another product", says)


@on_the_finding
def test_an_approval_by_a_pipeline_key_does_not_count(tmp_path: Path, people: Organisation) -> None:
    with device(KNOWN_BAD / "control", tmp_path, name="t-claims") as control:
        with (control.folder / "autoclave.toml").open("a", encoding="utf-8") as file:
            file.write('\n[[environment]]\nname = "production"\nproduction = true\n')
        control.commit()
        assert control.run("run", "--to", "sign", *people.options).code == 0
        options = ["--trust", str(forge_trust(people)), *people.options[2:4]]
        shown = control.run("approve", "production", "--dry-run", *options[:2])
        digest = shown.out.rsplit("sha256 of this text: ", 1)[1].strip()
        words = ["production", "--reason", "why not", "--shown", digest]
        assert control.run("approve", *words, *options).code == 0
        done = control.run("deploy", "production", *people.options[:4])
        says = "approval record: the record is signed by a key that may not sign approve"
        assert_stopped(
            "approval signed with a pipeline's key", control, done, step="deploy", code=25, says=says
        )


def forge_trust(people: Organisation) -> Path:
    """Write a trust file in which the pipeline's key is a person's, and may approve."""
    file = people.folder / "forged.toml"
    entries = (people.folder / "trust.toml").read_text("utf-8").split("[[key]]")
    others = [each for each in entries if '"steps.pub"' not in each]
    file.write_text(
        "[[key]]".join(others) + '[[key]]\nname = "x"\npublic = "steps.pub"\nmay = ["approve"]\n'
        'person = { id = "ada", name = "Ada Quality", roles = ["quality"] }\n',
        "utf-8",
    )
    return file


def _key(people: Organisation) -> str:
    return f"file:{people.folder / 'ada'}.pem"
