"""What is wrong with decoded spans: each of them, and each gold span, in exactly one class.

The rule, sentence by sentence, on the spans that are not found exactly:

1. a decoded and a gold span on the same tokens with two types are one *wrong type*;
2. of what is left, a decoded and a gold span of one type that share a token are one *wrong boundary*, pairs with the
   largest share (tokens in both / tokens in either) first;
3. a decoded span that is left is *spurious*, a gold span that is left is *missed*.

No span is in two pairs. Nested, crossing and repeated places need no rule of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from gpkl_lib.spans import Span, as_spans, nested, place_of

Verdict = Literal["correct", "wrong_type", "wrong_boundary", "missed", "spurious"]
VERDICTS: tuple[Verdict, ...] = ("correct", "wrong_type", "wrong_boundary", "missed", "spurious")
"""What a gold or a predicted span may be found to be, in the order of the tables."""


class Match(NamedTuple):
    """One gold and one decoded span that belong together, or one of them alone.

    Attributes:
        verdict: one of VERDICTS.
        sentence: from 0.
        gold: None where the decoded span is spurious.
        predicted: None where the gold span is missed.
        gold_nested, predicted_nested: whether the span lies within, or on the place of, another one of its own side.

    >>> Match("missed", 0, ("person", 0, 2), None).gold
    ('person', 0, 2)
    """

    verdict: Verdict
    sentence: int
    gold: Span | None
    predicted: Span | None
    gold_nested: bool = False
    predicted_nested: bool = False


def span_errors(
    predicted: Iterable[Iterable[Sequence[str | int]]], gold: Iterable[Iterable[Sequence[str | int]]]
) -> list[Match]:
    """Every gold and every predicted span in exactly one `Match`, by the rule at the head of this module.

    Args:
        predicted, gold: the spans of each sentence, as `span_scores` takes them; a span given twice counts once.

    Returns:
        Sorted by sentence, then by place.

    Raises:
        TypeError, ValueError: as `span_scores`.

    >>> found = [[("person", 0, 2), ("place", 4, 5), ("person", 7, 8)]]
    >>> true = [[("person", 0, 3), ("group", 4, 5), ("place", 9, 10)]]
    >>> [(match.verdict, match.gold, match.predicted) for match in span_errors(found, true)]  # doctest: +ELLIPSIS
    [('wrong_boundary', ('person', 0, 3), ('person', 0, 2)), ('wrong_type', ('group', 4, 5), ('place', 4, 5)), ...]
    >>> counts(span_errors(found, true))["gold"]
    {'spans': 3, 'correct': 0, 'wrong_type': 1, 'wrong_boundary': 1, 'missed': 1}
    """
    guesses, truths = as_spans("predicted", predicted), as_spans("gold", gold)
    if len(guesses) != len(truths):
        raise ValueError(f"predicted and gold must hold one list a sentence, got {len(guesses)} and {len(truths)}")
    found = []
    for number, (guess, truth) in enumerate(zip(guesses, truths, strict=True)):
        inner, inner_true = nested(guess), nested(truth)
        for verdict, true, own in sorted(_pairs(guess, truth), key=_place):
            found.append(Match(verdict, number, true, own, true in inner_true, own in inner))
    return found


def counts(matches: Iterable[Match]) -> dict[str, dict[str, int]]:
    """How many gold spans and how many predicted spans there are, and how many of them in each class, by name.

    >>> counts([Match("spurious", 0, None, ("person", 0, 1))])["predicted"]
    {'spans': 1, 'correct': 0, 'wrong_type': 0, 'wrong_boundary': 0, 'spurious': 1}
    """
    matches = list(matches)
    table: dict[str, dict[str, int]] = {}
    for side, other in (("gold", "spurious"), ("predicted", "missed")):
        there = Counter(match.verdict for match in matches if getattr(match, side) is not None)
        own: dict[str, int] = {verdict: there[verdict] for verdict in VERDICTS if verdict != other}
        table[side] = {"spans": there.total(), **own}
    return table


def counts_of_type(matches: Iterable[Match], kind: str) -> dict[str, dict[str, int]]:
    """`counts` of the gold spans of a type, and of the predicted spans of this type; a wrong type is in two types.

    >>> counts_of_type([Match("wrong_type", 0, ("group", 4, 5), ("place", 4, 5))], "place")["gold"]["spans"]
    0
    """
    return _sides(matches, lambda span, _: span[0] == kind)


def counts_by_type(matches: Sequence[Match]) -> dict[str, dict[str, dict[str, int]]]:
    """`counts_of_type` of every type, sorted by its name.

    >>> list(counts_by_type([Match("wrong_type", 0, ("place", 4, 5), ("group", 4, 5))]))
    ['group', 'place']
    """
    types = sorted({span[0] for match in matches for span in (match.gold, match.predicted) if span})
    return {kind: counts_of_type(matches, kind) for kind in types}


def counts_of_nested(matches: Iterable[Match]) -> dict[str, dict[str, int]]:
    """`counts` of the gold spans inside another gold span, and of the predicted ones inside another predicted one.

    >>> counts_of_nested([Match("missed", 0, ("place", 2, 3), None, gold_nested=True)])["gold"]["missed"]
    1
    """
    return _sides(matches, lambda _, inner: inner)


def confusion(matches: Iterable[Match]) -> list[dict[str, Any]]:
    """How often a gold span of each type was given each type, {"gold", "predicted", "count"}; None: missed, spurious.

    A wrong boundary has the right type. The counts of a gold type add up to its gold spans, those of a predicted type
    to its predicted ones.

    >>> confusion([Match("wrong_type", 0, ("group", 4, 5), ("place", 4, 5))])
    [{'gold': 'group', 'predicted': 'place', 'count': 1}]
    """
    pairs = Counter((match.gold and match.gold[0], match.predicted and match.predicted[0]) for match in matches)
    ordered = sorted(pairs, key=lambda pair: tuple((name is None, name or "") for name in pair))
    return [{"gold": gold, "predicted": predicted, "count": pairs[gold, predicted]} for gold, predicted in ordered]


def _pairs(guess: set[Span], truth: set[Span]) -> Iterable[tuple[Verdict, Span | None, Span | None]]:
    """(verdict, gold, predicted) of a sentence."""
    exact = guess & truth
    yield from (("correct", span, span) for span in exact)
    left, lost = guess - exact, truth - exact
    fits: tuple[tuple[Verdict, Any], ...] = (
        ("wrong_type", lambda own, true: own[1:] == true[1:]),
        ("wrong_boundary", lambda own, true: own[0] == true[0] and own[1] < true[2] and true[1] < own[2]),
    )
    for verdict, fit in fits:
        near = [(own, true) for own in left for true in lost if fit(own, true)]
        for own, true in sorted(near, key=lambda pair: (-_share(*pair), place_of(pair[1]), place_of(pair[0]))):
            if own in left and true in lost:
                left.remove(own)
                lost.remove(true)
                yield verdict, true, own
    yield from (("spurious", None, span) for span in left)
    yield from (("missed", span, None) for span in lost)


def _place(pair: tuple[Verdict, Span | None, Span | None]) -> tuple[int, int, str]:
    _, gold, predicted = pair
    span = gold or predicted
    assert span
    return place_of(span)


def _share(a: Span, b: Span) -> float:
    both = min(a[2], b[2]) - max(a[1], b[1])
    return both / (a[2] - a[1] + b[2] - b[1] - both)


def _sides(matches: Iterable[Match], holds: Any) -> dict[str, dict[str, int]]:
    """`counts` where a side counts if the condition holds for its span."""
    matches = list(matches)
    gold = [m for m in matches if m.gold and holds(m.gold, m.gold_nested)]
    predicted = [m for m in matches if m.predicted and holds(m.predicted, m.predicted_nested)]
    return {"gold": counts(gold)["gold"], "predicted": counts(predicted)["predicted"]}
