"""Words and characters as numbers, for an encoder trained from scratch."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gpkl_lib.corpora.batch import Batch, positive_cells
from gpkl_lib.corpora.corpus import Sentence

PADDING, UNKNOWN = 0, 1
"""The numbers of what fills a batch up, and of a token or character that is not in a vocabulary."""
MAX_CHARACTERS = 24  # a longer token (a URL, say) is spelt by its first and last 12 characters
ROW = 4 * (1 + MAX_CHARACTERS)  # bytes of the numbers of a token and of its characters
REMEMBERED = 100_000  # tokens whose row is kept, some 25 MB


@dataclass
class Vocabulary:
    """Lower-cased words and case-sensitive characters, each numbered from 2; 0 is padding, 1 is everything unknown.

    Attributes:
        words: in the order of their numbers; use `build`.
        characters: likewise.

    Raises:
        ValueError: a word or character given twice.

    Example:
        >>> anna = Sentence(("Anna", "works", "in", "Berlin"), (("PER", 0, 1), ("LOC", 3, 4)))
        >>> vocabulary = Vocabulary.build([anna, anna])  # a word seen once is unknown
        >>> vocabulary.encode(("anna", "in", "Rome"))[0]  # lower-cased; 1 is the unknown
        [2, 4, 1]
    """

    words: tuple[str, ...]
    characters: tuple[str, ...]

    def __post_init__(self) -> None:
        self._words = {word: number for number, word in enumerate(self.words, 2)}
        self._characters = {character: number for number, character in enumerate(self.characters, 2)}
        self._rows: dict[str, bytes] = {}
        if len(self._words) != len(self.words) or len(self._characters) != len(self.characters):
            raise ValueError("words and characters must be distinct")

    @classmethod
    def build(cls, sentences: Iterable[Sentence], *, min_count: int = 2) -> Vocabulary:
        """From training sentences: words and characters seen at least `min_count` times, the most frequent first.

        With min_count=2 the words seen once stand for unknown ones, so that their vector is trained; with 1 it is not.
        """
        words: Counter[str] = Counter()
        characters: Counter[str] = Counter()
        for sentence in sentences:
            words.update(token.lower() for token in sentence.tokens)
            characters.update(character for token in sentence.tokens for character in _spelling(token))
        chosen = [
            tuple(sorted((key for key, n in counts.items() if n >= min_count), key=lambda key: (-counts[key], key)))
            for counts in (words, characters)
        ]
        return cls(chosen[0], chosen[1])

    @property
    def num_words(self) -> int:
        """Rows that an embedding of the words needs, padding and unknown included."""
        return len(self.words) + 2

    @property
    def num_characters(self) -> int:
        """Rows that an embedding of the characters needs, padding and unknown included."""
        return len(self.characters) + 2

    def encode(self, tokens: Sequence[str]) -> tuple[list[int], list[list[int]]]:
        """L tokens -> L word numbers, and for each token the numbers of at most 24 characters."""
        words = [self._words.get(token.lower(), UNKNOWN) for token in tokens]
        return words, [[self._characters.get(c, UNKNOWN) for c in _spelling(token)] for token in tokens]

    def collate(self, sentences: Sequence[Sentence], types: Sequence[str] | None = None) -> Batch:
        """A padded batch with inputs "words" int64 (B, L) and "characters" int64 (B, L, C).

        Args:
            sentences: B of them; nothing is cut (see `truncate`, `windows`).
            types: names of the heads, for the positives; None leaves those empty.

        Raises:
            ValueError: a span of a type that is not in `types`.
        """
        longest = max(1, *map(len, sentences), 1)
        parts: list[bytes] = []
        for sentence in sentences:
            parts += map(self._row, sentence.tokens)
            parts.append(bytes(ROW * (longest - len(sentence))))  # PADDING
        rows = bytearray().join(parts)  # one that torch may write to
        numbers = torch.frombuffer(rows, dtype=torch.int32) if rows else torch.empty(0, dtype=torch.int32)
        numbers = numbers.view(len(sentences), longest, 1 + MAX_CHARACTERS)
        spelt = max((max(map(len, sentence.tokens), default=1) for sentence in sentences), default=1)
        words, characters = numbers[..., 0].long(), numbers[..., 1 : 1 + max(1, spelt)].long()
        inputs: dict[str, Tensor] = {"words": words, "characters": characters}
        return Batch(inputs, words != PADDING, positive_cells(sentences, types))

    def _row(self, token: str) -> bytes:
        """The numbers of a token and of its characters, padded, as int32.

        They are remembered: each epoch asks for the same tokens again.
        """
        row = self._rows.get(token)
        if row is None:
            if len(self._rows) >= REMEMBERED:
                self._rows.clear()
            (word,), (spelling,) = self.encode((token,))
            row = self._rows[token] = array("i", [word, *spelling]).tobytes().ljust(ROW, b"\0")
        return row

    def to_json(self) -> str:
        """As JSON text; `from_json` undoes it."""
        return json.dumps({"words": self.words, "characters": self.characters}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """From what `to_json` gave.

        Raises:
            ValueError: text that is not such JSON.
        """
        value: Any = json.loads(text)
        if not isinstance(value, dict) or value.keys() != {"words", "characters"}:
            raise ValueError('a vocabulary is JSON {"words": [...], "characters": [...]}')
        return cls(tuple(value["words"]), tuple(value["characters"]))


def _spelling(token: str) -> str:
    half = MAX_CHARACTERS // 2
    return token if len(token) <= MAX_CHARACTERS else token[:half] + token[-half:]
