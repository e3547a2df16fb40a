"""Other people's `.gitlab-ci.yml`: read safely, changed in the ref alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoclave.hosts.gitlab.ci_file import LARGEST, REF, read, replace_ref


@pytest.mark.parametrize(
    ("text", "kind", "ref"),
    [
        ("include: {project: a/autoclave, ref: v1, file: x.yml}", "project", "v1"),
        ("include: {project: a/autoclave, file: x.yml}", "project", ""),
        ("include:\n- component: $CI_SERVER_FQDN/a/autoclave/flow@1.2.3", "component", "1.2.3"),
        ("include:\n- component: g.example/a/autoclave/flow", "component", ""),
        ("include: https://g.example/a/autoclave/-/raw/v1/x.yml", "remote", "v1"),
        ("include: {remote: 'https://g.example/a/autoclave/x.yml'}", "remote", ""),
        ("include: ci/autoclave.yml", "local", ""),
        ("include: [{local: Autoclave.yml}]", "local", ""),
        ("spec: {inputs: {}}\n---\ninclude: {project: a/autoclave, ref: v1}", "project", "v1"),
        ("x: &a 1\ny: &a 2\ninclude: {project: a/autoclave, ref: v1}", "project", "v1"),
        ("b: &b {ref: v1}\ninclude:\n- <<: *b\n  project: a/autoclave", "project", "v1"),
        ("x: &x\n  project: a/autoclave\n  ref: v1\ninclude: *x", "project", "v1"),
    ],
)
def test_every_way_to_include_is_recognised(text: str, kind: str, ref: str) -> None:
    (found,) = read(text, "autoclave").includes
    assert (found.kind, found.ref) == (kind, ref)


@pytest.mark.parametrize("text", ["", "a: {b: c}", "include:", "include: {template: A.yml}", "include: [7]"])
def test_other_files_include_nothing(text: str) -> None:
    assert read(text, "autoclave").includes == ()
    assert read(text, "autoclave").problem == ""


def test_overrides_are_jobs_of_the_template_with_their_keys() -> None:
    text = "autoclave-scan: {allow_failure: true, when: manual}\n.autoclave: {rules: !reference [a, b]}\n"
    text += "autoclaved: {script: x}\nautoclave-x: text\nvariables: {AUTOCLAVE_B: 1, AUTOCLAVE_A: 1, C: 1}\n"
    found = read(text, "autoclave")
    assert [(each.job, each.keys) for each in found.overrides] == [
        ("autoclave-scan", ("allow_failure", "when")),
        (".autoclave", ("rules",)),
    ]
    assert found.variables == ("AUTOCLAVE_A", "AUTOCLAVE_B")


@pytest.mark.parametrize(
    "text",
    [
        "a: [b",
        "- a",
        "text",
        "a: b\n\tc: d",
        "[" * 5000,
        "a: " + "b" * LARGEST,
        "a: \x00",
        "include: *nowhere",
        "include: {project: a/autoclave, ref: v1, ref: v2}",
    ],
)
def test_what_cannot_be_read_is_a_problem_and_no_crash(text: str) -> None:
    assert read(text, "autoclave").problem


def test_no_python_object_is_made_and_no_alias_is_expanded() -> None:
    text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for one, other in zip("bcdefghij", "abcdefghi", strict=True):
        text += f"{one}: &{one} [{', '.join([f'*{other}'] * 10)}]\n"
    text += "z: !!python/object/apply:os.system ['exit 1']\ninclude: {project: a/autoclave, ref: v1}\n"
    assert read(text, "autoclave").includes[0].ref == "v1"


PIECES = [
    "include",
    "project",
    "ref",
    "autoclave",
    ": ",
    "\n",
    "  ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "&a ",
    "*a",
]
PIECES += [
    "<<",
    "!x ",
    "!!python/name:os ",
    "'",
    '"',
    "|\n",
    "---\n",
    "...\n",
    "? ",
    "#",
    "%YAML 9\n",
    "@",
    "v1",
    "\x00",
]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=80))
def test_no_file_ends_in_a_crash(text: str) -> None:
    found = read(text, "autoclave")
    try:
        replace_ref(text, "autoclave", "v2")
    except ValueError as error:
        assert str(error)
    else:
        assert not found.problem


FILE = """\
# top
include:
    -   project:  'a/autoclave'  # ours
        ref:      v1.0   # pinned
        file:   [ /a.yml ]
    - { project: b/other, ref: v1.0 }
    - component: "$CI_SERVER_FQDN/a/autoclave/flow@1.0"
    - https://v1.example/a/autoclave/-/raw/v1/x.yml

job:   {script: ["echo   'v1.0'"]}
"""


def test_only_the_refs_of_the_template_change() -> None:
    before, after = FILE.splitlines(), replace_ref(FILE, "autoclave", "v2").splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [
        ("        ref:      v1.0   # pinned", "        ref:      v2   # pinned"),
        (
            '    - component: "$CI_SERVER_FQDN/a/autoclave/flow@1.0"',
            '    - component: "$CI_SERVER_FQDN/a/autoclave/flow@v2"',
        ),
        (
            "    - https://v1.example/a/autoclave/-/raw/v1/x.yml",
            "    - https://v1.example/a/autoclave/-/raw/v2/x.yml",
        ),
    ]


@pytest.mark.parametrize(
    ("now", "to", "then"),
    [
        ("0.1.0", "v0.2.0", "0.2.0"),  # of the catalog, whose versions have no letter
        ("0.1", "v0.2.0-rc.1", "0.2.0-rc.1"),
        ("v0.1.0", "v0.2.0", "v0.2.0"),
        ("0.1.0", "main", "main"),
        ("0.1.0", "0.2.0", "0.2.0"),
    ],
)
def test_a_component_keeps_the_form_of_its_version(now: str, to: str, then: str) -> None:
    text = "include:\n- component: $CI_SERVER_FQDN/a/autoclave/scan@%s\n"
    assert replace_ref(text % now, "autoclave", to) == text % then
    assert replace_ref(text % then, "autoclave", to) == text % then


@pytest.mark.parametrize("quote", ["'", '"', ""])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_quotes_and_line_ends_stay(quote: str, end: str) -> None:
    text = end.join(["include:", "  project: a/autoclave", f"  ref: {quote}v1{quote}"])
    for each in (text, text + end):
        assert replace_ref(each, "autoclave", "v2") == each.replace("v1", "v2")


def test_a_ref_that_looks_like_a_number_stays_text() -> None:
    assert replace_ref("include: {project: autoclave, ref: v1}", "autoclave", "2.0") == (
        'include: {project: autoclave, ref: "2.0"}'
    )


@pytest.mark.parametrize(
    "text",
    [
        "include: {project: a/autoclave}",
        "include:\n  project: a/autoclave\n  ref: >-\n    v1\n",
        "include: {project: a/autoclave, ref: &r v1}",
        "include: {project: a/autoclave, ref: 1.10}",
        "b: &b {ref: v1}\ninclude:\n- <<: *b\n  project: a/autoclave",
        "x: &x {project: a/autoclave, ref: v1}\ninclude: [*x, *x]",
        "include: {remote: 'https://g.example/a/autoclave/x.yml'}",
        "a: [b",
    ],
)
def test_what_only_a_person_can_change_is_left_alone(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        replace_ref(text, "autoclave", "v2")


@pytest.mark.parametrize("ref", ["v1.2.3", "main", "1.0", "release/2026", "0123abcd"])
def test_usual_refs_are_taken(ref: str) -> None:
    assert REF.fullmatch(ref)
