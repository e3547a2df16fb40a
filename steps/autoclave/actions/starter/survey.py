"""Read a repository, and draft its device file: the one function that puts the others together."""

from __future__ import annotations

from collections.abc import Iterable

from autoclave.actions.starter import compose, dockerfile, images, kubernetes, registers, stacks
from autoclave.actions.starter import draft as drafts
from autoclave.actions.starter import repository as repositories
from autoclave.actions.starter.dockerfile import ContainerFile
from autoclave.actions.starter.draft import Draft
from autoclave.actions.starter.facts import ComposeService, Project, Remark, assumed, found
from autoclave.actions.starter.parts import Findings
from autoclave.actions.starter.repository import Repository, matches
from autoclave.actions.starter.texts import decode
from autoclave.errors import AutoclaveError
from autoclave.runtime.folder import Folder

_MOST = 60  # Dockerfiles
_MOST_COMPOSE = 10
_MOST_SHOWN = 12  # projects
_DEEPEST_MODULE = 4  # folders above a source file that is looked into


def survey(folder: Folder) -> Draft:
    """Read a repository and return the draft. Links are not followed, nothing is run."""
    return draft(repositories.read(folder, folder.path.name, is_wanted))


def is_wanted(path: str) -> bool:
    """Return whether the content of a file says something that the draft needs."""
    if matches(path, dockerfile.PATTERNS):
        return is_dockerfile(path)
    if path.endswith((".py", ".rs")):
        return path.count("/") < _DEEPEST_MODULE and matches(path, stacks.patterns())
    return matches(path, (*compose.PATTERNS, *kubernetes.PATTERNS, *registers.PATTERNS, *stacks.patterns()))


def is_dockerfile(path: str) -> bool:
    """Return whether a file is a Dockerfile by its name; templates of one and ignore files are not."""
    return matches(path, dockerfile.PATTERNS) and not path.endswith(dockerfile.NOT_ONE)


def draft(repository: Repository) -> Draft:
    """Return the draft for what was read."""
    remarks: list[Remark] = []
    files = _dockerfiles(repository, remarks)
    services = _services(repository, remarks)
    projects, unread = stacks.find(repository)
    remarks += unread
    remarks += [found(_describe(each)) for each in projects[:_MOST_SHOWN]]
    cluster = kubernetes.find(repository)
    for title, paths in (("chart", cluster.charts), ("kustomization", cluster.kustomizations)):
        remarks += [found(f"{path}: a {title} for Kubernetes") for path in paths[:3]]
    if ".gitmodules" in repository.known:
        remarks.append(found(".gitmodules: submodules are part of the source, at their pinned commits"))
    listed = images.find(repository, files, services, projects)
    seen = Findings(
        repository=repository,
        images=listed,
        projects=projects,
        services=services,
        cluster=cluster,
        remarks=tuple(remarks),
    )
    return drafts.merge(seen)


def _describe(project: Project) -> str:
    version = f" {project.version}" if project.version else ""
    tests = f", tests by {project.tests.tool}" if project.tests else ""
    return f"{project.source}: {project.title}{version}{tests}"


def _dockerfiles(repository: Repository, remarks: list[Remark]) -> list[ContainerFile]:
    files = []
    for path in [each for each in repository.contents if is_dockerfile(each)][:_MOST]:
        try:
            files.append(dockerfile.read(repository.contents[path], path))
        except AutoclaveError as error:
            remarks.append(_unread(path, error))
    return files


def _services(repository: Repository, remarks: list[Remark]) -> list[ComposeService]:
    services: list[ComposeService] = []
    for path in [each for each in repository.contents if matches(each, compose.PATTERNS)][:_MOST_COMPOSE]:
        try:
            services += compose.read(decode(repository.contents[path], path), path)
        except AutoclaveError as error:
            remarks.append(_unread(path, error))
    return list(_first_of_each(services))


def _first_of_each(services: Iterable[ComposeService]) -> Iterable[ComposeService]:
    """Yield each service once: a second file usually changes one that the first one has."""
    seen: set[str] = set()
    for each in services:
        if each.name not in seen:
            seen.add(each.name)
            yield each


def _unread(path: str, error: AutoclaveError) -> Remark:
    why = f" ({error.why})" if error.why else ""
    what = error.what if path in error.what else f"{path}: {error.what}"
    return assumed(f"{what}{why}: left out")
