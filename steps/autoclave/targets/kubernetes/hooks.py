"""Helm's hooks: objects that Helm itself applies before or after the others, and waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoclave.errors import ConfigError
from autoclave.targets.kubernetes.manifests import Manifest

_HOOK = "helm.sh/hook"
_ELSEWHERE = frozenset({"test", "test-success", "test-failure", "pre-delete", "post-delete"})
"""Events of `helm test` and `helm uninstall`, which are no part of a deployment."""


def leave_out(manifests: Sequence[Manifest]) -> list[Manifest]:
    """Return the manifests that a deployment applies. Raises ConfigError with each hook that it needs."""
    hooks = {each.title: events for each in manifests if (events := _events(each))}
    if needed := [
        f"{title} ({', '.join(sorted(events))})" for title, events in hooks.items() if events - _ELSEWHERE
    ]:
        raise ConfigError(
            f"the chart has hooks: {'; '.join(needed)}",
            why="a deployment applies, waits for and restores all objects together: nobody would run these",
            next="make them plain objects of the chart (a Job that the others wait for), or remove them",
        )
    return [each for each in manifests if each.title not in hooks]


def _events(manifest: Manifest) -> frozenset[str]:
    metadata = manifest.data.get("metadata")
    noted = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    text = str(noted.get(_HOOK) or "") if isinstance(noted, Mapping) else ""
    return frozenset(word.strip() for word in text.split(",") if word.strip())
