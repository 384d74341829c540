"""Every decoded and every gold span in exactly one class, and the classes named right."""

from __future__ import annotations

import doctest
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from gpkl_lib.experiments import confusion, counts, counts_of_nested, counts_of_type, span_errors
from gpkl_lib.experiments import errors as module
from gpkl_lib.spans import Span, nested, span_scores

SPAN = some.tuples(some.sampled_from("abc"), some.integers(0, 6), some.integers(1, 4)).map(
    lambda span: (span[0], span[1], span[1] + span[2])
)
SENTENCES = some.lists(some.tuples(some.lists(SPAN, max_size=8), some.lists(SPAN, max_size=8)), max_size=4)


@settings(max_examples=300, deadline=None)
@given(SENTENCES)
def test_the_classes_add_up(sentences: list[tuple[list[Span], list[Span]]]) -> None:
    predicted, gold = [list(one) for one in zip(*sentences, strict=True)] if sentences else ([], [])
    matches, scores = span_errors(predicted, gold), span_scores(predicted, gold)
    for side, spans in (("gold", gold), ("predicted", predicted)):
        told = Counter((m.sentence, getattr(m, side)) for m in matches if getattr(m, side) is not None)
        assert told == Counter((number, span) for number, row in enumerate(spans) for span in set(row))  # each once
    table = counts(matches)
    assert table["gold"]["spans"] == sum(n for name, n in table["gold"].items() if name != "spans") == scores.gold
    assert table["predicted"]["spans"] == sum(table["predicted"].values()) / 2 == scores.predicted
    assert table["gold"]["correct"] == table["predicted"]["correct"] == scores.correct
    for verdict in ("wrong_type", "wrong_boundary"):
        assert table["gold"][verdict] == table["predicted"][verdict]
    by_type = {kind: counts_of_type(matches, kind) for kind in "abc"}
    for side in ("gold", "predicted"):
        total = sum((Counter(one[side]) for one in by_type.values()), Counter())
        assert total == Counter({name: n for name, n in table[side].items() if n})
    for kind, score in scores.by_type.items():
        assert (by_type[kind]["gold"]["spans"], by_type[kind]["predicted"]["spans"]) == (score.gold, score.predicted)
        assert by_type[kind]["gold"]["correct"] == score.correct
    inner = counts_of_nested(matches)
    assert inner["gold"]["spans"] == sum(len(nested(set(row))) for row in gold)
    assert inner["predicted"]["spans"] == sum(len(nested(set(row))) for row in predicted)
    cells = confusion(matches)
    assert sum(cell["count"] for cell in cells) == len(matches)
    for kind in "abc":
        assert sum(c["count"] for c in cells if c["gold"] == kind) == by_type[kind]["gold"]["spans"]
        assert sum(c["count"] for c in cells if c["predicted"] == kind) == by_type[kind]["predicted"]["spans"]


@settings(max_examples=200, deadline=None)
@given(SENTENCES)
def test_each_class_is_what_its_name_says(sentences: list[tuple[list[Span], list[Span]]]) -> None:
    matches = span_errors(*zip(*sentences, strict=True)) if sentences else []  # type: ignore[arg-type]
    for m in matches:
        if m.gold and m.predicted:
            same = (m.gold[0] == m.predicted[0], m.gold[1:] == m.predicted[1:])
            assert (
                same
                == {"correct": (True, True), "wrong_type": (False, True), "wrong_boundary": (True, False)}[m.verdict]
            )
            assert max(m.gold[1], m.predicted[1]) < min(m.gold[2], m.predicted[2])
        else:
            assert m.verdict == ("missed" if m.gold else "spurious")
    for m in matches:  # what is left over could not have been paired with anything else that is
        for other in matches:
            if m.verdict == "missed" and other.verdict == "spurious" and m.sentence == other.sentence:
                (kind, start, end), (name, first, last) = m.gold or ("", 0, 0), other.predicted or ("", 0, 0)
                assert (start, end) != (first, last)
                assert kind != name or end <= first or last <= start


def test_the_largest_share_is_paired_first_and_a_type_before_a_boundary() -> None:
    gold = [[("a", 0, 4), ("a", 2, 4), ("b", 6, 8)]]
    found = [[("a", 1, 4), ("a", 6, 8), ("b", 6, 7)]]
    told = {(m.verdict, m.gold, m.predicted) for m in span_errors(found, gold)}
    assert told == {
        ("wrong_boundary", ("a", 0, 4), ("a", 1, 4)),  # 3/4, against 2/3
        ("missed", ("a", 2, 4), None),
        ("wrong_type", ("b", 6, 8), ("a", 6, 8)),  # though ("b", 6, 7) has the type
        ("spurious", None, ("b", 6, 7)),
    }
    assert {m.gold for m in span_errors(found, gold) if m.gold_nested} == {("a", 2, 4)}


def test_lists_are_taken_and_lengths_compared() -> None:
    (match,) = span_errors([[[0, 1, "a"]]], [[("a", 0, 1)]])
    assert match.verdict == "correct"
    with pytest.raises(ValueError, match="one list a sentence, got 1 and 0"):
        span_errors([[]], [])


def test_macro_f1_counts_every_type_alike() -> None:
    gold = [[("common", n, n + 1) for n in range(9)] + [("rare", 0, 1)]]
    scores = span_scores([[span for span in gold[0] if span[0] == "common"]], gold)
    assert scores.macro_f1 == 0.5 < scores.f1 == 18 / 19
    assert scores.record()["macro_f1"] == 0.5
    assert scores.record()["by_type"]["rare"]["gold"] == 1
    assert span_scores([], []).macro_f1 == 0.0
    assert "by_type" not in span_scores([], []).record()


def test_the_examples_run() -> None:
    found = doctest.testmod(module)
    assert found.failed == 0
    assert found.attempted > 5
