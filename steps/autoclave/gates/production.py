"""Is this place production? Every one is that the policy does not exempt.

A device file gives its environments names, and a name is worth nothing here: only where a deployment goes
counts, and whether the device file itself requires more.
"""

from __future__ import annotations

from collections.abc import Collection

from autoclave.model.place import Destination, Place, find_match


def judge(environment: str, place: Place | None, exempt: Collection[str], *, declared: bool) -> Destination:
    """Return where a deployment goes and what that is; `declared` is what the device file requires.

    `exempt` are the policy's patterns of places that are not production.
    """
    text = str(place) if place else ""
    match = find_match(text, exempt)
    if declared:
        production, why = True, "the device file declares it"
    elif not text:
        production, why = True, "its target does not name the place"
    elif match:
        production, why = False, f"the policy exempts {text}" + (f" as '{match}'" if match != text else "")
    else:
        others = ", ".join(f"'{each}'" for each in sorted(exempt)) or "nothing"
        production, why = True, f"{text} is not exempt (production.exempt: {others})"
    return Destination(environment=environment, place=text, production=production, why=why)
