"""Gates as test cases: what a CI host shows must be what the gates said."""

from __future__ import annotations

from dataclasses import dataclass

from defusedxml.ElementTree import fromstring

from autoclave.junit import reader, writer


@dataclass
class Verdict:
    gate: str
    passed: bool
    reasons: tuple[str, ...] = ()


def test_an_open_gate_is_a_passed_test_and_a_closed_one_a_failure_with_all_reasons() -> None:
    raw = writer.write([Verdict("root-user", True), Verdict("findings", False, ("CVE-1 <high>", "CVE-2"))])
    facts = reader.read([raw])
    assert (facts.passed, facts.failed, facts.defect) == (1, 1, "")
    (case,) = facts.cases
    assert case.name == "autoclave.gates::findings"
    assert case.message == "CVE-1 <high>"
    assert "CVE-2" in (fromstring(raw).findtext(".//failure") or "")


def test_a_gate_closed_without_a_reason_still_shows_as_failed() -> None:
    assert reader.read([writer.write([Verdict("a", False), Verdict("b", False, ("",))])]).failed == 2


def test_characters_that_xml_cannot_hold_do_not_break_the_report() -> None:
    facts = reader.read([writer.write([Verdict("log", False, ("bell \x07 and ü",))])])
    assert facts.failed == 1
    assert "ü" in facts.cases[0].message
