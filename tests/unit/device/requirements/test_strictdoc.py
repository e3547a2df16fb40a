"""StrictDoc: documents that include others, and elements with the tags of a grammar of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoclave.device import requirements
from autoclave.errors import ConfigError, SourceError

SAMPLES = Path(__file__).parents[3] / "fixtures/requirements"
OWN = """\
[DOCUMENT]
TITLE: Pump

[GRAMMAR]
ELEMENTS:
- TAG: SW_REQ
  FIELDS:
  - TITLE: UID
    TYPE: String
    REQUIRED: True

[TEXT]
STATEMENT: Some words.

[FREETEXT]
[Note]
UID: NONE-1
[/FREETEXT]

[SW_REQ]
UID: PUMP-1
STATEMENT: The pump shall stop.

[REQUIREMENT]
UID: PUMP-2
STATEMENT: The pump shall start.

[[SYS-REQ]]
UID: PUMP-3
STATEMENT: >>>
The pump shall hum.
[NOT_AN_ELEMENT]
<<<

[SW_REQ]
UID: PUMP-4
STATEMENT: Inside.

[[/SYS-REQ]]
"""


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def document(*included: str, uid: str = "") -> str:
    own = f"\n[REQUIREMENT]\nUID: {uid}\nSTATEMENT: It works.\n" if uid else ""
    return (
        "[DOCUMENT]\nTITLE: x\n"
        + own
        + "".join(f"\n[DOCUMENT_FROM_FILE]\nFILE: {name}\n" for name in included)
    )


def ids(folder: Path, name: str, *, ignored: tuple[str, ...] = ()) -> list[str]:
    return [each.id for each in requirements.read(folder, name, ignored=ignored)]


def test_included_documents_are_read() -> None:
    one, two = requirements.read(SAMPLES, "strictdoc-includes/index.sdoc")
    assert (one.id, two.id, two.kind) == ("SRS-1", "SRS-2", "risk-control")
    assert two.source == "strictdoc-includes/alarms.sdoc:4"
    assert ids(SAMPLES, "strictdoc-includes") == ["SRS-2", "SRS-1"]


def test_includes_are_relative_to_their_document_and_read_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        a_sdoc=document("sub/b.sdoc", "sub/b.sdoc", uid="A"),
        sub__b_sdoc=document("../a.sdoc", "c.sdoc", uid="B"),
        sub__c_sdoc=document(uid="C"),
    )
    assert ids(tmp_path, "a.sdoc") == ["A", "B", "C"]


@pytest.mark.parametrize("name", ["missing.sdoc", "", "../../outside.sdoc", "/etc/passwd", "sub"])
def test_a_document_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    device = tmp_path / "device"
    write(device, a_sdoc=document(name), sub__x_txt="x")
    (tmp_path / "outside.sdoc").write_text(document(uid="OUT"))
    with pytest.raises(SourceError) as caught:
        requirements.read(device, "a.sdoc")
    assert "does not exist" in caught.value.what or "leaves the device folder" in caught.value.what


def test_a_link_out_of_the_device_is_not_followed(tmp_path: Path) -> None:
    device = tmp_path / "device"
    write(device, a_sdoc=document("b.sdoc"))
    (tmp_path / "outside.sdoc").write_text(document(uid="OUT"))
    (device / "b.sdoc").symlink_to("../outside.sdoc")
    with pytest.raises(SourceError, match="leaves the device folder"):
        requirements.read(device, "a.sdoc")


def test_elements_with_tags_of_their_own_are_requirements(tmp_path: Path) -> None:
    write(tmp_path, a_sdoc=OWN)
    assert ids(tmp_path, "a.sdoc") == ["PUMP-1", "PUMP-2", "PUMP-3", "PUMP-4"]
    assert ids(tmp_path, "a.sdoc", ignored=("SW_REQ",)) == ["PUMP-2", "PUMP-3"]


def test_an_element_that_cannot_be_a_requirement_is_refused_by_its_tag(tmp_path: Path) -> None:
    write(tmp_path, a_sdoc=OWN + "\n[COMPONENT]\nUID: C-1\nTITLE: Motor\n")
    with pytest.raises(ConfigError) as caught:
        requirements.read(tmp_path, "a.sdoc")
    assert "the element [COMPONENT] has no UID and STATEMENT" in caught.value.what
    assert "traceability.not-requirements" in caught.value.next
    assert ids(tmp_path, "a.sdoc", ignored=("COMPONENT",))[-1] == "PUMP-4"


def test_a_text_without_end_is_refused(tmp_path: Path) -> None:
    write(tmp_path, a_sdoc="[DOCUMENT]\nTITLE: x\n\n[FREETEXT]\n[REQUIREMENT]\nUID: A\n")
    with pytest.raises(ConfigError) as caught:
        requirements.read(tmp_path, "a.sdoc")
    assert caught.value.what == "a.sdoc:4: the text has no end"


def test_too_many_documents_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoclave.device.requirements.strictdoc._MOST_DOCUMENTS", 2)
    write(tmp_path, a_sdoc=document("b.sdoc"), b_sdoc=document("c.sdoc"), c_sdoc=document())
    with pytest.raises(ConfigError, match="more than 2 StrictDoc documents"):
        requirements.read(tmp_path, "a.sdoc")
