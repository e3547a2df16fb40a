"""Deploy to OpenShift: Kubernetes with stricter defaults, so the target is the same."""

from __future__ import annotations

from autoclave.targets.kubernetes import TABLES, create

__all__ = ["TABLES", "create"]
