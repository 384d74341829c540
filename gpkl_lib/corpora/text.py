"""Plain text: its lines, and its words or characters as tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import regex

# A grapheme cluster (\X) is never torn: marks and joiners stay with their letter. Format characters (soft hyphen,
# word joiner; the zero-width space separates) and - ' ’ . @ between letters belong to the word. The quantifiers are
# possessive, so that no line takes more than one pass.
_LETTER, _FORMAT = r"(?:(?=\w)\X)", r"(?:(?!\u200b)\p{Cf})"
WORD = regex.compile(rf"{_LETTER}++(?:{_FORMAT}*+[-'’.@]?+{_FORMAT}*+{_LETTER}++)*+{_FORMAT}*+|(?!\s)\X")
SOLID = regex.compile(r"[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]")  # written without spaces
LETTER = regex.compile(r"\p{L}")
Tokens = Literal["auto", "words", "characters"]
"""What becomes a token of a text; "auto": characters where most letters are Han or Kana, else words."""
TOKENS: tuple[str, ...] = get_args(Tokens)
"""The values of `Tokens`."""


def text_lines(text: str) -> list[str]:
    """The lines of a text, which end with LF or CRLF only: a vertical tab or U+2028 belongs to its line."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines if lines[-1] else lines[:-1]


def token_kind(texts: Iterable[str], asked: str) -> str:
    """What was asked for, "words" or "characters"; by "auto" characters where most letters are Han or Kana.

    Example:
        >>> token_kind(["Anna works"], "auto"), token_kind(["北京"], "auto")
        ('words', 'characters')
    """
    if asked != "auto":
        return asked
    letters = solid = 0
    for text in texts:
        if text.isascii():
            letters += len(text)
        else:
            letters += len(LETTER.findall(text))
            solid += len(SOLID.findall(text))
    return "characters" if 2 * solid > letters else "words"


def token_places(text: str, kind: str) -> list[tuple[int, int]]:
    """[start, end) of every token: the words and marks of a text, or each of its characters (code points)."""
    if kind == "characters":
        return [(place, place + 1) for place in range(len(text))]
    return [match.span() for match in WORD.finditer(text)]
