"""ReqIF: what StrictDoc exports, names as other tools give them, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoclave.device import requirements
from autoclave.device.requirements import reqif
from autoclave.errors import ConfigError
from autoclave.model.declared import Requirement

SAMPLES = Path(__file__).parents[3] / "fixtures/requirements"
DEFINITIONS = {
    "d-id": ("STRING", "ReqIF.ForeignID", ""),
    "d-text": ("XHTML", "ReqIF.Text", ""),
    "d-head": ("STRING", "ReqIF.ChapterName", ""),
    "d-kind": ("ENUMERATION", "Kind", "<ENUM-VALUE-REF>e-risk</ENUM-VALUE-REF>"),
    "d-scope": ("BOOLEAN", "In_Scope", ""),
}


def attribute(definition: str, value: str) -> str:
    kind = DEFINITIONS[definition][0]
    inside = {
        "XHTML": f"<THE-VALUE><x:div xmlns:x='http://www.w3.org/1999/xhtml'>{value}</x:div></THE-VALUE>",
        "ENUMERATION": f"<VALUES><ENUM-VALUE-REF>{value}</ENUM-VALUE-REF></VALUES>",
    }.get(kind, "")
    given_value = "" if inside else f' THE-VALUE="{value}"'
    reference = f"ATTRIBUTE-DEFINITION-{kind}-REF"
    named = f"<DEFINITION><{reference}>{definition}</{reference}></DEFINITION>"
    return f"<ATTRIBUTE-VALUE-{kind}{given_value}>{inside}{named}</ATTRIBUTE-VALUE-{kind}>"


def specification(*objects: str, kind: str = "Requirement Type", default: bool = False) -> str:
    definitions = "".join(
        f'<ATTRIBUTE-DEFINITION-{of} IDENTIFIER="{key}" LONG-NAME="{name}">'
        + (
            f"<DEFAULT-VALUE><ATTRIBUTE-VALUE-{of}><VALUES>{value}</VALUES></ATTRIBUTE-VALUE-{of}></DEFAULT-VALUE>"
            if default and value
            else ""
        )
        + f"</ATTRIBUTE-DEFINITION-{of}>"
        for key, (of, name, value) in DEFINITIONS.items()
    )
    return (
        '<REQ-IF xmlns="http://www.omg.org/spec/ReqIF/20110401/reqif.xsd"><CORE-CONTENT><REQ-IF-CONTENT>'
        '<DATATYPES><ENUM-VALUE IDENTIFIER="e-risk" LONG-NAME="Risk Control"/></DATATYPES>'
        f'<SPEC-TYPES><SPEC-OBJECT-TYPE IDENTIFIER="t" LONG-NAME="{kind}"><SPEC-ATTRIBUTES>{definitions}'
        f"</SPEC-ATTRIBUTES></SPEC-OBJECT-TYPE></SPEC-TYPES><SPEC-OBJECTS>{''.join(objects)}</SPEC-OBJECTS>"
        "</REQ-IF-CONTENT></CORE-CONTENT></REQ-IF>"
    )


def spec_object(identifier: str, *attributes: tuple[str, str]) -> str:
    values = "".join(attribute(*each) for each in attributes)
    reference = "<TYPE><SPEC-OBJECT-TYPE-REF>t</SPEC-OBJECT-TYPE-REF></TYPE>"
    return f'<SPEC-OBJECT IDENTIFIER="{identifier}">{reference}<VALUES>{values}</VALUES></SPEC-OBJECT>'


def read(text: str, *ignored: str) -> list[Requirement]:
    return reqif.read(text, "r.reqif", ignored)


STOPS = spec_object("o-1", ("d-id", "SRS-1"), ("d-text", "<x:p>It <x:b>stops</x:b></x:p>"))


def test_what_strictdoc_exports_is_read() -> None:
    one, two = requirements.read(SAMPLES, "reqif/pump.reqif")
    assert (one.id, one.text, one.kind, one.hazard) == (
        "SRS-1",
        "The pump stops, at once, & alarms.",
        "risk-control",
        "HAZ-1",
    )
    assert (two.id, two.kind) == ("SRS-2", "requirement")
    assert two.source.startswith("reqif/pump.reqif:SW_REQ-")
    assert requirements.read(SAMPLES, "reqif/pump.reqif", ignored=["SW_REQ"]) == ()


def test_rich_text_enumerations_and_flags_are_words() -> None:
    values = (("d-text", "<x:p>It</x:p>stops"), ("d-kind", "e-risk"), ("d-scope", "false"))
    (one,) = read(specification(spec_object("o", *values)))
    assert (one.id, one.text, one.kind, one.in_scope) == ("o", "It stops", "risk-control", False)


def test_a_default_of_the_type_counts_where_an_object_names_no_value() -> None:
    assert read(specification(STOPS, default=True))[0].kind == "risk-control"
    assert read(specification(STOPS))[0].kind == "requirement"


def test_headings_and_types_that_are_none_are_passed_over() -> None:
    assert read(specification(spec_object("o", ("d-head", "1 Pump")))) == []
    assert read(specification(STOPS, kind="Heading")) == []
    assert read(specification(STOPS), "requirement type") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<REQ-IF", "not XML"),
        ("<html/>", "not a ReqIF file"),
        ('<!DOCTYPE REQ-IF [<!ENTITY a "x">]><REQ-IF>&a;</REQ-IF>', "XML that is refused"),
        ('<!DOCTYPE REQ-IF SYSTEM "file:///etc/passwd"><REQ-IF/>', "XML that is refused"),
        ("<REQ-IF>" + "<a>" * 300, "nested more than 200 deep"),
        (specification(spec_object("o-7", ("d-id", "A"))), "r.reqif:o-7: the object has neither a text nor"),
        (
            specification(spec_object("o", ("d-text", "x"), ("d-kind", "e-other"))),
            "there is no kind 'e-other'",
        ),
        (specification(spec_object("o", ("d-id", "A&#x200b;"), ("d-text", "x"))), "U+200B ZERO WIDTH SPACE"),
    ],
)
def test_what_cannot_be_used_is_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert says in caught.value.what


def test_one_id_for_two_objects_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.reqif").write_text(specification(STOPS, STOPS))
    with pytest.raises(ConfigError, match="'SRS-1' is there twice"):
        requirements.read(tmp_path, "r.reqif")


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    for given_text in (text, specification(spec_object("o", ("d-id", "A"))).replace("SPEC-OBJECT", text[:5])):
        with suppress(ConfigError):
            read(given_text)
