"""What the environments show: targets, their tables, and the files that a cluster gets."""

from __future__ import annotations

from pathlib import Path

from autoclave import targets
from autoclave.actions.validate.findings import Findings, Level
from autoclave.device.schema import FILE, Device, Environment, Kubernetes, resolve_inside
from autoclave.errors import SourceError
from autoclave.runtime.toml import nearest

_CLUSTERS = frozenset({"kubernetes", "openshift"})
USUAL: dict[str, frozenset[str]] = {
    "docker": frozenset({"publish", "variables"}),
    "kubernetes": frozenset({"kubernetes"}),
    "openshift": frozenset({"kubernetes"}),
    "registry": frozenset(),
}
"""The tables that each target of ours reads: with no other one, no target has to be imported to know it."""


def check_places(folder: Path, device: Device, found: Findings) -> None:
    """Add what is wrong with the environments."""
    for index, environment in enumerate(device.environment):
        key = f"environment[{index}]"
        if environment.target not in targets.names():
            found.add(
                Level.ERROR,
                f"{key}.target",
                f"environment '{environment.name}': there is no target '{environment.target}'",
                then=nearest(environment.target, targets.names()),
            )
            continue
        if targets.given_tables(environment) - USUAL.get(environment.target, frozenset()):
            with found.part(key):
                targets.refuse_unread(environment)
        if environment.target in _CLUSTERS:
            _check_cluster(folder, device, environment, key, found)
        elif environment.target == "docker" and not any(each.service for each in device.image):
            found.add(
                Level.GAP,
                key,
                f"environment '{environment.name}' would deploy nothing: no image has [image.service]",
                why="it says how an image runs in a container engine",
                then="add [image.service] to the images that run there, or remove the environment",
            )


def _check_cluster(folder: Path, device: Device, environment: Environment, key: str, found: Findings) -> None:
    settings, key = environment.kubernetes, f"{key}.kubernetes"
    if settings is None:
        found.add(
            Level.ERROR,
            key,
            f"environment '{environment.name}' has no [environment.kubernetes]",
            why="it says what is applied to which namespace",
            then="add it with namespace and manifests",
        )
        return
    named = [settings.manifests, settings.kustomization, settings.chart]
    if sum(map(bool, named)) != 1:
        found.add(
            Level.ERROR,
            key,
            f"environment '{environment.name}' needs one of manifests, kustomization and chart",
            why=f"it has {sum(map(bool, named)) or 'none'} of them",
            then='name what is applied, for example manifests = ["deploy"]',
        )
    with found.part(f"{key}.chart"):
        _require(folder, settings.chart, "Chart.yaml", "chart")
    with found.part(f"{key}.kustomization"):
        _require(folder, settings.kustomization, "kustomization.yaml", "kustomization")
    for name in settings.values:
        with found.part(f"{key}.values"):
            if not resolve_inside(folder, name).is_file():
                raise SourceError(
                    f"'{name}', which kubernetes.values names, is not a file", next=f"fix {FILE}"
                )
    _check_manifests(folder, device, settings, key, found)


def _require(folder: Path, name: str, file: str, key: str) -> None:
    if not name:
        return
    start = resolve_inside(folder, name)
    known = {file, file.replace(".yaml", ".yml"), "Kustomization"} if key == "kustomization" else {file}
    if not any((start / each).is_file() for each in known):
        raise SourceError(
            f"'{name}', which kubernetes.{key} names, has no {file}",
            why="" if start.is_dir() else "it is not a folder",
            next=f"fix {FILE}, or add the file",
        )


def _check_manifests(folder: Path, device: Device, settings: Kubernetes, key: str, found: Findings) -> None:
    """Read plain manifests: what kustomize and Helm make is seen only once they ran."""
    if not settings.manifests:
        return
    from autoclave.targets.kubernetes.images import match_image
    from autoclave.targets.kubernetes.manifests import read_files
    from autoclave.targets.kubernetes.pods import containers

    with found.part(f"{key}.manifests"):
        objects = read_files(folder, settings.manifests)
        names, own = [each.name for each in device.image], device.device.name
        run = {match_image(each.image, own, names) for each in containers(objects)}
        for name in sorted(set(names) - run):
            found.add(
                Level.NOTE,
                f"{key}.manifests",
                f"no container of {', '.join(settings.manifests)} runs the image '{name}'",
                why=f"a container runs it when its image is written as …/{own}/{name}",
                then=f"write it as registry.example.org/{own}/{name}, or remove the image",
            )
