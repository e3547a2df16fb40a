"""A release with waivers and approvals, for real: from the finding to production."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders.devices import KNOWN_BAD, Repository, free_port
from builders.flow import device
from integration.people import Organisation, add_soup_register, full_database, make_organisation

FOUND = "CVE-2019-10906"
UNTIL = f"{datetime.now(UTC) + timedelta(days=100):%Y-%m-%d}"
WHY = ["--rationale", "no template comes from outside", "--risk-reference", "RM-7", "--expires", UNTIL]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Organisation:
    return make_organisation(tmp_path_factory.mktemp("organisation") / "keys")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, people: Organisation) -> Iterator[Repository]:
    """A device with a vulnerable package, which its gates have stopped, and a production environment."""
    folder = tmp_path_factory.mktemp("waived")
    with device(KNOWN_BAD / "vulnerable-package", folder, name="t-waived") as repository:
        repository.more["AUTOCLAVE_SCANNER_CACHE"] = full_database(folder / "trivy")
        add_soup_register(repository, ("jinja2", "2.10"), ("markupsafe", "*"))
        with (repository.folder / "autoclave.toml").open("a", encoding="utf-8") as file:
            file.write('\n[[environment]]\nname = "production"\nproduction = true\n')
            file.write(f"publish = {{ app = {free_port()} }}\n")
        repository.commit()
        done = repository.run("run", *people.options)
        assert done.code == 23, done.err
        yield repository


def test_a_waiver_by_two_persons_opens_the_gates_up_to_staging(
    here: Repository, people: Organisation
) -> None:
    done = here.run("waive", FOUND, "--id", "W-1", *WHY, *people.key("ben"))
    assert done.code == 0, done.err
    assert "decisions/W-1.waiver.json is signed by Ben Engineer" in done.out
    uncommitted = here.run("run", *people.options)
    assert uncommitted.code == 23
    assert "W-1" not in uncommitted.message
    here.commit()
    alone = here.run("run", *people.options)
    assert alone.code == 23
    assert "waiver W-1 does not count: nobody but its author signed it (ben)" in alone.message
    again = here.run("waive", "W-1", "--approve", *people.key("ben"))
    assert again.code == 44
    assert "author and approver must be two persons" in again.message
    done = here.run("waive", "W-1", "--approve", *people.key("ada"))
    assert done.code == 0, done.err
    assert "signed by Ben Engineer and Ada Quality" in done.out
    here.commit()
    done = here.run("run", *people.options)
    assert done.code == 0, done.err
    assert f"waived: {FOUND} by W-1 until {UNTIL} (not_affected)" in done.err
    listed = here.run("waive", *people.trust)
    assert "W-1 is USED" in listed.out


def test_a_signed_waiver_is_never_overwritten(here: Repository, people: Organisation) -> None:
    file = here.folder / "decisions" / "W-1.waiver.json"
    before = file.read_bytes()
    done = here.run("waive", FOUND, "--id", "W-1", *WHY, *people.key("ada"))
    assert done.code == 44, done.err
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--expires", "2020-01-01"], 44, "it expired on 2020-01-01"),
        (["--expires", "soon"], 2, "is not a date"),
        (["--status", "fine"], 2, "there is no status 'fine'"),
        (["--risk-reference", ""], 44, "does not refer to the risk file"),
    ],
)
def test_a_waiver_that_could_not_count_is_not_signed(
    here: Repository, people: Organisation, words: list[str], code: int, says: str
) -> None:
    done = here.run("waive", FOUND, "--id", "W-9", *WHY, *words, *people.key("ada"))
    assert done.code == code, done.err
    assert says in done.message
    assert not (here.folder / "decisions" / "W-9.waiver.json").exists()


def test_the_pipeline_cannot_waive_and_development_keys_cannot_either(
    here: Repository, people: Organisation
) -> None:
    done = here.run("waive", FOUND, *WHY, *people.key("steps"))
    assert done.code == 33, done.err
    assert "a key of the pipeline cannot decide" in done.message
    assert here.run("waive", FOUND, *WHY).code == 2


def test_decisions_are_written_as_openvex_and_as_cyclonedx(here: Repository, people: Organisation) -> None:
    openvex = json.loads(here.run("vex", *people.trust).out)
    (said,) = openvex["statements"]
    assert said["vulnerability"]["name"] == FOUND
    purl = "pkg:pypi/jinja2@2.10"
    assert said["products"][0]["subcomponents"] == [{"@id": purl, "identifiers": {"purl": purl}}]
    cyclonedx = json.loads(here.run("vex", "--format", "cyclonedx", *people.trust).out)
    assert cyclonedx["vulnerabilities"][0]["affects"][0]["ref"].startswith("urn:cdx:")


def test_production_waits_for_its_quorum_and_then_runs(here: Repository, people: Organisation) -> None:
    deploy = ["deploy", "production", *people.options[:4]]
    closed = here.run(*deploy)
    assert closed.code == 25, closed.err
    assert closed.message.splitlines()[1:2] == ["why:  1 approval by quality demanded, 0 given"]
    unread = here.run("approve", "production", "--reason", "bench report R-17", *people.key("ada"))
    assert unread.code == 2
    assert "there is no terminal on which the text could be confirmed" in unread.message
    shown = here.run("approve", "production", "--dry-run", *people.trust)
    assert shown.code == 0, shown.err
    assert "TO production\nproduction: production, because the device file declares it\n" in shown.out
    assert f"waiver W-1: {FOUND} is used until {UNTIL}: no template comes from outside" in shown.out
    digest = shown.out.rsplit("sha256 of this text: ", 1)[1].strip()
    other = here.run("approve", "production", "--reason", "R-17", "--shown", "sha256:1", *people.key("ada"))
    assert other.code == 44
    assert "what you read is not what would be signed" in other.message
    words = ["--reason", "bench report R-17", "--shown", digest]
    approved = here.run("approve", "production", *words, *people.key("ada"))
    assert approved.code == 0, approved.err
    assert "Ada Quality (ada) signed as quality: approval of production (engine " in approved.out
    done = here.run(*deploy)
    assert done.code == 0, done.err
    record = json.loads(here.run("show", here.image_digest, "approval", *people.trust).out)
    facts = record["predicate"]["facts"]
    assert f"production ({facts['place']}), " in approved.out
    assert facts | {"signed_at": ""} == {
        "environment": "production",
        "place": facts["place"],
        "user": "ada",
        "printed_name": "Ada Quality",
        "role": "quality",
        "meaning": "approval",
        "reason": "bench report R-17",
        "shown": digest,
        "signed_at": "",
    }
    assert datetime.fromisoformat(facts["signed_at"]).tzinfo


def test_an_approval_for_another_place_does_not_count(here: Repository, people: Organisation) -> None:
    place = "cluster https://clinic.example:6443 ward"
    shown = here.run("approve", "production", "--place", place, "--dry-run", *people.trust)
    digest = shown.out.rsplit("sha256 of this text: ", 1)[1].strip()
    words = ["--place", place, "--reason", "seen in the ward", "--shown", digest]
    assert here.run("approve", "production", *words, *people.key("ada")).code == 0
    record = json.loads(here.run("show", here.image_digest, "approval", *people.trust).out)
    assert record["predicate"]["facts"]["place"] == place
    # The approval for this machine is still there, and counts here.
    assert here.run("deploy", "production", "--again", *people.options[:4]).code == 0


def test_an_approval_is_of_one_verification(here: Repository, people: Organisation) -> None:
    assert here.run("sign", "--again", *people.options).code == 0
    closed = here.run("deploy", "production", "--again", *people.options[:4])
    assert closed.code == 25
    assert "the approval by Ada Quality does not count: it is about an earlier verification" in closed.message


def test_approvals_of_persons_who_left_the_organisation_do_not_count(
    here: Repository, people: Organisation, tmp_path: Path
) -> None:
    trust = people.folder / "today.toml"
    text = (people.folder / "trust.toml").read_text("utf-8")
    trust.write_text(text.replace('"Ada Quality"', '"Somebody Else"'), "utf-8")
    closed = here.run("deploy", "production", "--again", "--trust", str(trust), *people.options[2:4])
    assert closed.code == 25
    assert "it names Ada Quality (ada), the key is Somebody Else's" in closed.message
