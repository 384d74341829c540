"""The toy corpus: generated, seeded English with nested spans, for training runs of a minute.

What makes it worth learning from: spans nest up to three deep; one surface has several types (a surname is a town and a
company, a newspaper is an employer and a reading) and the sentence decides; half of the names in dev and test never
occur in training. A model can learn a few hundred training sentences by heart, and must not.
"""

from __future__ import annotations

import random
import re
from collections import Counter

from gpkl_lib.corpora.corpus import Corpus, Sentence
from gpkl_lib.corpora.grammar import GRAMMAR, TYPES
from gpkl_lib.corpora.names import SPLITS, Names, make_names
from gpkl_lib.spans import Span

SIZES = {"train": 250, "dev": 250, "test": 500}
MAX_DEPTH, SHORTEST, LONGEST = 3, 8, 25
PIECES = re.compile(r"\[([^\]]+)\]|\{([^}]+)\}|([^\s\[\]{}]+)")
CHOICE = re.compile(r"\(([^()]*)\)")


def toy_corpus(size: int | None = None, *, split: str = "train", seed: int = 0, label_noise: float = 0.0) -> Corpus:
    """Sentences of 8 to 25 tokens with five types of spans, nested up to three deep.

    The same arguments give the same corpus on every platform. A smaller corpus is the beginning of a larger one, and
    label noise changes spans only: what a smaller rate damages, a larger one damages too.

    Args:
        size: how many sentences; 250 (train, dev) or 500 (test) where not given.
        split: "train", "dev" or "test". In dev and test half of the names are their own, unseen in training.
        seed: of the names (shared by the splits of a seed) and the sentences.
        label_noise: the chance that a span of the training set is damaged: dropped, given another type, or shifted at
            one end by a token, a third of the time each. `oddities` counts what was done.

    Raises:
        ValueError: unknown split, negative size, label_noise outside [0, 1] or on a split that measures.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    size = SIZES[split] if size is None else size
    if size < 0:
        raise ValueError(f"size must not be negative, got {size}")
    if not 0 <= label_noise <= 1:
        raise ValueError(f"label_noise must lie between 0 and 1, got {label_noise}")
    if label_noise and split != "train":
        raise ValueError(f"label_noise is for the training split; {split} measures, and stays clean")
    names, generator = make_names(split, seed), random.Random(f"toy sentences {seed} {split}")
    sentences = [_draw(names, generator) for _ in range(size)]
    noise, damage = random.Random(f"toy noise {seed}"), Counter[str]()
    sentences = [_damaged(sentence, label_noise, noise, damage) for sentence in sentences]
    name = f"toy(size={size}, split={split!r}, seed={seed}" + (f", label_noise={label_noise})" if label_noise else ")")
    return Corpus(name, sentences, types=TYPES, oddities=dict(damage))


def _draw(names: Names, generator: random.Random) -> Sentence:
    """Sentences until one has a fit length."""
    while True:
        tokens: list[str] = []
        spans: list[Span] = []
        _expand("sentence", names, generator, tokens, spans, MAX_DEPTH)
        if SHORTEST <= len(tokens) <= LONGEST:
            return Sentence((tokens[0][0].upper() + tokens[0][1:], *tokens[1:]), tuple(spans))


def _expand(
    symbol: str, names: Names, generator: random.Random, tokens: list[str], spans: list[Span], depth: int
) -> None:
    """Append the tokens of a symbol, and its spans; `depth` is how many spans may still open around a token."""
    kind, _, variant = symbol.partition("/")
    start = len(tokens)
    left = depth - bool(variant)
    production = generator.choice([text for text in GRAMMAR[symbol] if _depth(text) <= left])
    for inner, name, word in PIECES.findall(CHOICE.sub(lambda m: generator.choice(m[1].split("|")), production)):
        if inner:
            _expand(inner, names, generator, tokens, spans, left)
        else:
            tokens.append(names.draw(name, generator) if name else word)
    if variant:
        spans.append((kind, start, len(tokens)))


def _depth(text: str) -> int:
    """The least depth of spans that a production needs."""
    symbols = [symbol for symbol, _, _ in PIECES.findall(text) if symbol]
    return max((("/" in symbol) + min(map(_depth, GRAMMAR[symbol])) for symbol in symbols), default=0)


def _damaged(sentence: Sentence, rate: float, generator: random.Random, damage: Counter[str]) -> Sentence:
    """The sentence with each span damaged at the given rate. Draws the same numbers whatever the rate."""
    spans = set(sentence.spans)
    for kind, start, end in sentence.spans:
        chance, way, detail = generator.random(), generator.random(), generator.random()
        if chance >= rate:
            continue
        others = [t for t in TYPES if t != kind]
        shifts = [(start - 1, end), (start + 1, end), (start, end - 1), (start, end + 1)]
        shifts = [(s, e) for s, e in shifts if 0 <= s < e <= len(sentence)]
        changed: Span | None = None
        if way >= 2 / 3:
            changed = (kind, *shifts[int(detail * len(shifts))])
        elif way >= 1 / 3:
            changed = (others[int(detail * len(others))], start, end)
        spans.remove((kind, start, end))
        if changed is None or changed in spans or changed in sentence.spans:
            damage["label noise: dropped"] += 1
        else:
            spans.add(changed)
            damage["label noise: shifted" if way >= 2 / 3 else "label noise: another type"] += 1
    return Sentence(sentence.tokens, tuple(spans))
