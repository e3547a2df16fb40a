"""Gated pipeline steps for medical-device software, tied to one image digest."""

import sys

# `python -m` looks for modules first in the current folder, which is a device repository. As `autoclave`, or
# with `python -P -m`, nothing of it is imported. Without -P, at least what comes after this package is not.
if getattr(sys, "argv", [])[:1] == ["-m"] and not sys.flags.safe_path:
    del sys.path[0]

from autoclave.runtime.version import find_version

__version__ = find_version()
