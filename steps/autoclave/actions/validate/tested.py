"""What the files show of the tests: their stage, what is copied for them, and the reports that they write."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

from autoclave.actions.validate.findings import Findings, Level
from autoclave.actions.validate.look import Look
from autoclave.device.dockerfile import outline
from autoclave.device.dockerfile.outline import Outline
from autoclave.device.schema import Device, UnitTest, resolve_inside
from autoclave.errors import SourceError

_RESULTS = re.compile(r"/autoclave/results/([A-Za-z0-9_./-]+\.xml)")
_IN_CONTAINER = "/autoclave/results/"


def check_files(folder: Path, device: Device, found: Findings) -> None:
    """Add what is wrong with the files that the tests are given, and with those that they write."""
    for key, tests in _listed_tests(device):
        _check_copied(folder, key, tests, found)
        _check_reports(key, tests, found)


def _listed_tests(device: Device) -> list[tuple[str, UnitTest]]:
    listed = [("unit-test", device.unit_test)]
    listed += [(f"image[{at}].unit-test", image.unit_test) for at, image in enumerate(device.image)]
    return [(key, tests) for key, tests in listed if tests]


def check_stage(look: Look, tests: UnitTest, found: Findings) -> None:
    """A test stage must start from the released one: otherwise it tests something else."""
    if not tests.stage:
        return
    key = look.key("unit-test.stage") if look.image.unit_test else "unit-test.stage"
    with found.part(key):
        stage = outline.outline(look.known, look.known.find_target(tests.stage))
        released, name = look.released, tests.stage
        if stage.index == released.index and not look.image.target:
            found.add(
                Level.ERROR,
                look.key("target"),
                f"image '{look.image.name}': without a target, its test stage '{name}' is what is released",
                why=f"'{name}' is the last stage of {look.where}",
                then=f"name the stage to release: {_suggest_target(look, stage)}",
            )
        elif stage.index == released.index:
            found.add(
                Level.ERROR,
                key,
                f"image '{look.image.name}': '{name}' is the released stage itself, and not one on top of it",
                why=f'target = "{look.image.target}" names it as well',
                then="leave out unit-test.stage to test the released image, or name a stage for the tests",
            )
        elif released.index not in stage.chain:
            base = look.known.stages[stage.chain[1]].name if len(stage.chain) > 1 else stage.base or "scratch"
            shown = released.name or f"number {released.index}, the last one"
            found.add(
                Level.ERROR,
                key,
                f"image '{look.image.name}': the test stage '{name}' does not start from the released stage",
                why=f"{look.where}, line {stage.line}: it starts from {base or 'another stage'}, and {shown} "
                "is released: the tests would not see what is released",
                then=f"begin it with FROM {released.name or 'release'} AS {name}"
                + ("" if released.name else ", and give the released stage that name and image.target"),
            )


def _suggest_target(look: Look, stage: Outline) -> str:
    names = [look.known.stages[each].name for each in stage.chain[1:]]
    name = next(filter(None, names), "")
    return f'target = "{name}"' if name else "give it a name (FROM … AS release) and write it as image.target"


def _check_copied(folder: Path, key: str, tests: UnitTest, found: Findings) -> None:
    for item in tests.copy:
        with found.part(f"{key}.copy"):
            if not resolve_inside(folder, item).exists():
                raise SourceError(
                    f"'{item}', which {key}.copy names, does not exist",
                    why=f"it is looked for in {folder}",
                    next="fix the path, which is relative to autoclave.toml, or add the tests",
                )


def _check_reports(key: str, tests: UnitTest, found: Findings) -> None:
    """A report that the command names must be one that is read afterwards."""
    written = dict.fromkeys(_RESULTS.findall(" ".join(tests.command)))
    read = [*tests.junit, tests.coverage]
    reports = [name for name in written if name != tests.coverage]
    if not reports or any(fnmatchcase(name, pattern) for name in reports for pattern in read):
        return
    found.add(
        Level.GAP,
        f"{key}.junit",
        f"the test command writes {_IN_CONTAINER}{reports[0]}, but {key}.junit is {', '.join(tests.junit)}",
        why="what is not named there is not read, and tests without a report do not pass",
        then=f'write junit = ["{reports[0]}"], or let the command write {_IN_CONTAINER}{tests.junit[0]}',
    )
