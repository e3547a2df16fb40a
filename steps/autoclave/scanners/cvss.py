"""CVSS vectors, versions 2 to 4: the base score and the severity that each of them states."""

from __future__ import annotations

from functools import lru_cache

from cvss import CVSS2, CVSS3, CVSS4
from cvss.exceptions import CVSSError

from autoclave.model.facts import Rating, Severity

_LONGEST = 300  # characters: a full vector of version 4 has 200
_WORDS = {"None": Severity.UNKNOWN} | {each.name.capitalize(): each for each in Severity}


@lru_cache(maxsize=8192)
def rate(source: str, vector: str) -> Rating:
    """Return what a source's vector states; without score and severity when it is not one."""
    if len(vector) > _LONGEST:
        return Rating(source=source, severity=Severity.UNKNOWN, vector=vector[:_LONGEST])
    try:
        if vector.startswith("CVSS:4"):
            parsed = CVSS4(vector)
        elif vector.startswith("CVSS:3"):
            parsed = CVSS3(vector)
        else:
            parsed = CVSS2(vector)
    except (CVSSError, ValueError, KeyError, IndexError, TypeError):
        return Rating(source=source, severity=Severity.UNKNOWN, vector=vector)
    severity = _WORDS.get(str(parsed.severities()[0]), Severity.UNKNOWN)
    return Rating(source=source, severity=severity, vector=vector, score=float(parsed.scores()[0]))
