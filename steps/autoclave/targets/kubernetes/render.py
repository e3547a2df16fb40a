"""What a device repository has to run in a cluster: its manifests, kustomization or chart, rendered.

kubectl and Helm see neither the repository nor this machine: they work in a new folder with copies of what
was checked, without a link in it, and with an environment made from nothing.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from autoclave.device.schema import Kubernetes
from autoclave.errors import ConfigError, ToolError
from autoclave.runtime.folder import Folder
from autoclave.runtime.shell import Shell
from autoclave.targets.kubernetes import chart, hooks, kubectl, kustomization
from autoclave.targets.kubernetes.manifests import Manifest, read, read_files

_TIMEOUT = 120  # seconds
_LARGEST = 2 << 20  # bytes of a values file
# Neither fetches anything from the copies. Should one try: no proxy answers, and git has no protocol.
_NOWHERE = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9") | {
    "GIT_ALLOW_PROTOCOL": "none",
    "PATH": "/usr/bin:/bin",
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
        return read(
            _render_kustomization(settings.kustomization, Folder(folder), shell), settings.kustomization
        )
    return hooks.leave_out(read(_render_chart(settings, device, Folder(folder), shell), settings.chart))


def _render_kustomization(name: str, device: Folder, shell: Shell) -> str:
    with _place() as place:
        start = kustomization.stage(name, device, place.at("device"))
        argv = [kubectl.program(), "kustomize", str(PurePosixPath("device", start))]
        return _run(shell, argv, place, shown=[kubectl.program(), "kustomize", str(device.path / name)])


def _render_chart(settings: Kubernetes, device: str, repository: Folder, shell: Shell) -> str:
    """Render a chart of the repository, dependencies, hooks and its `crds` folder included."""
    with _place() as place:
        chart.stage(settings.chart, repository, place.at("chart"))
        files = [f"values-{number}.yaml" for number in range(len(settings.values))]
        for file, name in zip(files, settings.values, strict=True):
            place.write(file, [repository.read(name, limit=_LARGEST)])
        # Helm splits the value of --values at commas: the names are ours, and relative to the folder.
        ours = [f"--values={each}" for each in files]
        theirs = [f"--values={repository.path / each}" for each in settings.values]
        words = [os.environ.get("AUTOCLAVE_HELM") or "helm", "template", device]
        options = [f"--namespace={settings.namespace}", "--include-crds"]
        return _run(
            shell,
            [*words, "chart", *options, *ours],
            place,
            shown=[*words, str(repository.path / settings.chart), *options, *theirs],
        )


@contextmanager
def _place() -> Iterator[Folder]:
    """Provide a folder of our own, with a home for the programs in it."""
    with tempfile.TemporaryDirectory(prefix="autoclave-render-") as name:
        place = Folder(Path(name))
        for each in ("home", "tmp"):
            place.at(each).make()
        yield place


def _run(shell: Shell, argv: list[str], place: Folder, *, shown: list[str]) -> str:
    environment = {**_NOWHERE, "HOME": str(place.path / "home"), "TMPDIR": str(place.path / "tmp")}
    done = shell.run(argv, cwd=place.path, environment=environment, timeout=_TIMEOUT, shown=shown)
    try:
        return done.out.decode()
    except UnicodeDecodeError as error:
        raise ToolError(f"{Path(argv[0]).name} printed what is not UTF-8 text", why=str(error)) from error
