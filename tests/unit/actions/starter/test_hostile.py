"""Nothing that a repository holds makes `init` follow, run, hang, grow or fail: it is left out, and said."""

# ruff: noqa: E501 -- a file's text in one line reads better

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from autoclave.actions.starter import repository, survey, texts
from autoclave.actions.starter.facts import lines_of
from autoclave.actions.starter.render import render
from autoclave.device import device_file as device_file_room
from autoclave.errors import ConfigError
from autoclave.runtime.folder import Folder
from builders.starter import device_file, draft_of

DOCKERFILE = "FROM debian AS release\nEXPOSE 80\nCMD a\n"
EVIL = 'x"\n[policy]\nscan = {}\n#'
BOMB = '<!DOCTYPE z [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><project><version>&b;</version></project>'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("package.json", '{"version": ' + "[" * 100_000),
        ("package.json", '{"version": 1e999, "scripts": 7}'),
        ("package.json", "[]"),
        ("package.json", b"\xff\xfe\x00"),
        ("package.json", '{"version": "1\\n[policy]"}'),
        ("pom.xml", BOMB),
        ("pom.xml", '<!DOCTYPE p SYSTEM "file:///etc/passwd"><project/>'),
        ("pom.xml", "<project>" + "<a>" * 5000),
        ("pom.xml", "<project>" + "<a/>" * 90_000 + "</project>"),
        ("pom.xml", ""),
        ("pyproject.toml", "x = " + "[" * 50_000),
        ("pyproject.toml", '[project]\nname = 7\nversion = ["1"]\ndependencies = "pytest"\n'),
        ("setup.cfg", "[metadata\nversion = %(x)s\n"),
        ("docker-compose.yml", "services: " + "[" * 5000),
        ("docker-compose.yml", "services:\n  " + "- " * 5000),
        ("docker-compose.yml", "services:\n" + "".join(f"{' ' * n}a:\n" for n in range(1, 200))),
        ("docker-compose.yml", "services:\n" + "".join(f"  a{n}: {{build: .}}\n" for n in range(1000))),
        ("docker-compose.yml", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" * 1 + "".join(
            f"c{n}: &c{n} [{','.join([f'*{chr(98)}' if n == 0 else f'*c{n - 1}'] * 9)}]\n" for n in range(9))),
        ("docker-compose.yml", "services: !!python/object/apply:os.system ['touch /tmp/x']\n"),
        ("docker-compose.yml", "services:\n  a: {build: {context: ../../..}}\n  b: {build: /etc}\n  c: {ports: {a: b}}\n"),
        ("docker-compose.yml", "services: {'': {build: .}, '../x': {build: .}, 5: {image: [1]}, ok: null}\n"),
        ("docker-compose.yml", "a: " + "x" * 200_000),
        ("go.mod", "module " + "a" * 100_000),
        ("CMakeLists.txt", "project(" + "a" * 100_000 + "\n" + "project(" * 5000),
        ("build.gradle", "version = '" + "9" * 100_000),
        ("Cargo.toml", "[package]\nversion = { workspace = true }\n"),
        ("k8s/pod.yaml", "apiVersion: v1\nkind: Pod\n" + "httpGet:\n" * 50_000),
    ],
)  # fmt: skip
def test_a_hostile_file_changes_nothing_else(name: str, content: str | bytes) -> None:
    started = time.process_time()
    data = device_file(draft_of({"Dockerfile": DOCKERFILE, name: content}))
    assert time.process_time() - started < 20  # seconds of the processor: what is not bounded takes minutes
    assert [each["service"]["port"] for each in data["image"]] == [80]
    assert data.keys() <= {"device", "image", "environment", "unit-test", "traceability"}


@pytest.mark.parametrize(
    "content",
    [
        "FROM " + "a" * 70_000,
        "FROM x\n" * 2000,
        "RUN x\n",
        "\x00\x01",
        "FROM x AS a\nENV " + " ".join(f"A{n}=b" for n in range(1000)),
    ],
)
def test_a_dockerfile_that_no_builder_takes_is_left_out(content: str) -> None:
    draft = draft_of({"Dockerfile": DOCKERFILE, "bad/Dockerfile": content})
    assert [each.image.file.path for each in draft.parts] == ["Dockerfile"]
    assert any("bad/Dockerfile" in line and "left out" in line for line in lines_of(draft.remarks))


def test_values_that_double_stay_small() -> None:
    lines = ["FROM x AS a", "ENV A=aaaaaaaaaaaaaaaa"] + ["ENV A=$A$A"] * 60 + ["EXPOSE 80", "CMD a"]
    assert draft_of({"Dockerfile": "\n".join(lines)}).parts[0].port == 80


@pytest.mark.parametrize(
    "files",
    [
        {"Dockerfile": f"FROM x AS {EVIL}\nEXPOSE 80\nCMD a\n"},
        {"Dockerfile": f"FROM x\nCOPY '{EVIL}' /a\nUSER {EVIL}\nCMD a\n"},
        {"Dockerfile": DOCKERFILE, "package.json": '{"name": "\\u0022]\\n", "scripts": {"test": "mocha"}}'},
        {"Dockerfile": DOCKERFILE, 'a"b/Chart.yaml': "", 'tests"/test_a.py': "", "requirements.txt": ""},
        {
            "Dockerfile": DOCKERFILE,
            "compose.yml": "services:\n  x:\n    build: .\n    environment: {A: 'b\\u0000c\"'}\n",
        },
        {'x"y/Dockerfile': DOCKERFILE},
        {"Dockerfile.$(touch x)": DOCKERFILE},
        {"Dockerfile": DOCKERFILE, "a_test.go": "", "go.mod": 'module a"b\n'},
    ],
)
def test_no_text_of_a_repository_becomes_toml(files: dict[str, str]) -> None:
    for name in ("dose", EVIL, "", "\x1b[2J", "ä", "." * 300):
        data = device_file(draft_of(files, name=name))
        assert "policy" not in data


def test_links_pipes_and_odd_names_are_not_looked_at(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "package.json").write_text('{"version": "6.6.6"}')
    made = tmp_path / "device"
    made.mkdir()
    (made / "Dockerfile").write_text(DOCKERFILE)
    (made / "package.json").symlink_to(outside / "package.json")
    (made / "linked").symlink_to(outside)
    (made / "up").symlink_to("..")
    os.mkfifo(made / "pom.xml")
    (made / "go\nmod").write_text("")
    (made / os.fsdecode(b"\xff\xfe")).write_text("")
    draft = survey.survey(Folder(made))
    assert draft.version == "0.1.0"
    assert any("names were left out" in line for line in lines_of(draft.remarks))


def test_depth_number_and_size_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path.joinpath(*["d"] * 40)
    deep.mkdir(parents=True)
    (deep / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "package.json").write_bytes(b" " * (1 << 20))
    for number in range(30):
        (tmp_path / f"a{number}").write_text("")
    monkeypatch.setattr(repository, "MOST_FILES", 20)
    draft = survey.survey(Folder(tmp_path))
    said = "\n".join(lines_of(draft.remarks))
    assert "only the first 20 files were looked at" in said
    assert draft.parts == ()


def test_a_file_that_is_too_large_is_said(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_bytes(b" " * (1 << 20))
    said = "\n".join(lines_of(survey.survey(Folder(tmp_path)).remarks))
    assert "not read, because too large or unreadable: package.json" in said


@pytest.mark.parametrize("raw", [b"\xff\xfea\x00", b"\xfe\xff\x00a", b"\xef\xbb\xbfa", b"a"])
def test_texts_are_read_by_their_byte_order_mark(raw: bytes) -> None:
    assert texts.decode(raw, "x") == "a"


def test_other_encodings_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"x is not text"):
        texts.decode(b"\xe4", "x")


def test_a_thousand_images_are_cut_to_a_number_that_can_be_reviewed() -> None:
    files = {f"s{number}/Dockerfile": DOCKERFILE for number in range(1000)}
    draft = draft_of(files)
    assert len(draft.parts) <= 60
    device_file_room.parse(render(draft).encode(), source="x")


@pytest.mark.parametrize(
    "service",
    [
        "{build: ., command: [serve, '--api-token=abcdef']}",
        "{build: ., command: 'serve --password hunter2'}",
        "{build: ., command: [serve, 'https://ada:hunter2@example.org']}",
        "{build: ., healthcheck: {test: ['CMD-SHELL', 'curl -H \"Token: abcdef\" localhost']}}",
        "{build: {context: ., args: {NPM_TOKEN: abcdef}}}",
        "{build: ., environment: {DATABASE_URL: 'postgres://a:hunter2@db/x', PGPASSWORD: hunter2}}",
    ],
)
def test_no_secret_of_a_compose_file_is_taken_over(service: str) -> None:
    draft = draft_of({"Dockerfile": DOCKERFILE, "compose.yml": f"services:\n  a: {service}\n"})
    text = render(draft) + "\n".join(lines_of(each for part in draft.parts for each in part.remarks))
    assert "hunter2" not in text
    assert "abcdef" not in text


@pytest.mark.parametrize(
    "name", ["requirements-test --from=evil x.txt", "requirements-dev$(id).txt", "requirements-test;id.txt"]
)
def test_an_odd_name_is_no_part_of_the_suggested_stage(name: str) -> None:
    files = {"Dockerfile": DOCKERFILE, name: "pytest", "requirements.txt": "", "tests/test_a.py": ""}
    lines = "\n".join(draft_of(files).parts[0].stage_lines)
    assert "pip install" in lines
    assert name not in lines


def test_an_odd_folder_gets_no_suggested_stage() -> None:
    files = {
        "a b$(id)/Dockerfile": "FROM python AS release\nCOPY tests /t\nCMD a\n",
        "a b$(id)/requirements.txt": "",
    }
    draft = draft_of({**files, "a b$(id)/tests/test_a.py": ""})
    assert draft.parts[0].stage_lines == ()
    device_file(draft)
