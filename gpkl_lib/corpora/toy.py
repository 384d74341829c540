"""The toy corpus: generated, seeded English with nested spans, for training runs of a minute.

What makes it worth learning from: spans nest up to three deep; one surface has several types (a surname is a town and a
company, a newspaper is an employer and a reading) and the sentence decides; half of the names, of the verbs and head
nouns and of the sentence patterns in dev and test never occur in training. A few hundred training sentences can be
learnt by heart, and that does not suffice.
"""

from __future__ import annotations

import functools
import random
import re
from collections import Counter
from typing import Literal

from gpkl_lib.corpora.corpus import Corpus, Sentence
from gpkl_lib.corpora.drawing import check_rate, damaged
from gpkl_lib.corpora.grammar import GRAMMAR, TYPES
from gpkl_lib.corpora.names import SPLITS, make_names
from gpkl_lib.spans import Span

SIZES = {"train": 200, "dev": 200, "test": 400}
"""Sentences of each part of the toy corpus."""
MAX_DEPTH, SHORTEST, LONGEST = 3, 8, 25
PIECES = re.compile(r"\[([^\]]+)\]|\{([^}]+)\}|([^\s\[\]{}]+)")
CHOICE = re.compile(r"\(([^()]*)\)")


def toy_corpus(
    size: int | None = None,
    *,
    split: Literal["train", "dev", "test"] = "train",
    seed: int = 0,
    label_noise: float = 0.0,
) -> Corpus:
    """Sentences of 8 to 25 tokens with five types of spans, nested up to three deep.

    The same arguments give the same corpus on every platform. A smaller corpus is the beginning of a larger one, and
    label noise changes spans only: what a smaller rate damages, a larger one damages too.

    Args:
        size: how many sentences; 200 (train, dev) or 400 (test) where not given.
        split: "train", "dev" or "test". Half of the names in dev and in test are their own; patterns and words that
            training never shows they have in common.
        seed: of the names (shared by the splits of a seed) and the sentences.
        label_noise: the chance that a span of the training set is `damaged`: dropped, given another type, or shifted at
            one end by a token, a third of the time each. `oddities` counts what was done.

    Raises:
        ValueError: unknown split, negative size, label_noise outside [0, 1] or on a split that measures.

    Example:
        >>> corpus = toy_corpus(2)
        >>> print(*corpus[0].tokens)
        Near Drillsen Hall , Provane returned from Vernen to old Stuster .
        >>> corpus.types
        ('event', 'organisation', 'person', 'place', 'work')
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    size = SIZES[split] if size is None else size
    if size < 0:
        raise ValueError(f"size must not be negative, got {size}")
    check_rate(label_noise)
    if label_noise and split != "train":
        raise ValueError(f"label_noise is for the training split; {split} measures, and stays clean")
    writer = _Writer(split, seed)
    sentences = [writer.sentence() for _ in range(size)]
    noise, damage = random.Random(f"toy noise {seed}"), Counter[str]()
    sentences = [damaged(sentence, label_noise, TYPES, noise, damage) for sentence in sentences]
    name = f"toy(size={size}, split={split!r}, seed={seed}" + (f", label_noise={label_noise})" if label_noise else ")")
    return Corpus(name, sentences, types=TYPES, oddities=dict(damage))


class _Writer:
    """Expands the grammar: all of it in dev and test, in training the first half of each choice and of the cores."""

    def __init__(self, split: str, seed: int) -> None:
        self.names = make_names(split, seed)
        self.generator = random.Random(f"toy sentences {seed} {split}")
        self.training = split == "train"
        self.tokens: list[str] = []
        self.spans: list[Span] = []

    def sentence(self) -> Sentence:
        """Writes until a sentence has a fit length."""
        while True:
            self.tokens, self.spans = [], []
            self.expand("sentence", MAX_DEPTH)
            if SHORTEST <= len(self.tokens) <= LONGEST:
                first = self.tokens[0]
                return Sentence((first[0].upper() + first[1:], *self.tokens[1:]), tuple(self.spans))

    def expand(self, symbol: str, depth: int) -> None:
        """Append the tokens and spans of a symbol; `depth` is how many spans may still open around a token."""
        kind, _, variant = symbol.partition("/")
        start, depth = len(self.tokens), depth - bool(variant)
        texts = self.offered(GRAMMAR[symbol]) if symbol == "core" else GRAMMAR[symbol]
        text = self.generator.choice([text for text in texts if _depth(text) <= depth])
        text = CHOICE.sub(lambda match: self.generator.choice(self.offered(match[1].split("|"))), text)
        for inner, name, word in PIECES.findall(text):
            if inner:
                self.expand(inner, depth)
            else:
                self.tokens.append(self.names.draw(name, self.generator) if name else word)
        if variant:
            self.spans.append((kind, start, len(self.tokens)))

    def offered(self, options: list[str]) -> list[str]:
        """What the split may choose from."""
        return options[: (len(options) + 1) // 2] if self.training else options


@functools.cache
def _depth(text: str) -> int:
    """The least depth of spans that a production needs."""
    symbols = [symbol for symbol, _, _ in PIECES.findall(text) if symbol]
    return max((("/" in symbol) + min(map(_depth, GRAMMAR[symbol])) for symbol in symbols), default=0)
