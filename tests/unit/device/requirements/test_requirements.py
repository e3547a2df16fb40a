"""Requirements as people keep them: every format, and every way in which a file is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoclave.device import requirements
from autoclave.device.requirements import csv, doorstop, strictdoc, toml
from autoclave.errors import AutoclaveError, ConfigError, SourceError
from autoclave.model.declared import Method, Requirement, RequirementKind

SAMPLES = Path(__file__).parents[3] / "fixtures/requirements"
REFUSES = Requirement(
    id="R-2",
    text="Refuses, and says why.",
    kind=RequirementKind.RISK_CONTROL,
    hazard="H-7",
    method=Method.INSPECTION,
    evidence="DOC-3",
    source="r.csv:3",
    in_scope=False,
)


def read(folder: Path, content: str, name: str = "r.csv") -> tuple[Requirement, ...]:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)
    return requirements.read(folder, name.partition("/")[0] if "/" in name else name)


def test_csv_in_any_order_of_columns(tmp_path: Path) -> None:
    text = (
        "\ufeffIn scope,kind,text,id,hazard,method,evidence\r\n,,Adds.,R-1,,,\r\n"
        '\r\nno,Risk Control,"Refuses,\nand says why.",R-2,H-7,inspection,DOC-3\r\n'
    )
    one, two = read(tmp_path, text)
    assert one == Requirement(id="R-1", text="Adds.", source="r.csv:2")
    assert two == Requirement(
        **{**{f: getattr(REFUSES, f) for f in REFUSES.__struct_fields__}, "source": "r.csv:4"}
    )


def test_toml_requirements_are_read(tmp_path: Path) -> None:
    text = """
[[requirement]]
id = "R-1"
text = "Adds."
[[requirement]]
id = "R-2"
text = "Refuses."
kind = "security"
in-scope = false
"""
    assert read(tmp_path, text, "r.toml") == (
        Requirement(id="R-1", text="Adds.", source="r.toml:2"),
        Requirement(
            id="R-2", text="Refuses.", kind=RequirementKind.SECURITY, in_scope=False, source="r.toml:5"
        ),
    )


def test_doorstop_as_it_writes_yaml() -> None:
    found = requirements.read(SAMPLES, "doorstop")
    assert [(each.id, each.in_scope) for each in found] == [
        ("SRS002", True),
        ("SRS003", True),
        ("SRS004", True),
        ("SRS005", False),
    ]
    assert found[1] == Requirement(
        id="SRS003",
        text="The service refuses SpO2 outside 10 to 100 %. It says why.",
        kind=RequirementKind.RISK_CONTROL,
        hazard="H-2",
        source="doorstop/SRS003.yml:1",
    )
    assert (found[2].method, found[2].evidence) == (Method.INSPECTION, "DOC-12")


def test_doorstop_as_it_writes_markdown() -> None:
    (one,) = requirements.read(SAMPLES, "doorstop-markdown")
    assert (one.id, one.kind, one.hazard) == ("MD-001", RequirementKind.SECURITY, "H-3")
    assert one.text == "The log contains no patient data. --- Nor does the trace."


@pytest.mark.parametrize("name", ["strictdoc", "strictdoc/gateway.sdoc"])
def test_strictdoc_file_and_folder(name: str) -> None:
    one, two = requirements.read(SAMPLES, name)
    assert (one.id, one.kind, one.hazard) == ("SRS-1", RequirementKind.RISK_CONTROL, "H-1")
    assert one.text.startswith("SpO2 below the low limit raises a medium-priority alarm.")
    assert (two.id, two.text, two.evidence) == ("SRS-2", "The manual names every limit.", "DOC-12")
    assert two.source == "strictdoc/gateway.sdoc:66"


CSV = "id,text\n"
TOML = '[[requirement]]\nid = "R-1"\n'
SDOC = "[DOCUMENT]\nTITLE: x\n\n"
REFUSED = {
    "csv: empty": ("r.csv", "", "the file is empty"),
    "csv: no id column": ("r.csv", "name,text\n", "r.csv:1: the header has no column 'id'"),
    "csv: no text column": ("r.csv", "id,kind\n", "r.csv:1: the header has no column 'text'"),
    "csv: unknown column": ("r.csv", "id,text,hazzard\n", "r.csv:1: unknown column 'hazzard'"),
    "csv: column twice": ("r.csv", "id,text,id\n", "r.csv:1: the column 'id' is there twice"),
    "csv: short row": ("r.csv", CSV + "R-1\n", "r.csv:2: 1 columns, the header names 2"),
    "csv: comma in a text": ("r.csv", CSV + "R-1,a, b\n", "r.csv:2: 3 columns"),
    "csv: open quote": ("r.csv", CSV + 'R-1,"a\n', "not CSV"),
    "csv: no id": ("r.csv", CSV + " ,a\n", "r.csv:2: a requirement without id"),
    "csv: no text": ("r.csv", CSV + "R-1,\n", "r.csv:2: the requirement has no text"),
    "csv: id twice": ("r.csv", CSV + "R-1,a\nR-2,b\nR-1,c\n", "r.csv:4: the id 'R-1' is there twice"),
    "csv: comma in an id": ("r.csv", CSV + '"R-1,R-2",a\n', "r.csv:2: the id 'R-1,R-2' cannot be used"),
    "csv: escape in an id": ("r.csv", CSV + "R-\x1b1,a\n", "cannot be used"),
    "csv: long id": ("r.csv", CSV + f"{'R' * 101},a\n", "cannot be used"),
    "csv: long text": ("r.csv", CSV + f"R-1,{'a' * 4001}\n", "more than 4000 characters"),
    "csv: unknown kind": ("r.csv", "id,text,kind\nR-1,a,riks\n", "r.csv:2: there is no kind 'riks'"),
    "csv: unknown method": ("r.csv", "id,text,method\nR-1,a,look\n", "r.csv:2: there is no method 'look'"),
    "csv: scope": ("r.csv", "id,text,in-scope\nR-1,a,maybe\n", "neither yes nor no"),
    "csv: too many": ("r.csv", CSV + "".join(f"R-{n},a\n" for n in range(10_001)), "more than 10000"),
    "toml: none": ("r.toml", "requirement = 3", "requirement is 3"),
    "toml: broken": ("r.toml", "[[requirement]\n", "not valid TOML"),
    "toml: deep": ("r.toml", "a=" + "[" * 5000, "not valid TOML"),
    "toml: unknown key": ("r.toml", TOML + 'text = "a"\nhazzard = "H"\n', "unknown key"),
    "toml: no text": ("r.toml", TOML, "text is missing"),
    "toml: empty id": (
        "r.toml",
        '[[requirement]]\nid = ""\ntext = "a"\n',
        "r.toml:1: a requirement without id",
    ),
    "sdoc: no document": ("r.sdoc", "[REQUIREMENT]\nUID: R\nSTATEMENT: a\n", "not a StrictDoc document"),
    "sdoc: no UID": ("r.sdoc", SDOC + "[REQUIREMENT]\nSTATEMENT: a\n", "r.sdoc:4: a requirement without id"),
    "sdoc: no statement": (
        "r.sdoc",
        SDOC + "[REQUIREMENT]\nUID: R\n",
        "r.sdoc:4: the requirement has no text",
    ),
    "sdoc: open text": (
        "r.sdoc",
        SDOC + "[REQUIREMENT]\nUID: R\nSTATEMENT: >>>\na\n",
        "r.sdoc:6: the text has no end",
    ),
    "sdoc: two ids": ("r.sdoc", SDOC + "[REQUIREMENT]\nUID: R\nUID: S\n", "two fields UID"),
    "doorstop: settings": ("r/.doorstop.yml", "settings: 3\n", "not the settings of a Doorstop document"),
    "no format": ("r.docx", "x", "not a known format"),
    "no folder of requirements": ("r/readme.txt", "x", "a folder without requirements"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_with_its_place(tmp_path: Path, case: str) -> None:
    name, content, reason = REFUSED[case]
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, content, name)
    assert reason in caught.value.what
    assert caught.value.next or caught.value.why
    assert "\x1b" not in caught.value.what + caught.value.why


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\ntext: *b\n"
TRICKS = {
    "tag": ("active: true\ntext: !!python/object/apply:os.system ['id']\n", ":2: a tag, which is refused"),
    "anchor": (BOMB, ":1: an anchor"),
    "alias": ("text: *a\n", ":1: "),
    "depth": ("text: " + "[" * 40 + "]" * 40, "more than 16 levels"),
    "no mapping": ("- a\n", ":1: not a YAML mapping"),
    "no YAML": ("text: [\n", "not YAML that can be used"),
    "key twice": ("text: a\ntext: b\n", "not YAML that can be used"),
    "kind": ("text: a\nkind: 2026-01-01\n", ":1: kind is not text"),
    "active": ("text: a\nactive: perhaps\n", "neither yes nor no"),
}


@pytest.mark.parametrize("case", TRICKS)
def test_hostile_yaml_is_an_error_with_its_reason(tmp_path: Path, case: str) -> None:
    content, reason = TRICKS[case]
    read_doorstop(tmp_path, {"R1.yml": "text: a\n"})
    with pytest.raises(ConfigError) as caught:
        read_doorstop(tmp_path, {"R1.yml": content})
    assert caught.value.what.startswith("r/R1.yml:")
    assert reason in caught.value.what


def read_doorstop(folder: Path, items: dict[str, str], form: str = "yaml") -> tuple[Requirement, ...]:
    home = folder / "r"
    home.mkdir(exist_ok=True)
    (home / ".doorstop.yml").write_text(f"settings:\n  prefix: R\n  itemformat: {form}\n")
    for name, content in items.items():
        (home / name).write_text(content)
    return requirements.read(folder, "r")


def test_doorstop_takes_yes_and_no_and_ignores_other_files(tmp_path: Path) -> None:
    items = {
        "R1.yml": "active: no\ntext: a\n",
        "R2.yml": "normative: off\ntext: b\n",
        "notes.yml": "x",
        "R3.md": "",
    }
    (one,) = read_doorstop(tmp_path, items)
    assert (one.id, one.in_scope) == ("R1", False)


def test_doorstop_markdown_needs_its_front(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not an item of Doorstop"):
        read_doorstop(tmp_path, {"R1.md": "# Title\n\ntext\n"}, "markdown")


def test_paths_that_leave_the_device_are_refused(tmp_path: Path) -> None:
    device = tmp_path / "device"
    (device / "specs").mkdir(parents=True)
    (tmp_path / "secret.csv").write_text("id,text\nR-1,a\n")
    (device / "link.csv").symlink_to(tmp_path / "secret.csv")
    (device / "specs/r.sdoc").symlink_to(tmp_path / "secret.csv")
    for name in ("../secret.csv", str(tmp_path / "secret.csv"), "link.csv", "specs"):
        with pytest.raises(SourceError, match="leaves the device folder"):
            requirements.read(device, name)


def test_what_is_missing_large_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is not a file"):
        requirements.read(tmp_path, "r.csv")
    with pytest.raises(ConfigError, match="larger than 4 MiB"):
        read(tmp_path, "x" * (4 << 20) + "y")
    (tmp_path / "r.csv").write_bytes(b"id,text\nR-1,\xff\n")
    with pytest.raises(ConfigError, match=r"r\.csv:2: not UTF-8"):
        requirements.read(tmp_path, "r.csv")


@given(st.text(max_size=300))
def test_no_text_breaks_a_reader(text: str) -> None:
    for reader in (csv.read, toml.read, strictdoc.parse):
        try:
            reader(text, "r")
        except AutoclaveError:
            continue


@given(st.text(max_size=200))
def test_no_yaml_breaks_the_reader(text: str) -> None:
    try:
        doorstop._load(text, "r", 1)
    except AutoclaveError as error:
        assert error.what.startswith("r:")
