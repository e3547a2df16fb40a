"""Plain words of YAML and what they are for kubectl 1.34.4, which a test with the real one repeats."""

from __future__ import annotations

from typing import Any

WORDS: dict[str, Any] = {
    # Octal, with and without its letter.
    "0400": 256, "0644": 420, "+0400": 256, "-0400": -256, "0o17": 15, "0O17": 15, "-0o17": -15, "0_4": 4,
    "0o0": 0, "00": 0, "01": 1, "0o8": "0o8", "0o": "0o",
    "08": 8, "09.5": 9.5,  # no octal digits: decimal
    # Hexadecimal and binary.
    "0x1F": 31, "0X1f": 31, "-0x1": -1, "0x_1": 1, "0x": "0x", "0xG": "0xG", "0x1p3": "0x1p3",
    "0b11": 3, "-0b11": -3, "0B1": 1, "0b1_1": 3, "0b-1": -1, "0b+1": 1, "-0b-1": "-0b-1", "0b": "0b",
    # Decimal.
    "1_000": 1000, "1__2": 12, "1_": 1, "+_1": 1, "_1": "_1", "+1": 1, "-0": 0, "+": "+", "1-1": "1-1",
    "9223372036854775807": 2**63 - 1, "-9223372036854775808": -(2**63), "99999999999999999999": 10**20,
    # With a point or an exponent; a whole number is one.
    "1e3": 1000, "1E3": 1000, "1e+3": 1000, "1_e3": 1000, "1e21": 1e21, "1e20": 10**20, "1e400": "1e400",
    "1.": 1, "1.0": 1, "1.50": 1.5, "1_0.5": 10.5, "1.5_0": 1.5, ".5": 0.5, "-.5": -0.5, "+.5": 0.5,
    ".5_0": 0.5, "._5": "._5", ".5_": ".5_", ".": ".", ".e1": ".e1", "12e": "12e", "0.1e-7": 1e-8, "0.0": 0,
    # Truth and nothing.
    "yes": True, "Yes": True, "YES": True, "y": True, "Y": True, "on": True, "On": True, "ON": True,
    "true": True, "True": True, "TRUE": True, "tRUE": "tRUE", "oN": "oN", "y_": "y_", "n/a": "n/a",
    "no": False, "No": False, "NO": False, "n": False, "N": False, "off": False, "Off": False, "OFF": False,
    "false": False, "False": False, "FALSE": False, "nO": "nO", "No.1": "No.1",
    "~": None, "null": None, "Null": None, "NULL": None, "nUll": "nUll",
    # Text: times are not numbers in base 60, and dates stay as they are written.
    "1:30": "1:30", "12:30:45": "12:30:45", "190:20:30.15": "190:20:30.15", "2001-01-01": "2001-01-01",
    "2026-11-30T10:00:00Z": "2026-11-30T10:00:00Z", "100m": "100m", "64Mi": "64Mi", "1.5Gi": "1.5Gi",
    "0400m": "0400m", "=": "=", "<<": "<<", "Infinity": "Infinity", "nan": "nan",
    "'0400'": "0400", '"yes"': "yes",
}  # fmt: skip

REFUSED = (".nan", ".inf", "-.Inf", "9" * 5000)
"""What has no value in JSON, or an absurd one."""


def as_config_map() -> str:
    """Return a manifest whose data has each word under its number."""
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: words}\ndata:\n"
    return head + "".join(f"  w{number}: {word}\n" for number, word in enumerate(WORDS))


def read_words(data: dict[str, Any]) -> dict[str, Any]:
    """Return the value of each word in the data of that manifest."""
    return {word: data[f"w{number}"] for number, word in enumerate(WORDS)}
