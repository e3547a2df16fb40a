"""Labels and annotations by which Autoclave finds what it applied."""

from __future__ import annotations

DEVICE = "dev.autoclave.device"
ENVIRONMENT = "dev.autoclave.environment"
IMAGE = "dev.autoclave.image"
MANAGER = "autoclave"
"""Our field manager, and the value of app.kubernetes.io/managed-by."""
IMAGES = "dev.autoclave.images"
"""An annotation of pods: which container runs which image of the device, as JSON."""
