"""From spans to cells, from scores to spans, and from spans to precision, recall and F1.

A span is (type, start, end) with `end` exclusive. Cell (h, i, j) of a score matrix is the span (h, i, j + 1).
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gpkl_lib._checks import check_threshold
from gpkl_lib.global_pointer import span_mask, token_mask
from gpkl_lib.tiled import cells_above

Span = tuple[str, int, int]


class GoldCells(Tensor):
    """Gold cells as `gold_cells` makes them: int64 (P, 4), rows (sentence, type, first token, LAST token).

    A tensor like any other, which says of itself that its ends are last tokens. It stays so when it is moved, copied or
    sent from a loader's worker; what is computed from it is a plain tensor. `cells.as_subclass(GoldCells)` says it of
    cells made in another way.

    Example:
        >>> cells = gold_cells([[("PER", 1, 3)]], ["PER"])
        >>> type(cells.to("cpu")).__name__, type(cells + 1).__name__
        ('GoldCells', 'Tensor')
    """

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What the function gives: a plain tensor, unless it only moves or copies the cells."""
        with torch._C.DisableTorchFunctionSubclass():
            found = func(*args, **(kwargs or {}))
        return found.as_subclass(cls) if func in _MOVES else found

    def __deepcopy__(self, memo: Any) -> Tensor:
        return self.clone()


_MOVES = {Tensor.to, Tensor.cpu, Tensor.cuda, Tensor.pin_memory, Tensor.clone, Tensor.detach}


def gold_cells(spans: Sequence[Iterable[Sequence[str | int]]], types: Sequence[str]) -> GoldCells:
    """The cells of the score matrix that hold the spans of a batch: the inverse of `decode_spans`.

    Args:
        spans: those of each sentence, (type, start, end) with `end` exclusive.
        types: H names, in the order of the heads.

    Returns:
        int64 (P, 4), a row (sentence, type, start, end - 1) for each span: the last token, where the span has the end.
        `global_pointer_loss` takes it, and `sparse_multilabel_cross_entropy(logits, cells, class_dims=2, ...)`.

    Raises:
        TypeError: something else where a list of spans, a span, or a list of names is expected.
        ValueError: a span of a type that is not in `types`, or no start before its end; a name twice.

    Example:
        >>> gold_cells([[("PER", 0, 2), ("LOC", 1, 2)], []], ["PER", "LOC"]).tolist()
        [[0, 0, 0, 1], [0, 1, 1, 1]]
    """
    check_types(types)
    head = {name: index for index, name in enumerate(types)}
    if len(head) != len(types):
        raise ValueError(f"types must be distinct names, got {list(types)}")
    if isinstance(spans, str) or not isinstance(spans, Iterable):
        raise TypeError(f"spans must be a list with the spans of each sentence, got {spans!r:.80}")
    cells = []
    for row, of_sentence in enumerate(spans):
        for given in _listed("spans", of_sentence, row):
            kind, start, end = _span("spans", given, row)
            if kind not in head:
                names = ", ".join(map(str, types))
                raise ValueError(
                    f"sentence {row}: span {(kind, start, end)} has a type without a head; types are {names}"
                )
            cells.append((row, head[kind], start, end - 1))
    return torch.tensor(cells, dtype=torch.long).view(-1, 4).as_subclass(GoldCells)


def check_types(types: Sequence[str], heads: int | None = None) -> None:
    """Check names of types that stand in the order of the heads, which a set does not have.

    Raises:
        TypeError: a string, what is no sequence, or one of other things than strings.
        ValueError: another number of names than of heads, where that is known.

    Example:
        >>> check_types({"PER"})
        Traceback (most recent call last):
            ...
        TypeError: types must be a list of names, in the order of the heads, got {'PER'}
    """
    names = isinstance(types, Sequence) and not isinstance(types, str | bytes)
    if not names or not all(isinstance(name, str) for name in types):
        raise TypeError(f"types must be a list of names, in the order of the heads, got {types!r:.80}")
    if heads is not None and len(types) != heads:
        raise ValueError(f"types must name all {heads} heads, got {len(types)} names")


def decode_spans(
    logits: Tensor, types: Sequence[str], attention_mask: Tensor | None = None, *, threshold: float = 0.0
) -> list[list[Span]]:
    """Every (type, start, end) whose score is above `threshold`; nested and overlapping ones come out alike.

    Args:
        logits: (B, H, L, L), as the heads give them.
        types: H names, in the order of the heads.
        attention_mask: (B, L), 1 = real token. Cells below the diagonal or on padding are never decoded.
        threshold: 0 is what the multi-label cross-entropy trains for.

    Returns:
        One list a row of the batch, sorted by start, then end, then type.

    Raises:
        TypeError: types no list of names, a floating-point attention_mask, or a threshold that is no number.
        ValueError: logits or attention_mask of another shape, types of another length, NaN as the score
            of a span.

    Example:
        >>> logits = torch.full((1, 2, 4, 4), -1.0)
        >>> logits[0, 0, 0, 2] = logits[0, 1, 1, 1] = 3.0
        >>> decode_spans(logits, ["PER", "LOC"])
        [[('PER', 0, 3), ('LOC', 1, 2)]]
    """
    if logits.ndim != 4 or logits.shape[-1] != logits.shape[-2]:
        raise ValueError(f"logits must have shape (batch, types, L, L), got {tuple(logits.shape)}")
    check_types(types, logits.shape[1])
    check_threshold(threshold)
    valid = span_mask(token_mask(attention_mask, (logits.shape[0], logits.shape[-1]), logits.device))
    if (logits.isnan() & valid).any():
        raise ValueError("logits hold NaN; the model has diverged or a mask is missing")
    return _named(((logits > threshold) & valid).nonzero(), types, logits.shape[0])


def score_projection(
    query: Tensor,
    key: Tensor,
    types: Sequence[str],
    attention_mask: Tensor | None = None,
    *,
    threshold: float = 0.0,
    max_length: int | None = None,
) -> list[dict[Span, float]]:
    """Every span scored above `threshold` with its score q_i . k_j, computed in blocks and never held all at once.

    Args:
        query, key: (B, H, L, d), as the `project` of the heads gives them.
        types, attention_mask, threshold: those of `decode_spans`.
        max_length: tokens of the longest span to look for; None for any.

    Returns:
        For each row of the batch the score of each span found, in the order of `decode_spans`.

    Raises:
        TypeError: query or key not floating point, types no list of names, or a floating-point attention_mask.
        ValueError: query, key or attention_mask of another shape, types of another length, NaN as the score of a span.
    """
    cells, scores = cells_above(query, key, attention_mask=attention_mask, threshold=threshold, max_length=max_length)
    check_types(types, query.shape[1])
    found: list[dict[Span, float]] = [{} for _ in range(query.shape[0])]
    for (b, h, i, j), score in zip(cells.tolist(), scores.tolist(), strict=True):
        found[b][types[h], i, j + 1] = score
    return [{span: spans[span] for span in sorted(spans, key=place_of)} for spans in found]


def decode_projection(
    query: Tensor,
    key: Tensor,
    types: Sequence[str],
    attention_mask: Tensor | None = None,
    *,
    threshold: float = 0.0,
    max_length: int | None = None,
) -> list[list[Span]]:
    """`decode_spans` of the scores q_i . k_j, without spans longer than `max_length`; arguments and errors are those of
    `score_projection`.
    """
    return [
        list(found)
        for found in score_projection(query, key, types, attention_mask, threshold=threshold, max_length=max_length)
    ]


def _named(cells: Tensor, types: Sequence[str], sentences: int) -> list[list[Span]]:
    """The spans of each sentence, from cells (b, h, i, j)."""
    found: list[list[Span]] = [[] for _ in range(sentences)]
    for b, h, i, j in cells.tolist():
        found[b].append((types[h], i, j + 1))
    return [sorted(spans, key=place_of) for spans in found]


def place_of(span: Span) -> tuple[int, int, str]:
    """Where a span stands among others: by start, then end, then type."""
    return span[1], span[2], span[0]


def span_lines(spans: Sequence[Span]) -> list[int]:
    """The line, from 0, on which each span is drawn below the text: longest first, as high as there is room."""
    lines, taken = [0] * len(spans), list[list[tuple[int, int]]]()
    for k in sorted(range(len(spans)), key=lambda k: spans[k][1] - spans[k][2]):
        _, start, end = spans[k]
        free = (n for n, row in enumerate(taken) if all(end <= other or until <= start for other, until in row))
        lines[k] = next(free, len(taken))
        if lines[k] == len(taken):
            taken.append([])
        taken[lines[k]].append((start, end))
    return lines


@dataclass
class SpanScores:
    """Counts over a corpus and the scores that follow from them; micro-averaged, exact match of type and both ends.

    0/0 is 0: no prediction gives precision 0, no gold span recall 0, neither F1 0. Add two with `+`.

    Attributes:
        correct: spans that are predicted and gold.
        predicted: spans that are predicted, each once a sentence.
        gold: spans that are gold, likewise.
        by_type: the scores of each type by its name; those have no types of their own.

    Example:
        >>> found = span_scores([[("person", 0, 1)]], [[("person", 0, 1), ("place", 3, 4)]])
        >>> found.f1 == 2 / 3, found.by_type["place"].recall
        (True, 0.0)
    """

    correct: int = 0
    predicted: int = 0
    gold: int = 0
    by_type: dict[str, SpanScores] = field(default_factory=dict)

    @property
    def precision(self) -> float:
        """correct / predicted."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """correct / gold."""
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """2 correct / (predicted + gold), the harmonic mean of the two."""
        total = self.predicted + self.gold
        return 2 * self.correct / total if total else 0.0

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the types that have a gold or a predicted span: each counts alike, however rare it is."""
        found = [score.f1 for score in self.by_type.values() if score.predicted + score.gold]
        return sum(found) / len(found) if found else 0.0

    def record(self) -> dict[str, Any]:
        """The scores and the counts under their names, those of each type under `by_type`, as JSON values.

        >>> span_scores([[("person", 0, 1)]], [[("person", 0, 1), ("place", 3, 4)]]).record()["by_type"]["person"]
        {'precision': 1.0, 'recall': 1.0, 'f1': 1.0, 'correct': 1, 'predicted': 1, 'gold': 1}
        """
        names = ("precision", "recall", "f1", "correct", "predicted", "gold")
        own: dict[str, Any] = {name: getattr(self, name) for name in names}
        if self.by_type:
            own |= {"macro_f1": self.macro_f1, "by_type": {t: score.record() for t, score in self.by_type.items()}}
        return own

    def __add__(self, other: SpanScores) -> SpanScores:
        zero = SpanScores()
        return SpanScores(
            self.correct + other.correct,
            self.predicted + other.predicted,
            self.gold + other.gold,
            {
                name: self.by_type.get(name, zero) + other.by_type.get(name, zero)
                for name in sorted({*self.by_type, *other.by_type})
            },
        )


def span_scores(
    predicted: Iterable[Iterable[Sequence[str | int]]], gold: Iterable[Iterable[Sequence[str | int]]]
) -> SpanScores:
    """Exact precision, recall and F1 over a corpus, nested spans included; a span given twice counts once.

    Args:
        predicted: the spans of each sentence: (type, start, end) as tuples or lists; or [start, end, type], as
            `gpkl predict` writes them.
        gold: the true spans of each sentence, in the same order and in either form.

    Returns:
        `SpanScores`, with one of its own for each type in `by_type`.

    Raises:
        TypeError: something else where a list of spans, or a span, is expected.
        ValueError: the two have different numbers of sentences, or a span no start before its end.

    Example:
        >>> predicted, gold = [[("PER", 0, 2), ("LOC", 3, 4)]], [[("PER", 0, 2), ("LOC", 2, 4)]]
        >>> scores = span_scores(predicted, gold)
        >>> scores.precision, scores.recall, scores.f1
        (0.5, 0.5, 0.5)
        >>> scores.by_type["PER"].f1
        1.0
    """
    guesses, truths = as_spans("predicted", predicted), as_spans("gold", gold)
    if len(guesses) != len(truths):
        raise ValueError(f"predicted and gold must hold one list a sentence, got {len(guesses)} and {len(truths)}")
    correct = Counter(name for guess, truth in zip(guesses, truths, strict=True) for name, _, _ in guess & truth)
    guessed = Counter(name for guess in guesses for name, _, _ in guess)
    true = Counter(name for truth in truths for name, _, _ in truth)
    return SpanScores(
        correct.total(),
        guessed.total(),
        true.total(),
        {name: SpanScores(correct[name], guessed[name], true[name]) for name in sorted({*guessed, *true})},
    )


def as_spans(argument: str, sentences: Iterable[Iterable[Sequence[str | int]]]) -> list[set[Span]]:
    """The spans of each sentence as (type, start, end), in whatever form they are given.

    Raises:
        TypeError, ValueError: as `span_scores`; the message begins with `argument`.
    """
    return [
        {_span(argument, span, row) for span in _listed(argument, spans, row)} for row, spans in enumerate(sentences)
    ]


def _listed(argument: str, spans: Iterable[Sequence[str | int]], row: int) -> Iterable[Sequence[str | int]]:
    if isinstance(spans, str | dict) or not isinstance(spans, Iterable):
        raise TypeError(f"{argument} must hold a list of spans a sentence, got {spans!r:.80} for sentence {row}")
    return spans


def _span(argument: str, span: Sequence[str | int], row: int) -> Span:
    if isinstance(span, tuple | list) and len(span) == 3:
        kind, start, end = span if isinstance(span[0], str) else (span[2], span[0], span[1])
        if isinstance(kind, str):
            try:
                start, end = operator.index(start), operator.index(end)  # type: ignore[arg-type]
            except TypeError:
                pass
            else:
                if 0 <= start < end:
                    return kind, start, end
                raise ValueError(f"{argument} must have 0 <= start < end in every span, got {span!r} in sentence {row}")
    raise TypeError(
        f"{argument} must hold spans (type, start, end), or [start, end, type], got {span!r:.80} in sentence {row}"
    )


def nested(spans: Iterable[Span]) -> set[Span]:
    """The spans inside, or on the very place of, another one of them.

    >>> sorted(nested([("person", 0, 3), ("place", 2, 3), ("group", 5, 6)]))
    [('place', 2, 3)]
    """
    spans = list(spans)
    places = Counter(span[1:] for span in spans)
    inside, reach = set(), 0  # `reach`: how far the spans before it go, which begin no later
    for start, end in sorted(places, key=lambda place: (place[0], -place[1])):
        if end <= reach or places[start, end] > 1:
            inside.add((start, end))
        reach = max(reach, end)
    return {span for span in spans if span[1:] in inside}
