"""What a repository has for a cluster: charts, kustomizations, manifests, and the paths of probes."""

from __future__ import annotations

import posixpath
import re

from msgspec import Struct

from autoclave.actions.starter.contexts import ASIDE
from autoclave.actions.starter.repository import Repository, below, matches
from autoclave.model.text import is_line

PATTERNS = ("*.yaml", "*.yml")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml")
_PROBE = re.compile(
    rb"httpGet:[ \t]*\r?\n(?:[^\n]{0,200}\n){0,3}?"
    rb"[ \t]+path:[ \t]*[\"']?(?P<path>/[!-~]{0,200}?)[\"']?[ \t]*\r?\n"
)
_HEAD = 4096  # bytes
_MOST = 20


class Cluster(Struct, frozen=True, kw_only=True):
    """Folders of charts and kustomizations, files of manifests, and the path of the first literal probe."""

    charts: tuple[str, ...] = ()
    kustomizations: tuple[str, ...] = ()
    manifests: tuple[str, ...] = ()
    probe: str = ""

    @property
    def table(self) -> str:
        """What `[environment.kubernetes]` would name, in TOML; empty without anything."""
        if self.charts:
            return f'chart = "{self.charts[0]}"'
        if self.kustomizations:
            return f'kustomization = "{self.kustomizations[0]}"'
        listed = ", ".join(f'"{each}"' for each in self.manifests)
        return f"manifests = [{listed}]" if listed else ""


def find(repository: Repository) -> Cluster:
    """Return what there is. A template of a chart is no manifest."""
    charts = [_home(path) for path in repository.paths if posixpath.basename(path) == "Chart.yaml"]
    charts = [each for each in charts if not any(each != one and below(each, one) for one in charts)]
    custom = [_home(path) for path in repository.paths if matches(path, _KUSTOMIZATIONS)]
    inside = (*charts, *custom)
    manifests = [
        path
        for path, raw in repository.contents.items()
        if matches(path, PATTERNS)
        and not any(below(path, each) for each in inside)
        and not ASIDE & set(path.lower().split("/"))
        and _is_manifest(raw)
    ]
    probes = (_PROBE.search(repository.contents[path]) for path in manifests)
    paths = [seen["path"].decode("ascii") for seen in probes if seen]
    return Cluster(
        charts=tuple(_plain(charts)),
        kustomizations=tuple(_plain(custom)),
        manifests=tuple(_plain(sorted(manifests))),
        probe=next((each for each in paths if is_line(each) and "{" not in each), ""),
    )


def _home(path: str) -> str:
    return posixpath.dirname(path) or "."


def _plain(paths: list[str]) -> list[str]:
    return [each for each in paths if not set('"\\') & set(each)][:_MOST]


def _is_manifest(raw: bytes) -> bool:
    head = raw[:_HEAD]
    return bool(re.search(rb"^apiVersion:", head, re.MULTILINE) and re.search(rb"^kind:", head, re.MULTILINE))
