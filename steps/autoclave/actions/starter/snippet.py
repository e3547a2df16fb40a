"""Lines of a Dockerfile that add what the tests need to the released image, and change nothing of it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from msgspec import Struct, structs

from autoclave.actions.starter.dockerfile import ContainerFile, Stage
from autoclave.actions.starter.facts import Project, Tests
from autoclave.actions.starter.images import Image, stage_kind

_WORKDIR = "/src"
_SHELL = "/opt/tests/sh"
_SHELLS_IMAGE = "busybox:1.37"
_USER = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_PATH = re.compile(r"/[A-Za-z0-9_./-]{0,200}")


class Snippet(Struct, frozen=True):
    """The tests as they run on this image, the stage that they need, and its lines; "" without one."""

    tests: Tests
    stage: str = ""
    lines: tuple[str, ...] = ()


def write(tests: Tests, image: Image, project: Project, words: Iterable[str]) -> Snippet:
    """Return the test stage for an image; `words` are in the names of the stack's base images."""
    if not (tests.builder or tests.stage):
        return Snippet(tests)
    if is_bare(image) and "sh" in tests.command:
        # The tests' own shell: the released image has none, and gets none.
        copied = f"COPY --from={_SHELLS_IMAGE} /bin/busybox {_SHELL}"
        command = tuple(_SHELL if each == "sh" else each for each in tests.command)
        tests = structs.replace(tests, command=command, stage=(*tests.stage, copied))
    taken = {each.name for each in image.file.stages}
    name = "test" if "test" not in taken else "tests"
    if image.siblings or image.is_one_of_many:
        name = f"{name}-{image.stage.name}"
    builder, workdir = _builder(image, words)
    lines: list[str] = []
    if tests.builder and not image.siblings:
        lines += [f"FROM {builder or tests.image} AS test-build"]
        lines += ["USER root"] if builder else [f"WORKDIR {workdir}", "COPY @/. ."]
        lines += [*tests.builder, ""]
    user = next((each.user for each in image.file.chain(image.stage) if _USER.fullmatch(each.user)), "")
    lines += [f"FROM {image.stage.name or 'release'} AS {name}", "USER root", *tests.stage]
    lines += [f"USER {user}"] if user else []
    inside = posixpath.relpath(project.folder, image.context)
    prefix = "" if inside == "." else f"{inside}/"
    made = (each.replace("@/", prefix).replace("{workdir}", workdir) for each in lines)
    return Snippet(tests, name, tuple(made))


def is_bare(image: Image) -> bool:
    """Return whether the released image has neither a shell nor a package manager."""
    base = image.stage.base.lower()
    return base == "scratch" or "distroless" in base or "chiselled" in base


def _builder(image: Image, words: Iterable[str]) -> tuple[str, str]:
    """Return the name of the stage that builds what is released, and the folder that it works in."""
    own = {each.index for each in image.file.chain(image.stage)}
    others = [each for each in image.file.needed(image.stage) if each.index not in own and each.name]
    fitting = [each for each in others if any(word in base_name(each.base) for word in words)]
    chosen = [each for each in fitting if stage_kind(each.name) == "build"] or fitting
    # The last of them has all that the others bring.
    return (chosen[-1].name, _workdir(image.file, chosen[-1])) if chosen else ("", _WORKDIR)


def _workdir(file: ContainerFile, stage: Stage) -> str:
    found = _WORKDIR
    for each in reversed(file.chain(stage)):
        if each.workdir:
            found = posixpath.normpath(posixpath.join(found, each.workdir))
    return found if _PATH.fullmatch(found) else _WORKDIR


def base_name(base: str) -> str:
    """Return the last part of an image's name, with its tag."""
    return base.partition("@")[0].rpartition("/")[2].lower()
