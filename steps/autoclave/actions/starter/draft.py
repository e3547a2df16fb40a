"""What the device file will say: all facts merged, with what was assumed and what is left to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, structs

from autoclave.actions.starter import parts, registers, texts
from autoclave.actions.starter.facts import Project, Remark, assumed, left
from autoclave.actions.starter.kubernetes import Cluster
from autoclave.actions.starter.parts import Findings, Part
from autoclave.actions.starter.repository import Repository

_GENERIC = frozenset({"app", "code", "project", "repo", "repository", "src", "work"})
"""Names of folders that say nothing about a device."""

_CLASSES_WITH_REGISTERS = {"B", "C"}
_FIRST_PORT = 18_080  # of this machine


class Draft(Struct, frozen=True, kw_only=True):
    """The whole device file. `parts` are images that are in it, `doubtful` those that a person may add."""

    name: str
    version: str
    version_source: str
    parts: tuple[Part, ...]
    doubtful: tuple[Part, ...] = ()
    safety_class: str = "C"
    cluster: Cluster = Cluster()
    requirements: str = ""
    soup: str = ""
    new_registers: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()

    @property
    def needs_registers(self) -> bool:
        """Whether the class requires requirements and SOUP for a release."""
        return self.safety_class in _CLASSES_WITH_REGISTERS


def merge(seen: Findings) -> Draft:
    """Return the draft for what was found."""
    repository, projects = seen.repository, seen.projects
    made = [parts.make(each, seen) for each in seen.images]
    kept = [each for each in made if not each.image.doubt] or made[:1]
    said = [*seen.remarks, *repository.remarks]
    others = [each for each in made if each not in kept]
    said += _doubts(made, kept)
    version, source = _version(kept, projects)
    if not version:
        said.append(assumed("the version is 0.1.0: no project file names one"))
    if not made:
        said.append(left("no Dockerfile was found: write one, and correct its path in autoclave.toml"))
    draft = Draft(
        name=_name(repository, projects),
        version=version or "0.1.0",
        version_source=source,
        parts=tuple(_publish(kept)),
        doubtful=tuple(others),
        cluster=seen.cluster,
        requirements=registers.find_requirements(repository),
        soup=registers.find_soup(repository),
        remarks=tuple(dict.fromkeys(said)),
    )
    return with_class(draft, "C")


def with_class(draft: Draft, safety_class: str) -> Draft:
    """Return the draft for a safety class: B and C get beginnings of the registers that they require."""
    known = {draft.requirements, draft.soup} - set(draft.new_registers) - {""}
    old = {"requirements": draft.requirements, "soup": draft.soup}
    old = {key: value if value in known else "" for key, value in old.items()}
    chosen = structs.replace(draft, safety_class=safety_class, **old, new_registers=())
    if not chosen.needs_registers:
        return chosen
    new = tuple(
        name
        for name, there in ((registers.REQUIREMENTS, chosen.requirements), (registers.SOUP, chosen.soup))
        if not there
    )
    return structs.replace(
        chosen,
        requirements=chosen.requirements or registers.REQUIREMENTS,
        soup=chosen.soup or registers.SOUP,
        new_registers=new,
    )


def with_images(draft: Draft, chosen: Iterable[str]) -> Draft:
    """Return the draft with exactly the images of these names, out of all that were found."""
    names = set(chosen)
    kept = [each for each in (*draft.parts, *draft.doubtful) if each.image.name in names]
    others = [each for each in (*draft.parts, *draft.doubtful) if each.image.name not in names]
    return structs.replace(draft, parts=tuple(_publish(kept)), doubtful=tuple(others))


def _name(repository: Repository, projects: Sequence[Project]) -> str:
    top = next((texts.to_name(each.name) for each in projects if each.folder == "." and each.name), "")
    folder = texts.to_name(repository.name)
    return (top if folder in _GENERIC else folder) or top or folder or "device"


def _version(made: Sequence[Part], projects: Sequence[Project]) -> tuple[str, str]:
    used = [each.project for each in made if each.project]
    top = [each for each in projects if each.folder == "."]
    named = next((each for each in (*top, *used, *projects) if each.version), None)
    return (named.version, named.version_source or named.source) if named else ("", "")


def _doubts(made: Sequence[Part], kept: Sequence[Part]) -> list[Remark]:
    """Return which Dockerfiles are left out, and why; and which one is not, although it may be none."""
    reasons: dict[str, list[str]] = {}
    said = []
    for each in made:
        path, doubt = each.image.file.path, each.image.doubt
        if doubt and each in kept:
            said.append(assumed(f"{path} is the image of the device, because there is no other: {doubt}"))
        elif doubt:
            reasons.setdefault(doubt, []).append(path)
    for doubt, paths in reasons.items():
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        said.append(assumed(f"left out: {', '.join(paths[:3])}{more}: {doubt}"))
    return said


def _publish(kept: Iterable[Part]) -> list[Part]:
    """Return the parts, each with a port of this machine of its own."""
    used: set[int] = set()
    made = []
    for part in kept:
        asked = [host for each in part.image.services for host in each.published.values()]
        port = next((each for each in asked if each >= 1024 and each not in used), _FIRST_PORT)
        while port in used:
            port += 1
        used.add(port)
        made.append(structs.replace(part, published=port if part.port else 0))
    return made
