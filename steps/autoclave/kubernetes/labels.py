"""Labels and annotations by which what Autoclave applied is found again."""

from __future__ import annotations

DEVICE = "dev.autoclave.device"
ENVIRONMENT = "dev.autoclave.environment"
IMAGE = "dev.autoclave.image"
INPUTS = "dev.autoclave.inputs"
"""An annotation: the digest of the deploy plan is longer than a label's value may be."""
MANAGER = "autoclave"
"""Our field manager, and the value of app.kubernetes.io/managed-by."""
