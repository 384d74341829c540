"""Further sentences without labels, and copies of sentences with some words changed: both follow from a seed alone."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from gpkl_lib.corpora.corpus import Sentence

HIDDEN = "\ufffd"
"""What a hidden word is shown as: no vocabulary has it, so encoders read an unknown word of unknown spelling."""


def augmented(
    sentences: Sequence[Sentence],
    words: Mapping[str, Sequence[str]],
    *,
    hide: float = 0.1,
    exchange: float = 0.1,
    seed: int | str = 0,
) -> list[Sentence]:
    """Copies with some words hidden and some exchanged for others of the same shape; every word keeps its place.

    So a span of the copy stands where it stands in the original, and the scores of the two can be compared cell by
    cell. A capitalised word goes to a capitalised one, a number to a number: names stay names of something.

    Args:
        sentences: left as they are; the copies carry their spans.
        words: what may come in, by `shape`; see `words_by_shape`. A word whose shape is missing there stays.
        hide: share of the words that become U+FFFD.
        exchange: share of the words that are exchanged; hide + exchange <= 1.
        seed: decides which; the same seed and sentences give the same copies on every platform.

    Raises:
        ValueError: shares negative or more than 1 together.

    Example:
        >>> anna = Sentence(("Anna", "works", "in", "Berlin"), (("PER", 0, 1), ("LOC", 3, 4)))
        >>> words = words_by_shape(toy_corpus(100))
        >>> (copy,) = augmented([anna], words, hide=0.0, exchange=1.0)
        >>> copy.spans == anna.spans, [word.istitle() for word in copy.tokens]
        (True, [True, False, False, True])
    """
    if min(hide, exchange) < 0 or hide + exchange > 1:
        raise ValueError(f"hide and exchange must be shares, at most 1 together, got {hide} and {exchange}")
    generator = random.Random(f"augmented {seed}")

    def changed(word: str) -> str:
        chance, place = generator.random(), generator.random()  # two for each word: a rate changes nothing else
        if chance < hide:
            return HIDDEN
        offered = words.get(shape(word), ()) if chance < hide + exchange else ()
        return offered[int(place * len(offered))] if offered else word

    return [Sentence(tuple(map(changed, sentence.tokens)), sentence.spans) for sentence in sentences]


def words_by_shape(sentences: Iterable[Sentence]) -> dict[str, list[str]]:
    """Every word as often as it occurs, by `shape`: a frequent one comes into a copy more often.

    Example:
        >>> anna = Sentence(("Anna", "works", "in", "Berlin"), (("PER", 0, 1), ("LOC", 3, 4)))
        >>> words_by_shape([anna])
        {'Xx': ['Anna', 'Berlin'], 'x': ['works', 'in']}
    """
    found: dict[str, list[str]] = {}
    for sentence in sentences:
        for word in sentence.tokens:
            found.setdefault(shape(word), []).append(word)
    return found


def shape(word: str) -> str:
    """'Xx' for a word that begins with a capital, 'x' for another with a letter, '0' for a number, '.' for the rest.

    Scripts without capitals have 'x'.
    """
    if any(character.isalpha() for character in word):
        return "Xx" if word[0].isupper() else "x"
    return "0" if any(character.isdigit() for character in word) else "."


def drawn(sentences: Sequence[Sentence], size: int, *, seed: int = 0, step: int = 0) -> list[Sentence]:
    """The sentences of one step: each pass over them all has its own order, and step after step takes the next `size`.

    They follow from (seed, step) and the size alone, so a run that goes on from a checkpoint draws what it would have.

    Raises:
        ValueError: there are no sentences to draw from.

    Example:
        >>> sentences = toy_corpus(5).sentences
        >>> passes = [drawn(sentences, 2, step=step) for step in range(5)]  # ten draws: everyone twice
        >>> sorted(sum(sentence == one for group in passes for one in group) for sentence in sentences)
        [2, 2, 2, 2, 2]
    """
    if not sentences:
        raise ValueError("there are no sentences to draw from")
    places = (divmod(step * size + number, len(sentences)) for number in range(size))
    return [sentences[_order(len(sentences), seed, once)[place]] for once, place in places]


def bare(sentences: Iterable[Sentence]) -> list[Sentence]:
    """The sentences without their spans.

    Example:
        >>> anna = Sentence(("Anna", "works", "in", "Berlin"), (("PER", 0, 1), ("LOC", 3, 4)))
        >>> bare([anna])[0].spans
        ()
    """
    return [Sentence(sentence.tokens) for sentence in sentences]


@lru_cache(maxsize=4)
def _order(count: int, seed: int, once: int) -> list[int]:
    """The order of pass number `once`."""
    order = list(range(count))
    random.Random(f"drawn {seed} {once}").shuffle(order)
    return order
