"""Quantities as Kubernetes writes them (`64Mi`, `1.5`, `100m`, `2e3`), compared exactly."""

from __future__ import annotations

import re
from fractions import Fraction

_QUANTITY = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,3}))?\Z", re.ASCII)
_SUFFIX = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 10**3), "k": Fraction(10**3),
    **{letter: Fraction(1000**power) for power, letter in enumerate("MGTPE", start=2)},
    **{f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", start=1)},
}  # fmt: skip


def parse_quantity(quantity: object) -> Fraction:
    """Return a quantity's value. Raises ValueError for what is not a quantity.

    Grammar: apimachinery's resource.Quantity (sign, decimal number, binary or decimal suffix, or exponent).
    """
    found = _QUANTITY.match(str(quantity))
    if not found:
        raise ValueError(f"{quantity!r} is not a quantity")
    sign, number, suffix, exponent = found.groups()
    value = Fraction(number.rstrip(".") if number != "." else "0")
    value *= _SUFFIX[suffix] if suffix else Fraction(10) ** int(exponent or 0)
    return -value if sign == "-" else value
