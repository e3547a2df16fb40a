"""What the GitLab double keeps of a project."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NOW = "2026-11-24T12:00:00.000Z"


@dataclass
class Project:
    """A project; branches map names to the files on them."""

    id: int
    path: str
    default_branch: str | None = "main"
    ci_config_path: str | None = None
    archived: bool = False
    branches: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    notes: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    merge_requests: list[dict[str, Any]] = field(default_factory=list)
    commits: set[str] = field(default_factory=set)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    packages: list[dict[str, Any]] = field(default_factory=list)
    releases: list[dict[str, Any]] = field(default_factory=list)
    environments: list[dict[str, Any]] = field(default_factory=list)
    deployments: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "path_with_namespace": self.path,
            "default_branch": self.default_branch,
            "ci_config_path": self.ci_config_path,
            "archived": self.archived,
        }
