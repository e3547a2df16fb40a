"""What a device repository has to run in a cluster: its manifests, kustomization or chart, rendered."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from autoclave.device.schema import Kubernetes, resolve_inside
from autoclave.errors import ConfigError, SourceError
from autoclave.runtime.shell import Shell
from autoclave.targets.kubernetes import kubectl
from autoclave.targets.kubernetes.manifests import Manifest, read, read_files

_DEEPEST = 16  # kustomizations that use kustomizations
_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_REFERENCES = frozenset(
    {
        "resources", "bases", "components", "crds", "configurations", "files", "envs", "env", "path",
        "patchesStrategicMerge",
    }
)  # fmt: skip
_REFUSED = frozenset(
    {"generators", "transformers", "validators", "helmCharts", "helmChartInflationGenerator"}
)
# Kustomize fetches URLs and git repositories: both fail, should the check miss a reference.
_OFFLINE = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "GIT_ALLOW_PROTOCOL": "none",
}


def render_manifests(settings: Kubernetes, device: str, folder: Path, shell: Shell) -> list[Manifest]:
    """Return the objects of a device. Raises ConfigError, SourceError, ToolError."""
    named = sum((bool(settings.manifests), bool(settings.kustomization), bool(settings.chart)))
    if named != 1:
        raise ConfigError(
            "[environment.kubernetes] needs one of manifests, kustomization and chart",
            why=f"it has {named or 'none'} of them",
        )
    if settings.manifests:
        return read_files(folder, settings.manifests)
    if settings.kustomization:
        return read(_render_kustomization(settings.kustomization, folder, shell), settings.kustomization)
    return read(_render_chart(settings, device, folder, shell), settings.chart)


def _render_kustomization(name: str, folder: Path, shell: Shell) -> str:
    start = resolve_inside(folder, name)
    refuse_foreign(start, folder)
    # Its loader reads files below each kustomization alone (LoadRestrictionsRootOnly, the default).
    done = shell.run([kubectl.program(), "kustomize", str(start)], env=_OFFLINE, timeout=120)
    return done.out.decode("utf-8", "replace")


def _render_chart(settings: Kubernetes, device: str, folder: Path, shell: Shell) -> str:
    """Render a chart of the repository, dependencies included; hooks are left to Helm."""
    chart = resolve_inside(folder, settings.chart)
    if not (chart / "Chart.yaml").is_file():
        raise SourceError(f"'{settings.chart}' is not a Helm chart: it has no Chart.yaml")
    for path in sorted(chart.rglob("*")):
        # Helm follows links, and a template can print any file of the chart: a job's keys, for example.
        resolve_inside(folder, os.path.relpath(path, folder.resolve()))
    values = [f"--values={resolve_inside(folder, each)}" for each in settings.values]
    with tempfile.TemporaryDirectory() as home:
        places = [
            f"--repository-cache={home}",
            f"--repository-config={home}/r",
            f"--registry-config={home}/g",
        ]
        words = ["template", device, str(chart), f"--namespace={settings.namespace}", "--no-hooks"]
        return kubectl.helm(shell, [*words, *values, *places])


def refuse_foreign(kustomization: Path, folder: Path, depth: int = 0) -> None:
    """Refuse a kustomization that uses anything outside the device repository, or runs anything.

    Raises ConfigError, SourceError.
    """
    file = next((kustomization / each for each in _NAMES if (kustomization / each).is_file()), None)
    if file is None or depth > _DEEPEST:
        why = "it has no kustomization.yaml" if file is None else "they use each other too deeply"
        raise ConfigError(f"'{kustomization.name}' is not a kustomization that can be used", why=why)
    where = os.path.relpath(file, folder.resolve())
    try:
        content = YAML(typ="safe", pure=True).load(resolve_inside(folder, where).read_text("utf-8"))
    except (YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not YAML that can be used", why=str(error)[:300]) from error
    if not isinstance(content, Mapping) or content.keys() & _REFUSED:
        odd = (
            ", ".join(sorted(content.keys() & _REFUSED)) if isinstance(content, Mapping) else "not a mapping"
        )
        raise ConfigError(
            f"{where}: refused: {odd}", why="it may run or fetch what is not part of the commit"
        )
    for key, value in _references(content):
        if "\n" in value:  # a patch written out on the spot
            continue
        if "://" in value or "?" in value or value.startswith("git@"):
            raise ConfigError(
                f"{where}: {key} '{value}' is outside the repository",
                why="what is deployed must come from the commit that was reviewed",
                next="copy it into the repository",
            )
        named = value.rpartition("=")[2] if key == "files" else value
        path = resolve_inside(folder, os.path.relpath(file.parent / named, folder.resolve()))
        if path.is_dir():
            refuse_foreign(path, folder, depth + 1)
        elif not path.is_file():
            raise ConfigError(f"{where}: {key} '{value}' is not in the repository")


def _references(content: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Walk a kustomization and yield what names files, folders or URLs: the key, and the value."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from _references(value, str(name))
    elif isinstance(content, list):
        for each in content:
            yield from _references(each, key)
    # JSON pointers in patches are paths too, but start with a slash, which no file here does.
    elif isinstance(content, str) and key in _REFERENCES and not (key == "path" and content.startswith("/")):
        yield key, content
