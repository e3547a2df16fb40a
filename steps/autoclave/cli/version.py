"""Which commit this Autoclave was built from, for `--version` and `doctor`."""

from __future__ import annotations

from autoclave.device.source import repository
from autoclave.errors import SourceError
from autoclave.runtime.version import CHECKOUT, read_built

_SHOWN = 12  # digits of a commit


def find_commit() -> str:
    """Return the commit that this was built from, or that is checked out; empty when it is not known."""
    if built := read_built():
        return "" if built[1] == "unknown" else built[1]
    try:
        found = repository.open_at(CHECKOUT)
        return repository.read_head(found) if found else ""
    except SourceError:
        return ""


def describe_origin() -> str:
    """Return what this was made from, in words: the commit, of a wheel or of a checkout."""
    built, commit = read_built(), find_commit()
    if not commit:
        return "built outside of git" if built else "commit unknown"
    digits, _, modified = commit.partition("-")
    short = digits[:_SHOWN] + (f"-{modified}" if modified else "")
    return f"commit {short} of {built[2]}" if built else f"commit {short}, checkout {CHECKOUT}"
