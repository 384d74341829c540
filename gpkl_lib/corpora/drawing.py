"""Training data made anew from a seed: its sentences in another order, some of its labels damaged."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from gpkl_lib.corpora.corpus import Corpus, Sentence
from gpkl_lib.spans import Span


def shuffled(corpus: Corpus, seed: int) -> Corpus:
    """The corpus in an order that follows from the seed: its first n sentences are n drawn at random.

    >>> shuffled(Corpus("c", [Sentence((word,)) for word in "abcd"]), 3)[:2].name
    'c, drawn with seed 3[:2]'
    """
    sentences = list(corpus.sentences)
    random.Random(f"shuffled {seed}").shuffle(sentences)
    return replace(corpus, name=f"{corpus.name}, drawn with seed {seed}", sentences=sentences)


def noisy(corpus: Corpus, rate: float, seed: int) -> Corpus:
    """The corpus with spans damaged at the given rate, as `damaged` says; `oddities` counts what was done.

    Raises:
        ValueError: rate outside [0, 1].

    Example:
        >>> clean = toy_corpus(50)
        >>> damaged = noisy(clean, 0.2, seed=0)
        >>> sum(a.spans != b.spans for a, b in zip(clean, damaged)) > 0
        True
    """
    check_rate(rate)
    generator, damage = random.Random(f"noisy {seed}"), Counter(corpus.oddities)
    sentences = [damaged(sentence, rate, corpus.types, generator, damage) for sentence in corpus]
    name = f"{corpus.name}, label noise {rate:g} with seed {seed}"
    return replace(corpus, name=name, sentences=sentences, oddities=dict(damage))


def check_rate(rate: float) -> None:
    """Raise ValueError unless a rate of label noise lies between 0 and 1."""
    if not 0 <= rate <= 1:
        raise ValueError(f"label_noise must lie between 0 and 1, got {rate}")


def damaged(
    sentence: Sentence, rate: float, types: Sequence[str], generator: random.Random, damage: Counter[str]
) -> Sentence:
    """The sentence with each span damaged at the given rate: dropped, of another type, or shifted, a third each.

    A shift moves one end by a token. What would be a span that is there already is dropped. Draws the same numbers
    whatever the rate, so that what a smaller one damages, a larger one damages too.
    """
    spans = set(sentence.spans)
    for kind, start, end in sentence.spans:
        chance, way, detail = generator.random(), generator.random(), generator.random()
        if chance >= rate:
            continue
        others = [t for t in types if t != kind]
        shifts = [(start - 1, end), (start + 1, end), (start, end - 1), (start, end + 1)]
        shifts = [(s, e) for s, e in shifts if 0 <= s < e <= len(sentence)]
        changed: Span | None = None
        if way >= 2 / 3 and shifts:
            changed = (kind, *shifts[int(detail * len(shifts))])
        elif 1 / 3 <= way < 2 / 3 and others:
            changed = (others[int(detail * len(others))], start, end)
        spans.remove((kind, start, end))
        if changed is None or changed in spans or changed in sentence.spans:
            damage["label noise: dropped"] += 1
        else:
            spans.add(changed)
            damage["label noise: shifted" if way >= 2 / 3 else "label noise: another type"] += 1
    return Sentence(sentence.tokens, tuple(spans))
