"""`autoclave init` asks a person at a terminal, and prints what it assumed where there is none."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from autoclave.actions.starter import survey, write
from autoclave.cli.commands import init
from autoclave.errors import ConfigError, Interrupted
from autoclave.runtime.folder import Folder
from builders import shapes


def start(folder: Path, typed: str, **answers: Any) -> tuple[str, BaseException | None]:
    """Run init with what a person types; return what it printed, and the error that ended it."""

    @click.command()
    def command() -> None:
        init.run(folder, init.Answers(asks=True, **answers))

    done = CliRunner().invoke(command, input=typed)
    return done.output, done.exception


def device_file(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "autoclave.toml").read_text("utf-8"))


def test_what_is_typed_is_written(tmp_path: Path) -> None:
    folder = shapes.write("node-service", tmp_path)
    printed, error = start(folder, "glucose-hub\n16.0.0\nA\ny\n")
    assert error is None
    data = device_file(folder)
    assert data["device"] == {"name": "glucose-hub", "version": "16.0.0", "safety-class": "A"}
    assert not (folder / "requirements.csv").exists()
    assert "+ .autoclave/" in printed
    assert "C death or serious injury" in printed


def test_enter_takes_what_was_found_and_class_c_gets_registers(tmp_path: Path) -> None:
    folder = shapes.write("node-service", tmp_path)
    _, error = start(folder, "\n\n\n\n")
    assert error is None
    device = device_file(folder)["device"]
    assert (device["version"], device["safety-class"]) == ("15.0.3", "C")
    assert (folder / device["requirements"]).read_text().startswith("id,text,kind")
    assert (folder / device["soup"]).read_text().startswith("# The SOUP register")


def test_wrong_answers_are_asked_again_with_an_example(tmp_path: Path) -> None:
    folder = shapes.write("node-service", tmp_path)
    printed, error = start(folder, "Glucose Hub\nglucose-hub\nv 1\n1.0\nD\nB\ny\n")
    assert error is None
    assert "small letters, digits and single hyphens, as 'glucose-hub'" in printed
    assert "as '1.4.0'" in printed
    assert device_file(folder)["device"]["safety-class"] == "B"


def test_no_writes_nothing_at_all(tmp_path: Path) -> None:
    folder = shapes.write("node-service", tmp_path)
    before = sorted(folder.rglob("*"))
    _, error = start(folder, "\n\n\nn\n")
    assert isinstance(error, Interrupted)
    assert sorted(folder.rglob("*")) == before


def test_images_are_chosen_one_by_one(tmp_path: Path) -> None:
    folder = shapes.write("java-jar", tmp_path)
    (folder / "Dockerfile.dev").write_text("FROM debian\nCMD a\n")
    printed, error = start(folder, "\n\n\ny\nn\ny\ny\ny\n")
    assert error is None
    assert [each["name"] for each in device_file(folder)["image"]] == ["java-jar", "fhir", "dev"]
    assert "dev, from Dockerfile.dev (its name says that it is for development or tests)?" in printed


def test_a_dry_run_prints_the_file_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shapes.write("go-service", tmp_path)
    before = sorted(folder.rglob("*"))
    assert init.run(folder, init.Answers(dry_run=True, safety_class="A", host="gitlab")) == 0
    assert sorted(folder.rglob("*")) == before
    printed = capsys.readouterr().out
    assert '+ target = "production"' in printed
    assert "left to do:" in printed


def test_without_a_terminal_assumptions_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shapes.write("cpp-frontend", tmp_path)
    assert init.run(folder) == 0
    printed = capsys.readouterr().out
    assert "because there is no other: it is in the folder 'resources'" in printed
    assert "CMakeLists.txt: C or C++ with CMake 1.12.4" in printed
    assert "$defs" in json.loads((folder / ".autoclave" / "schema.json").read_text())


def test_names_that_steer_a_terminal_are_printed_as_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian\nCOPY ./a\u202eb /x\nCMD a\n", "utf-8")
    (tmp_path / "pom.xml").write_text("<project><!-- \x1b[2J", "utf-8")
    init.run(tmp_path)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\u202e" not in printed


def test_existing_registers_are_named_and_kept(tmp_path: Path) -> None:
    folder = shapes.write("go-service", tmp_path)
    (folder / "docs").mkdir()
    (folder / "docs" / "requirements.csv").write_text("id;text;hazard\nSRS-1;stops;H1\n")
    (folder / "soup.toml").write_text("# ours\n")
    init.run(folder)
    assert device_file(folder)["device"]["requirements"] == "docs/requirements.csv"
    assert (folder / "soup.toml").read_text() == "# ours\n"
    assert not (folder / "requirements.csv").exists()


@pytest.mark.parametrize("name", ["requirements.csv", "soup.toml", ".autoclave"])
def test_nothing_is_written_through_a_link_of_a_register(tmp_path: Path, name: str) -> None:
    folder = shapes.write("go-service", tmp_path)
    victim = tmp_path / "victim"
    victim.mkdir()
    (folder / name).symlink_to(victim / "x" if "." in name[1:] else victim)
    with pytest.raises(Exception, match=r"link|exists"):
        init.run(folder)
    assert list(victim.iterdir()) == []


def test_an_ignore_file_of_one_dockerfile_gets_the_lines(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian\nCOPY . /app\nCMD a\n")
    (tmp_path / "Dockerfile.dockerignore").write_text("*.log\n")
    init.run(tmp_path)
    lines = (tmp_path / "Dockerfile.dockerignore").read_text().splitlines()
    assert lines[:3] == ["*.log", ".autoclave", ".git"]
    assert "autoclave.toml" in lines
    assert not (tmp_path / ".dockerignore").exists()


def test_a_file_that_is_made_meanwhile_is_kept_and_the_start_can_be_repeated(tmp_path: Path) -> None:
    folder = shapes.write("go-service", tmp_path)
    device = Folder(folder)
    changes = write.plan(device, survey.survey(device))
    (folder / "soup.toml").write_text("# of somebody else\n")
    with pytest.raises(ConfigError, match="was made meanwhile"):
        write.apply(device, changes)
    assert (folder / "soup.toml").read_text() == "# of somebody else\n"
    assert not (folder / "autoclave.toml").exists()
    assert init.run(folder) == 0


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_what_is_no_folder_is_refused_and_not_made(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is not a folder"):
        init.run(tmp_path / name)
    assert not (tmp_path / "nowhere").exists()
