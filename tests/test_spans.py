"""Decoding and scores, against loops over every span."""

from __future__ import annotations

import copy
import functools
import math
import pickle
import random
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from gpkl_lib import GoldCells, decode_spans, gold_cells, span_scores
from gpkl_lib.spans import Span, SpanScores, decode_projection

TYPES = ("loc", "org")


def test_nested_and_overlapping_spans_come_out_alike() -> None:
    logits = torch.full((2, 2, 5, 5), -3.0)
    for place in ((0, 1, 0, 4), (0, 0, 2, 3), (0, 0, 0, 2), (0, 1, 0, 2), (0, 0, 0, 0)):
        logits[place] = 0.5
    assert decode_spans(logits, TYPES) == [
        [("loc", 0, 1), ("loc", 0, 3), ("org", 0, 3), ("org", 0, 5), ("loc", 2, 4)],
        [],
    ]


def test_decoding_is_a_loop_over_real_spans() -> None:
    logits = torch.randn(3, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0], [0] * 6])
    for threshold in (-0.5, 0.0, 1.0):
        wanted = [
            sorted(
                (
                    (TYPES[h], i, j + 1)
                    for h in range(2)
                    for i in range(6)
                    for j in range(i, 6)
                    if mask[b, i] and mask[b, j] and logits[b, h, i, j] > threshold
                ),
                key=lambda span: (span[1], span[2], span[0]),
            )
            for b in range(3)
        ]
        assert decode_spans(logits, TYPES, mask, threshold=threshold) == wanted
        assert decode_spans(logits.half(), TYPES, mask.bool(), threshold=threshold) == wanted


def test_the_threshold_itself_is_not_above_the_threshold() -> None:
    logits = torch.zeros(1, 1, 1, 1)
    assert decode_spans(logits, ["x"]) == [[]]
    assert decode_spans(logits + 1e-6, ["x"]) == [[("x", 0, 1)]]
    assert decode_spans(logits[:0], ["x"]) == []


def test_wrong_logits_are_refused() -> None:
    for shape in ((2, 5, 5), (1, 2, 4, 5)):
        with pytest.raises(ValueError, match=r"logits must have shape \(batch, types, L, L\), got"):
            decode_spans(torch.zeros(shape), TYPES)
    with pytest.raises(ValueError, match="types must name all 3 heads, got 2 names"):
        decode_spans(torch.zeros(1, 3, 2, 2), TYPES)
    for types in ("PL", {"P", "L"}):  # a set of strings has another order in every process
        with pytest.raises(TypeError, match="types must be a list of names, in the order of the heads, got"):
            decode_spans(torch.zeros(1, 2, 4, 4), types)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="types must be a list of names, in the order of the heads, got"):
            decode_projection(torch.zeros(1, 2, 4, 3), torch.zeros(1, 2, 4, 3), types)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"attention_mask must have shape \(1, 4\), got \(2, 4\)"):
        decode_spans(torch.zeros(1, 2, 4, 4), TYPES, torch.ones(2, 4))
    additive = torch.tensor([[0.0, 0.0, -1e9, -1e9]])
    with pytest.raises(TypeError, match=r"attention_mask must be boolean or integer, .* got dtype torch\.float32"):
        decode_spans(torch.zeros(1, 2, 4, 4), TYPES, additive)
    logits = torch.zeros(1, 2, 3, 3)
    logits[0, 1, 2, 0] = math.nan  # below the diagonal: never looked at
    assert decode_spans(logits, TYPES) == [[]]
    logits[0, 1, 0, 2] = math.nan
    with pytest.raises(ValueError, match="logits hold NaN"):
        decode_spans(logits, TYPES)
    assert decode_spans(logits, TYPES, torch.tensor([[1, 1, 0]])) == [[]]


# ---------------------------------------------------------------------------------------------------------------------


def corpus(seed: int) -> list[list[Span]]:
    rng = random.Random(seed)

    def span() -> Span:
        start = rng.randrange(3)
        return rng.choice("abc"), start, start + rng.randrange(1, 3)

    return [[span() for _ in range(rng.randrange(5))] for _ in range(200)]


def test_scores_are_micro_averages_over_the_corpus() -> None:
    predicted, gold = corpus(1), corpus(2)
    flat_p = {(n, s) for n, spans in enumerate(predicted) for s in spans}  # a span given twice is one
    flat_g = {(n, s) for n, spans in enumerate(gold) for s in spans}
    scores = span_scores(iter(predicted), (tuple(spans) for spans in gold))
    assert (scores.correct, scores.predicted, scores.gold) == (len(flat_p & flat_g), len(flat_p), len(flat_g))
    assert scores.precision == len(flat_p & flat_g) / len(flat_p)
    assert scores.recall == len(flat_p & flat_g) / len(flat_g)
    harmonic = 2 / (1 / scores.precision + 1 / scores.recall)
    assert scores.f1 == pytest.approx(harmonic)
    assert list(scores.by_type) == ["a", "b", "c"]
    for name, part in scores.by_type.items():
        p, g = ({x for x in flat if x[1][0] == name} for flat in (flat_p, flat_g))
        assert (part.correct, part.predicted, part.gold) == (len(p & g), len(p), len(g))


def test_duplicates_count_once() -> None:
    twice = [[("a", 0, 1), ("a", 0, 1)]]
    assert span_scores(twice, twice) == SpanScores(1, 1, 1, {"a": SpanScores(1, 1, 1)})


def test_type_and_both_ends_must_match() -> None:
    gold = [[("a", 1, 3)]]
    for wrong in (("b", 1, 3), ("a", 0, 3), ("a", 1, 2)):
        assert span_scores([[wrong]], gold).f1 == 0
    assert span_scores([[], [("a", 1, 3)]], [[("a", 1, 3)], []]).correct == 0
    assert span_scores(gold, gold).f1 == 1


def test_nothing_over_nothing_is_zero() -> None:
    nothing = span_scores([[], []], [[], []])
    assert nothing == span_scores([], []) == SpanScores()
    assert (nothing.precision, nothing.recall, nothing.f1) == (0, 0, 0)
    missed = span_scores([[]], [[("a", 0, 1)]])
    assert (missed.precision, missed.recall, missed.f1) == (0, 0, 0)
    invented = span_scores([[("a", 0, 1)]], [[]])
    assert (invented.precision, invented.recall, invented.f1) == (0, 0, 0)
    assert invented.by_type == {"a": SpanScores(0, 1, 0)}


def test_batches_add_up_to_the_corpus_and_a_mean_of_batches_does_not() -> None:
    predicted, gold = corpus(3), corpus(4)
    parts = [span_scores(predicted[i : i + 7], gold[i : i + 7]) for i in range(0, 200, 7)]
    whole = span_scores(predicted, gold)
    assert sum(parts, SpanScores()) == whole
    assert abs(sum(part.f1 for part in parts) / len(parts) - whole.f1) > 1e-4


def test_different_numbers_of_sentences_are_refused() -> None:
    with pytest.raises(ValueError, match="predicted and gold must hold one list a sentence, got 1 and 2"):
        span_scores([[]], [[], []])


def test_lists_and_what_predict_writes_are_spans_too() -> None:
    gold = [[("a", 0, 1), ("b", 1, 3)], []]
    expected = span_scores(gold, gold)
    assert list(expected.by_type) == ["a", "b"]
    for form in (
        [[["a", 0, 1], ["b", 1, 3]], []],  # as JSON has tuples
        [[[0, 1, "a"], [1, 3, "b"]], []],  # as `gpkl predict` writes them
        [[(0, 1, "a"), (1, 3, "b")], ()],
        [[("a", torch.tensor(0), 1), ("b", 1, torch.tensor(3))], []],
    ):
        assert span_scores(form, gold) == span_scores(gold, form) == expected


@pytest.mark.parametrize(
    ("spans", "error", "message"),
    [
        ([[("a", 0)]], TypeError, r"must hold spans \(type, start, end\), or \[start, end, type\], got \('a', 0\) in"),
        ([[(0, 1, 2)]], TypeError, r"must hold spans .* got \(0, 1, 2\) in sentence 0"),
        ([[("a", 0.0, 1)]], TypeError, r"must hold spans .* got \('a', 0.0, 1\)"),
        ([["abc"]], TypeError, r"must hold spans .* got 'abc'"),
        ([[], ("a", 0, 1)], TypeError, r"must hold spans .* got 'a' in sentence 1"),
        ([{"tokens": ["a"], "spans": []}], TypeError, r"must hold a list of spans a sentence, got \{'tokens'"),
        ([7], TypeError, r"must hold a list of spans a sentence, got 7 for sentence 0"),
        ([[("a", 2, 2)]], ValueError, r"must have 0 <= start < end in every span, got \('a', 2, 2\) in sentence 0"),
    ],
)
def test_what_is_no_span_is_refused_with_the_name_of_the_argument(
    spans: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match="^predicted " + message):
        span_scores(spans, [[]] * len(spans))
    with pytest.raises(error, match="^gold " + message):
        span_scores([[]] * len(spans), spans)


def test_gold_cells_are_what_decoding_undoes() -> None:
    spans = [[("a", 0, 1), ("b", 0, 3)], [], [("a", 2, 3)]]
    cells = gold_cells(spans, ["a", "b"])
    assert cells.tolist() == [[0, 0, 0, 0], [0, 1, 0, 2], [2, 0, 2, 2]]
    logits = torch.full((3, 2, 3, 3), -1.0)
    logits[tuple(cells.T)] = 1.0
    assert decode_spans(logits, ["a", "b"]) == spans
    written = [[[start, end, kind] for kind, start, end in sentence] for sentence in spans]  # as `gpkl predict` does
    assert gold_cells(written, ["a", "b"]).tolist() == cells.tolist()
    empty = gold_cells([[], []], ["a"])
    assert empty.shape == (0, 4)
    assert empty.dtype == torch.long


@pytest.mark.parametrize(
    ("spans", "types", "error", "message"),
    [
        ([[], [("c", 0, 1)]], ["a", "b"], ValueError, r"sentence 1: span \('c', 0, 1\) has a type without a head"),
        ([[("a", 1, 1)]], ["a"], ValueError, "spans must have 0 <= start < end in every span"),
        ([("a", 0, 1)], ["a"], TypeError, "spans must hold spans .* in sentence 0"),
        ([[(0, 0, 1)]], ["a"], TypeError, "spans must hold spans"),
        (["a"], ["a"], TypeError, "spans must hold a list of spans a sentence, got 'a' for sentence 0"),
        ([[]], "PER", TypeError, "types must be a list of names, in the order of the heads, got 'PER'"),
        ([[]], {"PER"}, TypeError, r"types must be a list of names, in the order of the heads, got \{'PER'\}"),
        ([[]], ["a", "a"], ValueError, "types must be distinct names"),
    ],
)
def test_gold_cells_names_what_is_wrong(spans: Any, types: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        gold_cells(spans, types)


def test_gold_cells_stay_what_they_are_on_the_way_to_the_loss_and_no_longer() -> None:
    cells = gold_cells([[("a", 0, 1)]], ["a"])
    ways = [cells.to("cpu"), cells.to(torch.device("cpu"), non_blocking=True), cells.clone(), cells.detach()]
    ways += [cells.cpu(), copy.deepcopy(cells), pickle.loads(pickle.dumps(cells))]
    assert all(type(way) is GoldCells and way.tolist() == [[0, 0, 0, 0]] for way in ways)
    computed = [cells + 1, cells[:, 3], cells == 0, torch.cat([cells, cells]), cells.unbind(1)[0], cells.flip(0)]
    assert all(type(value) is torch.Tensor for value in computed)


@pytest.mark.slow
def test_gold_cells_come_out_of_the_worker_of_a_loader() -> None:
    loader = DataLoader([[("a", 0, 1)], []], 2, collate_fn=functools.partial(gold_cells, types=["a"]), num_workers=1)
    (cells,) = loader
    assert type(cells) is GoldCells
    assert cells.tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize(("threshold", "error"), [("0", TypeError), (None, TypeError), (float("nan"), ValueError)])
def test_a_threshold_that_is_no_number_is_named(threshold, error):
    with pytest.raises(error, match="threshold must be a number, got"):
        decode_spans(torch.zeros(1, 1, 2, 2), ["a"], threshold=threshold)
