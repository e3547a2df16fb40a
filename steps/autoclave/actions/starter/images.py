"""Which images does a device have: which Dockerfiles, which of their stages, with which arguments?"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, structs

from autoclave.actions.starter import contexts, texts
from autoclave.actions.starter.dockerfile import ContainerFile, Stage
from autoclave.actions.starter.facts import ComposeService, Project
from autoclave.actions.starter.repository import Repository, join

_DEVELOPMENT = {"dev", "devel", "develop", "development", "debug", "delve", "devcontainer", "local", "watch"}
_TEST = {
    "test",
    "tests",
    "testing",
    "unittest",
    "unittests",
    "e2e",
    "integration",
    "lint",
    "check",
    "coverage",
    "ci",
}
_BUILD = {
    "base",
    "build",
    "builder",
    "builds",
    "compile",
    "dependencies",
    "deps",
    "docs",
    "export",
    "artifacts",
    "init",
}
_RELEASE = {"release", "production", "prod", "runtime", "final"}
_MOST = 50  # images
_ORDINARY = re.compile(r"(?i)(?:Dockerfile|Containerfile)\Z")
_SUFFIX = re.compile(
    r"(?i)(?:(?:Dockerfile|Containerfile)[._-](?P<after>.+)|(?P<before>.+)\.(?:Dockerfile|Containerfile))\Z"
)


class Image(Struct, frozen=True, kw_only=True):
    """One image that a device may have. `doubt` is why it may be none, empty without one.

    `services` are those of compose files that run it; `stage` is the one that is released; `siblings` is how
    many images before it are of other stages of the same file, and `is_one_of_many` whether there are others.
    """

    name: str
    file: ContainerFile
    stage: Stage
    context: str
    target: str = ""
    args: Mapping[str, str] = {}
    siblings: int = 0
    is_one_of_many: bool = False
    services: tuple[ComposeService, ...] = ()
    doubt: str = ""

    @property
    def dockerfile(self) -> str:
        """The Dockerfile as the device file names it: relative to the context."""
        return posixpath.relpath(self.file.path, self.context)


def find(
    repository: Repository,
    files: Sequence[ContainerFile],
    services: Sequence[ComposeService],
    projects: Sequence[Project],
) -> list[Image]:
    """Return the images, each with a name of its own; those in doubt last."""
    found: list[Image] = []
    for file in files:
        mine = [each for each in services if each.dockerfile == file.path]
        found += _images_of(file, mine, repository, projects)
    found.sort(key=lambda each: bool(each.doubt))
    named: list[Image] = []
    for each in found[:_MOST]:
        taken = {one.name for one in named}
        name = next((one for one in (each.name, *_longer(each)) if one and one not in taken), each.name)
        named.append(structs.replace(each, name=texts.unique(name, taken)))
    return named


def _longer(image: Image) -> tuple[str, ...]:
    """Return names for an image whose first one is taken: by its folders, by its file's own name."""
    folder, file = posixpath.split(image.file.path)
    seen = _SUFFIX.match(file)
    suffix = (seen["after"] or seen["before"]) if seen else ""
    return texts.to_name(folder), texts.to_name(f"{image.name} {suffix}") if suffix else ""


def stage_kind(name: str) -> str:
    """Return what a stage is for by its name: release, test, development, build, or empty for any other."""
    words = set(re.split(r"[-_.]", name))
    for kind, known in (
        ("test", _TEST),
        ("development", _DEVELOPMENT),
        ("release", _RELEASE),
        ("build", _BUILD),
    ):
        if words & known:
            return kind
    return ""


def find_test_stage(file: ContainerFile, released: Stage) -> tuple[str, bool]:
    """Return the name of a stage for tests, and whether it is based on the released one."""
    named = [each for each in file.stages if stage_kind(each.name) == "test"]
    on_top = [each for each in named if released in file.chain(each)]
    best = on_top or named
    return (best[-1].name, bool(on_top)) if best else ("", False)


def _images_of(
    file: ContainerFile,
    services: Sequence[ComposeService],
    repository: Repository,
    projects: Sequence[Project],
) -> list[Image]:
    made = []
    targets = _targets(file, services)
    for number, stage in enumerate(targets):
        needed = file.needed(stage)
        context = next((each.context for each in services if each.context), "") or contexts.guess(
            file.path, [source for each in needed for source in each.sources], repository, projects
        )
        mine = [each for each in services if not each.target or each.target.lower() == stage.name]
        image = Image(
            name=_name(file.path, stage, mine, repository, many=len(targets) > 1),
            file=file,
            stage=stage,
            context=context,
            target=stage.name if len(file.stages) > 1 else "",
            siblings=number,
            is_one_of_many=len(targets) > 1,
            services=tuple(mine),
            doubt=_doubt(file, stage, mine),
        )
        made += _by_argument(image, repository, many=len(targets) > 1)
    return made


def _targets(file: ContainerFile, services: Sequence[ComposeService]) -> list[Stage]:
    """Return the stages that are released."""
    asked = {each.target.lower() for each in services if each.target}
    wanted = [each for each in file.stages if each.name in asked and stage_kind(each.name) != "development"]
    if wanted:
        return wanted
    if file.stages[-1].choices:
        return [file.stages[-1]]
    released = [each for each in file.stages if stage_kind(each.name) == "release"]
    used = {number for each in file.stages for number in (*each.uses, each.parent)}
    ends = [
        each for each in file.stages if each.index not in used and stage_kind(each.name) in {"", "release"}
    ]
    starting = [each for each in ends if each.starts and each.name]
    if len(starting) > 1 and not (len(released) == 1 and released[0] in starting):
        return starting
    usable = [each for each in file.stages if stage_kind(each.name) not in {"test", "development"}]
    return (released or starting or ends or usable or list(file.stages))[-1:]


def _by_argument(image: Image, repository: Repository, *, many: bool) -> list[Image]:
    """Return the image once for each value of the argument that says what is in it."""
    chain = image.file.chain(image.stage)
    chosen = next((each for each in chain if each.choices), None)
    if chosen:
        values = {
            value: {chosen.chosen_by: value}
            for value in chosen.choices
            if stage_kind(value) in {"", "release"}
        }
        return [_chosen(image, value, args, chosen) for value, args in values.items()] or [image]
    for name in dict.fromkeys(each for stage in image.file.needed(image.stage) for each in stage.arguments):
        folders = _folders_of(name, image, repository)
        if many:
            fitting = [each for each in folders if f"-{image.stage.name}".endswith(f"-{texts.to_name(each)}")]
            if fitting:
                return [structs.replace(image, args={name: max(fitting, key=len)})]
        elif len(folders) > 1:
            return [
                structs.replace(image, name=texts.to_name(each) or image.name, args={name: each})
                for each in folders
            ]
    return [image]


def _chosen(image: Image, value: str, args: Mapping[str, str], chosen: Stage) -> Image:
    """Return the image of one choice: ports and commands are those of the stage that is chosen."""
    stage = image.stage if image.stage.starts else image.file.stages[chosen.choices[value]]
    return structs.replace(image, name=texts.to_name(value) or image.name, args=args, stage=stage)


def _folders_of(argument: str, image: Image, repository: Repository) -> list[str]:
    """Return the folders that an argument can name, by the paths that the Dockerfile uses it in."""
    said = "\n".join(each.said for each in image.file.needed(image.stage))
    pattern = rf"(?P<before>[A-Za-z0-9_./-]{{1,200}}/)\$(?:\{{{argument}\}}|{argument}(?![A-Za-z0-9_]))"
    for seen in list(re.finditer(pattern, said))[:20]:
        parts = [each for each in seen["before"].split("/") if each not in {"", "."}]
        for start in range(len(parts)):
            folder = join(image.context, "/".join(parts[start:]))
            prefix = f"{folder}/"
            below = {each[len(prefix) :] for each in repository.known if folder and each.startswith(prefix)}
            folders = sorted({each.partition("/")[0] for each in below if "/" in each})
            if folders:
                return folders[:_MOST]
    return []


def _doubt(file: ContainerFile, stage: Stage, services: Sequence[ComposeService]) -> str:
    if services:
        return ""
    name = posixpath.basename(file.path)
    seen = _SUFFIX.match(name)
    words = set(re.split(r"[-_.]", (seen["after"] or seen["before"]).lower())) if seen else set()
    if words & (_DEVELOPMENT | _TEST):
        return "its name says that it is for development or tests"
    aside = contexts.ASIDE & {each.lower() for each in posixpath.dirname(file.path).split("/")}
    if aside:
        return f"it is in the folder '{sorted(aside)[0]}'"
    if not any(each.starts for each in file.chain(stage)) and stage.base.rpartition("/")[2].startswith(_BARE):
        return "it starts nothing"
    return ""


_BARE = ("alpine", "busybox", "centos", "debian", "fedora", "scratch", "ubuntu")
"""Base images that start nothing of their own."""


def _name(
    path: str, stage: Stage, services: Iterable[ComposeService], repository: Repository, *, many: bool
) -> str:
    """Return a name for an image, out of what distinguishes it."""
    device = texts.to_name(repository.name) or "device"
    names = [texts.to_name(each.name) for each in services]
    if many and texts.to_name(stage.name):
        return texts.to_name(stage.name)
    if len(names) == 1 and names[0] not in {"app", "web", "service", "server"}:
        return names[0]
    folder, name = posixpath.split(path)
    seen = _SUFFIX.match(name)
    suffix = texts.to_name((seen["after"] or seen["before"]) if seen else "")
    if suffix and suffix not in _RELEASE and not _ORDINARY.match(name):
        return suffix
    parts = [each for each in folder.split("/") if each and each.lower() not in contexts.HOMES]
    return (texts.to_name(parts[-1]) if parts else "") or device
