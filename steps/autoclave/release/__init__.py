"""The release record of one image: read and verified once, judged, sealed."""

from autoclave.release.verification import Release, add, read, read_runs

__all__ = ["Release", "add", "read", "read_runs"]
