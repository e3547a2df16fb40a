"""Words of a Dockerfile: how the builder splits them, and puts values in place of variables.

Read in BuildKit 0.34.2: frontend/dockerfile/shell/lex.go.
"""

from __future__ import annotations

from collections.abc import Mapping

from autoclave.device.dockerfile import patterns
from autoclave.device.dockerfile.patterns import WordError
from autoclave.device.dockerfile.text import is_space

__all__ = ["WordError", "expand", "split", "split_raw"]

_DEEPEST = 50  # variables in the default of a variable
_LONGEST = 1 << 16  # characters of one value, which may double at each use of a variable
_SPECIAL = frozenset("@*#?-$!0")


def expand(text: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """Return the word with its quotes removed and its variables replaced; unset ones are empty.

    Raises WordError.
    """
    result, _ = _Lexer(text, variables, escape, splits=False).read_until("")
    return result


def split_raw(text: str) -> list[str]:
    """Split a line as the builder does to find here-documents: quotes, escapes and variables stay.

    A line that it cannot split has no here-documents: no words.
    """
    try:
        return _Lexer(text, {}, "\\", raw=True, keep_unset=True).read_until("")[1]
    except WordError:
        return []


def split(text: str) -> list[str]:
    """Split a word without its quotes, variables as they are written. Raises WordError."""
    return _Lexer(text, {}, "\\", keep_unset=True).read_until("")[1]


class _Lexer:
    """One pass over a text. The words being collected are shared by all levels, as in the builder."""

    def __init__(
        self,
        text: str,
        variables: Mapping[str, str],
        escape: str,
        *,
        raw: bool = False,
        keep_unset: bool = False,
        splits: bool = True,
    ) -> None:
        self._text = text
        self._at = 0
        self._variables = variables
        self._escape = escape
        self._raw_quotes = raw
        self._raw_escapes = raw
        self._keep_unset = keep_unset
        self._splits = splits
        self._word: list[str] = []
        self._depth = 0

    def read_until(
        self, stop: str, *, raw_escapes: bool | None = None, in_pattern: bool = False
    ) -> tuple[str, list[str]]:
        """Read until a character, or "" for the end; return the text and its words."""
        before = self._raw_escapes
        self._raw_escapes = before if raw_escapes is None else raw_escapes
        self._depth += 1
        if self._depth > _DEEPEST:
            raise WordError(f"more than {_DEEPEST} variables are inside of each other")
        try:
            return self._read_until(stop, in_pattern)
        finally:
            self._raw_escapes = before
            self._depth -= 1

    def _read_until(self, stop: str, in_pattern: bool) -> tuple[str, list[str]]:
        words = _Words(self._word, is_used=self._splits)
        result: list[str] = []
        length = 0
        while char := self._peek():
            if char == stop:
                self._next()
                return "".join(result), words.finish()
            part = self._read_part(char, in_pattern, words)
            length += len(part)
            if length > _LONGEST:
                raise WordError(f"a value has more than {_LONGEST} characters")
            result.append(part)
        if stop:
            raise WordError(f"missing '{stop}'")
        return "".join(result), words.finish()

    def _read_part(self, char: str, in_pattern: bool, words: _Words) -> str:
        """Read a variable, a quoted part, the signs of a here-document, or one character."""
        if char == "$":
            part = self._read_variable()
            words.add(part)
        elif char == "<":
            part = self._read_less()
            words.add_quoted(part)
        elif char == "'":
            part = self._read_single(in_pattern)
            words.add_quoted(part)
        elif char == '"':
            part = self._read_double(in_pattern)
            words.add_quoted(part)
        elif char == self._escape:
            kept = self._next() if self._raw_escapes else ""
            if not kept:
                self._next()
            words.add_quoted(kept)
            escaped = self._next()
            words.add_quoted(escaped)
            part = kept + escaped
        else:
            part = self._next()
            words.add(part)
        return part

    def _read_single(self, in_pattern: bool) -> str:
        quote = self._next()
        end = self._text.find("'", self._at)
        if end < 0:
            raise WordError("a single quote is not closed")
        inside = self._text[self._at : end]
        self._at = end + 1
        if in_pattern:
            inside = inside.replace(self._escape, self._escape * 2)
        return f"{quote}{inside}{quote}" if self._raw_quotes else inside

    def _read_double(self, in_pattern: bool) -> str:
        quote = self._next() if self._raw_quotes else ""
        if not quote:
            self._next()
        result = [quote]
        while char := self._peek():
            if char == '"':
                self._next()
                return "".join([*result, quote])
            if char == "$":
                result.append(self._read_variable())
                continue
            self._next()
            if char == self._escape:
                following = self._peek()
                if not following:
                    continue
                if following in {'"', "$", self._escape}:
                    result.append(char if self._raw_escapes else "")
                    char = self._next()
                elif self._raw_escapes and (not self._raw_quotes or in_pattern):
                    result.append(char)
            result.append(char)
        raise WordError("a double quote is not closed")

    def _read_less(self) -> str:
        self._next()
        if self._peek() != "<":
            return "<"
        self._next()
        start = self._at
        while self._peek() and self._peek() in "\t\r ":
            self._next()
        return "<<" + self._text[start : self._at]

    def _read_variable(self) -> str:
        self._next()
        if self._peek() != "{":
            name = self._read_name()
            if not name:
                return "$"
            return f"${name}" if self._is_kept(name) else self._variables.get(name, "")
        self._next()
        if self._peek() in {"", "{", "}", ":"}:
            raise WordError("'${' is not followed by the name of a variable")
        name = self._read_name()
        sign = self._next()
        if sign == "}":
            return f"${{{name}}}" if self._is_kept(name) else self._variables.get(name, "")
        if sign == "/":
            return self._replace(name)
        if sign == ":":
            sign += self._next()
        return self._choose(name, sign)

    def _choose(self, name: str, sign: str) -> str:
        """Return `${name-word}` and its kind: a default, an alternative, or a part of the value."""
        kind = sign[-1:]
        if kind not in {"-", "+", "?", "#", "%"} and len(sign) == 1:
            raise WordError(f"'{sign}' after the name of a variable is not supported")
        if len(sign) == 2 and kind in {"#", "%"}:
            raise WordError(f"'{sign}' after the name of a variable is not supported")
        as_pattern = kind in {"#", "%"}
        word, _ = self.read_until("}", raw_escapes=as_pattern, in_pattern=as_pattern)
        if self._is_kept(name):
            return f"${{{name}{sign}{word}}}"
        value = self._variables.get(name)
        is_unset = value is None or (len(sign) == 2 and not value)
        if kind == "-":
            return word if is_unset else value or ""
        if kind == "+":
            return "" if is_unset else word
        if kind == "?":
            if is_unset:
                raise WordError(f"{name}: {word or 'is not set'}")
            return value or ""
        if as_pattern:
            return patterns.trim(value or "", word, kind)
        raise WordError(f"'{sign}' after the name of a variable is not supported")

    def _replace(self, name: str) -> str:
        every = self._peek() == "/"
        if every:
            self._next()
        pattern, _ = self.read_until("/", raw_escapes=True, in_pattern=True)
        new, _ = self.read_until("}", raw_escapes=True)
        if self._is_kept(name):
            return f"${{{name}/{pattern}/{new}}}"
        value = self._variables.get(name, "")
        # The builder's own library gives `$1` and the like a meaning, but only where all are replaced.
        if every and "$" in new:
            raise WordError("'$' in what replaces a pattern is not supported")
        return patterns.replace(value, pattern, new, every=every)

    def _read_name(self) -> str:
        start = self._at
        first = self._peek()
        if first.isdecimal():
            while self._peek().isdecimal():
                self._next()
        elif first and first in _SPECIAL:
            self._next()
        else:
            while (char := self._peek()) and (char.isalpha() or char.isdecimal() or char == "_"):
                self._next()
        return self._text[start : self._at]

    def _is_kept(self, name: str) -> bool:
        return self._keep_unset and name not in self._variables

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        self._at += len(char)
        return char


class _Words:
    """The words of one level. A level inside another one clears the word that was begun there."""

    def __init__(self, word: list[str], *, is_used: bool) -> None:
        self._word = word
        self._is_used = is_used
        self._word.clear()
        self._words: list[str] = []
        self._inside = False

    def add(self, text: str) -> None:
        for char in text if self._is_used else "":
            if not is_space(char):
                self.add_quoted(char)
            elif self._inside and "".join(self._word):
                self._words.append("".join(self._word))
                self._word.clear()
                self._inside = False

    def add_quoted(self, text: str) -> None:
        if self._is_used:
            self._word.append(text)
            self._inside = True

    def finish(self) -> list[str]:
        if "".join(self._word):
            self._words.append("".join(self._word))
        self._word.clear()
        return self._words
