"""Lines and words of a Dockerfile before they have a meaning.

Read in BuildKit 0.34.2: frontend/dockerfile/parser, parser.go, line_parsers.go, split_command.go.
"""

from __future__ import annotations

import re

_SPACES = frozenset(
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
SPACES = "".join(sorted(_SPACES))
_BETWEEN = re.compile(r"[\t\v\f\r ]+")


def is_space(char: str) -> bool:
    """Return whether the builder takes a character for white space (Go's unicode.IsSpace)."""
    return char in _SPACES


def split_keyword(line: str, escape: str) -> tuple[str, list[str], str]:
    """Return the keyword, the flags and the rest of an instruction's line."""
    keyword, *rest = _BETWEEN.split(line.strip(SPACES), maxsplit=1)
    flags, arguments = _split_flags(rest[0], escape) if rest else ([], "")
    return keyword, flags, arguments.strip(SPACES)


def split_spaces(arguments: str) -> list[str]:
    """Split arguments at white space; quotes mean nothing."""
    return _BETWEEN.split(arguments) if arguments else []


def split_once(arguments: str) -> list[str]:
    """Split arguments at the first white space."""
    return _BETWEEN.split(arguments, maxsplit=1)


def split_quoted(arguments: str, escape: str) -> list[str]:
    """Split arguments at white space outside of quotes; quotes and escapes stay."""
    words: list[str] = []
    word: list[str] = []
    quote = ""
    chars = iter(arguments)
    for char in chars:
        if not quote and is_space(char):
            words += ["".join(word)] if word else []
            word = []
            continue
        if not quote and char in "'\"":
            quote = char
        elif char == quote:
            quote = ""
        if char == escape and quote != "'":
            escaped = next(chars, "")
            if escaped:  # at the end it is dropped
                word += [char, escaped]
            continue
        word.append(char)
    return [*words, "".join(word)] if word else words


def _split_flags(line: str, escape: str) -> tuple[list[str], str]:
    """Return the flags before the arguments, without their quotes, and the arguments.

    The builder goes through the bytes here: a part of a letter may count as a space.
    """
    raw = line.encode("utf-8", "surrogateescape").decode("latin-1")
    flags: list[str] = []
    at = 0
    while at < len(raw):
        if is_space(raw[at]):
            at += 1
            continue
        if not raw.startswith("--", at):
            break
        word, at, is_quoted = _read_flag(raw, at, escape)
        if word == "--":
            break
        if word or is_quoted:
            flags.append(word)
    rest = raw[at:].encode("latin-1").decode("utf-8", "surrogateescape")
    return flags, rest


def _read_flag(raw: str, at: int, escape: str) -> tuple[str, int, bool]:
    """Return a flag, where it ends, and whether any of it was in quotes."""
    word: list[str] = []
    quote = ""
    is_quoted = False
    while at < len(raw):
        char = raw[at]
        if not quote and is_space(char):
            break
        if not quote and char in "'\"":
            quote, is_quoted = char, True
        elif char == quote:
            quote = ""
        elif char == escape:
            at += 1
            word.append(raw[at : at + 1])
            quote = quote if at < len(raw) else ""
        else:
            word.append(char)
        at += 1
    return "".join(word), at, is_quoted
