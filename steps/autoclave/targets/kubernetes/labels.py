"""Labels and annotations by which Autoclave finds what it applied, and the names of what it makes itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEVICE = "dev.autoclave.device"
ENVIRONMENT = "dev.autoclave.environment"
IMAGE = "dev.autoclave.image"
MANAGER = "autoclave"
"""Our field manager, and the value of app.kubernetes.io/managed-by."""
IMAGES = "dev.autoclave.images"
"""An annotation of pods: which container runs which image of the device, as JSON."""
CONFIGURATION = "dev.autoclave.configuration"
"""An annotation of pods: the digest of the ConfigMaps and Secrets that they use."""


def name_of(device: str, environment: str, *parts: str) -> str:
    """Return the name of what we keep or make for a device in an environment.

    Joined with `.`, which no name in autoclave.toml and no namespace contains: two devices never share one.
    """
    return ".".join((MANAGER, device, environment, *parts))


def selector(device: str, environment: str) -> str:
    """Return the label selector for the objects of a device in an environment."""
    return f"{DEVICE}={device},{ENVIRONMENT}={environment}"


def has_labels(of: Mapping[str, Any], selector: str) -> bool:
    """Return whether an object has all labels of a selector."""
    actual = (of.get("metadata") or {}).get("labels") or {}
    pairs = (each.partition("=") for each in selector.split(","))
    return all(actual.get(key) == value for key, _, value in pairs)
