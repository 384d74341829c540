"""From sentences to batches: order, padding, and sentences that are too long."""

from __future__ import annotations

import random
import warnings
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gpkl_lib.consistency import doubled
from gpkl_lib.corpora.corpus import Sentence
from gpkl_lib.spans import GoldCells, Span, gold_cells, place_of

POOL = 50  # batches whose sentences are sorted by length together: enough to save padding, few enough to stay random


@dataclass
class Batch:
    """Tensors of B sentences padded to L tokens.

    Attributes:
        inputs: what the encoder takes, by name; each begins with B.
        attention_mask: bool (B, L), True = a real token.
        positives: int64 (P, 4), the gold cells (row, type, start, end) with `end` the LAST token, as the score matrix
            (B, H, L, L) has it; ready for `global_pointer_loss(logits, positives, attention_mask)`.

    Example:
        >>> anna = Sentence(("Anna", "works", "in", "Berlin"), (("PER", 0, 1), ("LOC", 3, 4)))
        >>> batch = Vocabulary.build([anna]).collate([anna], types=["PER", "LOC"])
        >>> batch.positives.tolist(), len(batch)
        ([[0, 0, 0, 0], [0, 1, 3, 3]], 1)
    """

    inputs: dict[str, Tensor]
    attention_mask: Tensor
    positives: Tensor

    def to(self, device: torch.device | str) -> Batch:
        """The batch on another device."""
        inputs = {name: tensor.to(device) for name, tensor in self.inputs.items()}
        return Batch(inputs, self.attention_mask.to(device), self.positives.to(device))

    def doubled(self) -> Batch:
        """The batch followed by itself, for both dropout views in one pass; the gold cells, which they share, once."""
        inputs = {name: doubled(tensor) for name, tensor in self.inputs.items()}
        return Batch(inputs, doubled(self.attention_mask), self.positives)

    def __len__(self) -> int:
        return len(self.attention_mask)


def length_mask(sentences: Sequence[Sentence]) -> Tensor:
    """Bool (B, L), True = a real token; L is the longest length, and at least 1.

    Example:
        >>> length_mask([Sentence(("a", "b", "c")), Sentence(("a",))])
        tensor([[ True,  True,  True],
                [ True, False, False]])
    """
    lengths = torch.tensor([len(sentence) for sentence in sentences], dtype=torch.long)
    longest = max(1, *map(len, sentences)) if sentences else 1
    return torch.arange(longest) < lengths[:, None]


def positive_cells(sentences: Sequence[Sentence], types: Sequence[str] | None) -> Tensor:
    """The `gold_cells` of a batch, int64 (P, 4).

    Args:
        sentences: the rows of the batch.
        types: the names of the heads, in order; None for sentences to predict, whose spans are not looked at (P = 0).

    Raises:
        ValueError: a span of a type that has no head.

    Example:
        >>> anna = Sentence(("Anna", "works", "in", "Berlin"), (("PER", 0, 1), ("LOC", 3, 4)))
        >>> positive_cells([anna], ["PER", "LOC"]).tolist()
        [[0, 0, 0, 0], [0, 1, 3, 3]]
    """
    if types is None:
        return torch.zeros(0, 4, dtype=torch.long)
    head, cells = {name: index for index, name in enumerate(types)}, array("q")
    spans = [sentence.spans for sentence in sentences]
    if len(head) < len(types) or not head.keys() >= {span[0] for of_sentence in spans for span in of_sentence}:
        return gold_cells(spans, types)  # says what is wrong, and where
    for row, of_sentence in enumerate(spans):
        for kind, start, end in of_sentence:  # a sentence has checked its spans
            cells.extend((row, head[kind], start, end - 1))
    found = torch.frombuffer(cells, dtype=torch.long) if cells else torch.zeros(0, dtype=torch.long)
    return found.view(-1, 4).as_subclass(GoldCells)


def batches(
    sentences: Sequence[Sentence], batch_size: int, *, seed: int = 0, epoch: int = 0, shuffle: bool = True
) -> Iterator[list[Sentence]]:
    """Every sentence once, in lists of `batch_size` (the last one may be shorter).

    Shuffled, the order depends on (seed, epoch) and the lengths alone, the same on every platform: sentences are
    shuffled, sorted by length within pools of 50 batches, and the batches of each pool shuffled. Otherwise the order of
    the corpus is kept.

    Raises:
        ValueError: batch_size below 1.

    Example:
        >>> corpus = toy_corpus(10)
        >>> [len(group) for group in batches(corpus.sentences, 4, seed=1)]
        [4, 4, 2]
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be positive, got {batch_size}")
    order = list(range(len(sentences)))
    generator = random.Random(f"batches {seed} {epoch}")
    if shuffle:
        generator.shuffle(order)
    for begin in range(0, len(order), POOL * batch_size):
        pool = order[begin : begin + POOL * batch_size]
        if shuffle:
            pool.sort(key=lambda index: len(sentences[index]))
        starts = list(range(0, len(pool), batch_size))
        if shuffle:
            generator.shuffle(starts)
        for start in starts:
            yield [sentences[index] for index in pool[start : start + batch_size]]


def truncate(sentences: Sequence[Sentence], max_length: int) -> list[Sentence]:
    """Sentences cut after `max_length` tokens, without the spans that reach beyond; one UserWarning counts both.

    Raises:
        ValueError: max_length below 1.

    Example:
        >>> import warnings
        >>> anna = Sentence(("Anna", "works", "in", "Berlin"), (("PER", 0, 1), ("LOC", 3, 4)))
        >>> with warnings.catch_warnings(record=True) as said:
        ...     truncate([anna], 3)[0].spans
        (('PER', 0, 1),)
        >>> print(str(said[0].message)[:62])
        1 of 1 sentences have more than 3 tokens and were cut there (l
    """
    if max_length < 1:
        raise ValueError(f"max_length must be positive, got {max_length}")
    cut = [_piece(sentence, 0, max_length) for sentence in sentences]
    long = sum(len(sentence) > max_length for sentence in sentences)
    if long:
        lost = sum(len(a.spans) - len(b.spans) for a, b in zip(sentences, cut, strict=True))
        warnings.warn(
            f"{long} of {len(sentences)} sentences have more than {max_length} tokens and were cut there "
            f"(longest: {max(map(len, sentences))}), {lost} spans with them; windows() keeps them",
            stacklevel=2,
        )
    return cut


@dataclass(frozen=True)
class Windows:
    """Sentences as overlapping pieces of bounded length.

    Attributes:
        pieces: sentences of at most `max_length` tokens, each with the spans that lie wholly within it.
        origins: (index of the sentence, its first token in the piece) of each piece.
        split: how many sentences were longer than `max_length`.
        lost: how many spans lie wholly within no piece.

    Example:
        >>> anna = Sentence(("Anna", "works", "in", "Berlin"), (("PER", 0, 1), ("LOC", 3, 4)))
        >>> split = windows([anna], max_length=3, overlap=1)
        >>> [piece.tokens for piece in split.pieces]
        [('Anna', 'works', 'in'), ('works', 'in', 'Berlin')]
        >>> split.merge([[("PER", 0, 1)], [("LOC", 2, 3)]])
        [[('PER', 0, 1), ('LOC', 3, 4)]]
    """

    pieces: list[Sentence]
    origins: list[tuple[int, int]]
    split: int
    lost: int

    def merge(self, predicted: Sequence[Sequence[Span]]) -> list[list[Span]]:
        """Spans predicted for each piece as spans of the sentences, sorted; what two pieces agree on counts once.

        Raises:
            ValueError: not one list of spans a piece.
        """
        merged: list[set[Span]] = [set() for _ in range(1 + max((row for row, _ in self.origins), default=-1))]
        for (row, offset), spans in zip(self.origins, predicted, strict=True):
            merged[row].update((kind, start + offset, end + offset) for kind, start, end in spans)
        return [sorted(spans, key=place_of) for spans in merged]


def windows(sentences: Sequence[Sentence], max_length: int, overlap: int) -> Windows:
    """Split what is longer than `max_length` tokens into pieces that share `overlap` tokens with the one before.

    A span of at most overlap + 1 tokens is never lost. Sentences that fit are kept as they are.

    Raises:
        ValueError: not 0 <= overlap < max_length.

    Example:
        >>> anna = Sentence(("Anna", "works", "in", "Berlin"), (("PER", 0, 1), ("LOC", 3, 4)))
        >>> windows([anna], max_length=3, overlap=1).origins  # (sentence, first token) of each piece
        [(0, 0), (0, 1)]
    """
    if not 0 <= overlap < max_length:
        raise ValueError(f"overlap must lie between 0 and max_length - 1 = {max_length - 1}, got {overlap}")
    pieces, origins, split, lost = [], [], 0, 0
    for row, sentence in enumerate(sentences):
        last = max(0, len(sentence) - max_length)
        starts = [*range(0, last, max_length - overlap), last]
        parts = [_piece(sentence, start, start + max_length) for start in starts]
        kept = {(t, s + start, e + start) for part, start in zip(parts, starts, strict=True) for t, s, e in part.spans}
        pieces += parts
        origins += [(row, start) for start in starts]
        split += len(parts) > 1
        lost += len(sentence.spans) - len(kept)
    return Windows(pieces, origins, split, lost)


def _piece(sentence: Sentence, begin: int, end: int) -> Sentence:
    inside = [(t, s - begin, e - begin) for t, s, e in sentence.spans if begin <= s and e <= end]
    return Sentence(sentence.tokens[begin:end], tuple(inside))
