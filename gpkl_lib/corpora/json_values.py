"""The JSON values of a file, each with its line: one a line, over several lines, or the elements of one array."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from gpkl_lib.corpora.corpus import CorpusError

SPACE = re.compile(r"[ \t\r\n]*")
BEGINS = re.compile(  # an object, with a key or empty; an array, empty, of objects, or with a string first
    r"""\s*(\{\s*(\}[ \t\r]*(\n|\Z)|"[^"\n]*"\s*:)|\[\s*(\{\s*"|\[\s*"|"[^\n]*",|\]\s*\Z))""", re.ASCII
)


def looks_like_json(text: str) -> bool:
    """Whether a text begins with a JSON object, or with an array of objects or of strings and objects."""
    return BEGINS.match(text) is not None


def json_values(text: str, name: str) -> Iterator[tuple[int, Any]]:
    """(line, value) of every value; an array of objects, or of arrays, is its elements.

    Raises:
        CorpusError: no JSON, a key given twice in an object, half of a surrogate pair, nested too deeply.
    """
    reader = _Reader(text, name)
    while not reader.at_end():
        if reader.text[reader.place] == "[" and reader.text[reader.after(reader.place + 1)] in "{[]":
            yield from reader.elements()
        else:
            yield reader.value()
        reader.end_of_line()


class _Reader:
    """A place in a text, with the number of its line."""

    def __init__(self, text: str, name: str) -> None:
        self.text, self.name = text + "\n", name
        self.place, self.line, self._counted = 0, 1, 0
        self.decode = json.JSONDecoder(object_pairs_hook=_distinct).raw_decode

    def after(self, place: int) -> int:
        """The place behind white space."""
        match = SPACE.match(self.text, place)
        assert match
        return min(match.end(), len(self.text) - 1)

    def at_end(self) -> bool:
        """Go over white space; whether nothing follows."""
        self._go(self.after(self.place))
        return self.place == len(self.text) - 1

    def elements(self) -> Iterator[tuple[int, Any]]:
        """The elements of an array that begins here."""
        self._go(self.after(self.place + 1))
        while self.text[self.place] != "]":
            yield self.value()
            self._go(self.after(self.place))
            if self.text[self.place] not in ",]":
                raise CorpusError(f"{self.name}:{self.line}: expected , or ] behind an element of the file's array")
            if self.text[self.place] == ",":
                self._go(self.after(self.place + 1))
        self._go(self.place + 1)

    def value(self) -> tuple[int, Any]:
        """The value that begins here, and its line."""
        line, start = self.line, self.place
        try:
            value, end = self.decode(self.text, start)
        except json.JSONDecodeError as error:
            where = f"at column {error.colno}" if error.lineno == line else f"in line {error.lineno}"
            raise CorpusError(f"{self.name}:{line}: expected a JSON object, but {error.msg} {where}") from None
        except RecursionError:
            raise CorpusError(f"{self.name}:{line}: expected a JSON object, but it is nested too deeply") from None
        except ValueError as error:
            raise CorpusError(f"{self.name}:{line}: expected a JSON object, but {str(error)[:80]}") from None
        if "\\u" in self.text[start:end]:
            try:
                json.dumps(value, ensure_ascii=False).encode()
            except UnicodeEncodeError as error:
                half = f"\\u{ord(error.object[error.start]):04x}"
                raise CorpusError(f"{self.name}:{line}: found {half}, half of a surrogate pair") from None
        self._go(end)
        return line, value

    def end_of_line(self) -> None:
        """Refuse a second value on the line of the first."""
        before = self.line
        if not self.at_end() and self.line == before:
            column = self.place - self.text.rfind("\n", 0, self.place)
            raise CorpusError(
                f"{self.name}:{before}: expected one JSON object a line, but Extra data at column {column}"
            )

    def _go(self, place: int) -> None:
        self.line += self.text.count("\n", self.place, place)
        self.place = place


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f'the key "{twice}" stands twice in it')
    return found
