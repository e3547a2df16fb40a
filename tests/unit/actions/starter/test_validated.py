"""What `init` writes passes `validate`, once a person has added the stages that it has as comments."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from autoclave.actions import validate
from autoclave.actions.starter import survey
from autoclave.cli.commands import init
from autoclave.runtime.folder import Folder
from builders import shapes


def follow(folder: Path) -> None:
    """Do what `init` leaves to do: name the released stage, add the stages, bring the jars."""
    if (folder / "Dockerfile_cli").exists():
        for name in ("cli", "fhir"):
            (folder / "application" / "target" / f"{name}-2.1.0.jar").write_text("")
    for part in survey.survey(Folder(folder)).parts:
        if not part.stage_lines:
            continue
        path = folder / part.image.file.path
        lines = path.read_text("utf-8").splitlines()
        if not part.image.stage.name:
            lines[part.image.stage.line - 1] += " AS release"
        path.write_text("\n".join([*lines, *part.stage_lines, ""]), "utf-8")


@pytest.mark.parametrize("shape", list(shapes.names()))
def test_every_shape_passes_once_the_stages_are_there(tmp_path: Path, shape: str) -> None:
    folder = shapes.write(shape, tmp_path)
    follow(folder)
    init.run(folder, init.Answers(safety_class="A"))
    found = validate.check(folder, "", date(2026, 11, 30))
    assert [each.what for each in found if each.level is validate.Level.ERROR] == []


@pytest.mark.parametrize("shape", list(shapes.names()))
def test_what_validate_finds_is_said_by_init(
    tmp_path: Path, shape: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shapes.write(shape, tmp_path)
    init.run(folder)
    printed = capsys.readouterr().out
    found = validate.check(folder, "", date(2026, 11, 30))
    for each in found:
        if each.level is validate.Level.ERROR:
            assert each.what in printed or "add the stages for" in printed
        elif each.level is validate.Level.GAP:
            assert each.what in printed
