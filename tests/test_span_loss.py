"""The loss in one call: equal to its parts, dense and in tiles, and refused wherever it could go wrong in silence."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gpkl_lib import (
    EfficientGlobalPointer,
    GlobalPointer,
    GoldCells,
    decode_spans,
    doubled,
    global_pointer_loss,
    global_pointer_rdrop_loss,
    gold_cells,
    rdrop_loss,
    span_mask,
    sparse_multilabel_cross_entropy,
    tiled_head_loss,
    two_views,
    uda_loss,
)
from gpkl_lib.span_loss import TILED_FROM

TYPES = ["PER", "LOC", "ORG"]
SPANS = [[("PER", 1, 3), ("LOC", 2, 3)], [("ORG", 0, 4)]]
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]])


def scores(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def by_hand(logits: Tensor, mask: Tensor = MASK) -> Tensor:
    cells = torch.tensor([[0, 0, 1, 2], [0, 1, 2, 2], [1, 2, 0, 3]])
    return sparse_multilabel_cross_entropy(logits, cells, class_dims=2, mask=span_mask(mask))


@pytest.mark.parametrize("gold", [SPANS, gold_cells(SPANS, TYPES)], ids=["spans", "cells"])
def test_it_is_the_cross_entropy_of_the_cells(gold: Any) -> None:
    logits = scores(2, 3, 5, 5)
    assert torch.equal(global_pointer_loss(logits, gold, MASK, types=TYPES), by_hand(logits))
    assert torch.equal(global_pointer_loss(logits, gold, MASK.bool(), types=TYPES), by_hand(logits))


def test_with_r_drop_the_divergence_is_divided_as_the_cross_entropy_is() -> None:
    logits = scores(4, 3, 5, 5)
    found = global_pointer_rdrop_loss(logits, SPANS, doubled(MASK), alpha=3.0, types=TYPES)
    first, second = two_views(logits)
    gap = torch.sigmoid(first) - torch.sigmoid(second)
    divergence = (gap * (first - second) * span_mask(MASK)).sum() / 6
    torch.testing.assert_close(found.divergence, divergence)
    torch.testing.assert_close(found.task, (by_hand(first) + by_hand(second)) / 2)
    torch.testing.assert_close(found.loss, found.task + 3 / 4 * divergence)


class Own(nn.Module):
    """A head of one's own: no `project`, no `num_types`."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, hidden_states: Tensor, attention_mask: Tensor) -> Tensor:
        found: Tensor = self.head(hidden_states, attention_mask)
        return found


@pytest.mark.parametrize("length", [5, TILED_FROM + 3])
@pytest.mark.parametrize("head", [GlobalPointer, EfficientGlobalPointer])
def test_a_head_is_scored_dense_or_in_tiles_with_the_same_result(
    head: Callable[..., nn.Module], length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    head = head(6, 3, 4).double()
    states = scores(4, length, 6)
    mask = nn.functional.pad(MASK, (0, length - 5))
    tiles = []
    tiled = global_pointer_loss.__globals__["tiled_head_loss"]
    monkeypatch.setitem(
        global_pointer_loss.__globals__, "tiled_head_loss", lambda *a, **k: tiles.append(a) or tiled(*a, **k)
    )
    weights = list(head.parameters())
    for loss in (
        lambda x, **head: global_pointer_loss(x[:2], SPANS, mask, types=TYPES, **head),
        lambda x, **head: global_pointer_rdrop_loss(x, SPANS, doubled(mask), types=TYPES, alpha=2.0, **head).loss,
    ):
        tiles.clear()
        found = loss(states, head=head)
        assert len(tiles) == (length >= TILED_FROM)
        for same in (loss(head(states, doubled(mask))), loss(states, head=Own(head))):
            torch.testing.assert_close(found, same)
            for one, other in zip(
                torch.autograd.grad(found, [states, *weights], retain_graph=True),
                torch.autograd.grad(same, [states, *weights], retain_graph=True),
                strict=True,
            ):
                torch.testing.assert_close(one, other)


def test_trained_on_spans_it_decodes_to_the_same_spans() -> None:
    logits = torch.zeros(2, 3, 5, 5, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(60):
        optimizer.zero_grad()
        global_pointer_loss(logits, SPANS, MASK, types=TYPES).backward()
        optimizer.step()
    assert decode_spans(logits, TYPES, MASK) == SPANS


# The three silent misuses of a training loop made by hand: an F1 of 0, a divergence counted once a type, other rows.


def test_ends_that_are_one_too_far_are_refused() -> None:
    positives = torch.tensor(
        [[row, TYPES.index(kind), i, j] for row, spans in enumerate(SPANS) for kind, i, j in spans]
    )
    for call in (
        lambda: global_pointer_loss(scores(2, 3, 5, 5), positives, MASK),
        lambda: global_pointer_rdrop_loss(scores(4, 3, 5, 5), positives, doubled(MASK), alpha=1.0),
        lambda: global_pointer_loss(scores(2, 5, 6), positives, MASK, head=GlobalPointer(6, 3, 4).double()),
    ):
        with pytest.raises(TypeError, match=r"gold must be the spans .* end exclusive.*`gold_cells`.* LAST token"):
            call()


def test_a_divergence_of_every_start_token_by_itself_is_refused() -> None:
    first, second = scores(2, 3, 5, 5), scores(2, 3, 5, 5, seed=1)
    mask = span_mask(MASK)
    for call in (
        lambda: rdrop_loss(first, second, by_hand, alpha=1.0, activation="sigmoid", mask=mask),
        lambda: uda_loss(first, second, activation="sigmoid", mask=mask),
    ):
        with pytest.raises(ValueError, match=r"class_dims must be given for input of shape \(2, 3, 5, 5\): 2 if"):
            call()
    parts = rdrop_loss(first, second, by_hand, alpha=1.0, activation="sigmoid", class_dims=2, mask=mask)
    both = global_pointer_rdrop_loss(torch.cat([first, second]), SPANS, doubled(MASK), alpha=1.0, types=TYPES)
    assert torch.equal(parts.divergence, both.divergence)


@pytest.mark.parametrize("shape", [(2, 3, 5, 5), (6, 5, 5), (2, 5, 4)])
def test_a_cross_entropy_whose_rows_are_a_guess_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="class_dims must be given for input of shape"):
        sparse_multilabel_cross_entropy(scores(*shape), torch.zeros(0, len(shape), dtype=torch.long))


# Views, shapes, types


def test_views_that_alternate_are_refused() -> None:
    logits = scores(4, 3, 5, 5)
    with pytest.raises(ValueError, match="halves of attention_mask must be equal: the second view of all sentences"):
        global_pointer_rdrop_loss(logits, SPANS, MASK.repeat_interleave(2, 0), alpha=1.0, types=TYPES)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"input": scores(4, 3, 5, 5)}, ValueError, r"input must be logits \(2, types, 5, 5\) .*\(4, 3, 5, 5\)"),
        ({"input": scores(2, 3, 5, 4)}, ValueError, r"input must be logits \(2, types, 5, 5\)"),
        ({"input": scores(6, 5, 5)}, ValueError, r"input must be logits \(2, types, 5, 5\)"),
        ({"input": scores(2, 5, 6)}, ValueError, r"input must be logits \(2, types, 5, 5\)"),
        ({"input": torch.zeros(2, 3, 5, 5).long()}, TypeError, "input must be floating point, got dtype torch.int64"),
        ({"head": GlobalPointer(6, 3, 4)}, ValueError, r"input must be hidden states \(2, 5, hidden_size\)"),
        ({"attention_mask": None}, TypeError, "attention_mask must be a torch.Tensor, got NoneType"),
        ({"attention_mask": -1e4 * (1.0 - MASK)}, TypeError, "attention_mask must be boolean or integer, .*float32"),
        ({"attention_mask": MASK[0]}, ValueError, r"attention_mask must have shape \(batch, L\), got \(5,\)"),
        ({"gold": SPANS[:1]}, ValueError, "gold must hold the spans of each of 2 sentences, got 1 lists"),
        ({"gold": SPANS + SPANS}, ValueError, "gold must hold the spans of each of 2 sentences, got 4 lists"),
        ({"gold": [[], [("ANIMAL", 0, 1)]]}, ValueError, "sentence 1: .* has a type without a head; types are P"),
        ({"types": None}, TypeError, "types must name the heads, in order, where gold are spans; got None"),
        ({"types": set(TYPES)}, TypeError, "types must be a list of names, in the order of the heads, got {"),
        ({"types": set(TYPES), "gold": gold_cells(SPANS, TYPES)}, TypeError, "types must be a list of names, in the"),
        ({"types": TYPES[:2], "gold": [[], []]}, ValueError, "types must name all 3 heads, got 2 names"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments = {"input": scores(2, 3, 5, 5), "gold": SPANS, "attention_mask": MASK, "types": TYPES} | change
    with pytest.raises(error, match=message):
        global_pointer_loss(**arguments)


@pytest.mark.parametrize(
    ("mask", "gold", "message"),
    [
        (
            MASK,
            [[("LOC", 2, 3), ("PER", 0, 6)], []],
            "('PER', 0, 6) of sentence 0 ends beyond its 5 tokens (end is exc",
        ),
        (MASK, [[("PER", 7, 9)], []], "('PER', 7, 9) of sentence 0 ends beyond its 5 tokens (end is exclusive)"),
        (MASK, [[], [("LOC", 2, 5)]], "('LOC', 2, 5) of sentence 1 ends beyond its 4 tokens (end is exclusive)"),
        (MASK.flip(1), [[], [("ORG", 0, 3)]], "('ORG', 0, 3) of sentence 1 begins or ends on padding"),
        (0 * MASK, [[("PER", 0, 1)], []], "('PER', 0, 1) of sentence 0 ends beyond its 0 tokens (end is exclusive)"),
        (MASK[:, :0], [[], [("PER", 0, 1)]], "('PER', 0, 1) of sentence 1 ends beyond its 0 tokens (end is exclusive)"),
    ],
)
def test_a_span_off_its_sentence_is_named_as_it_was_given(mask: Tensor, gold: Any, message: str) -> None:
    length = mask.shape[1]
    for loss, views in (
        (global_pointer_loss, 1),
        (functools.partial(global_pointer_rdrop_loss, alpha=1.0), 2),
    ):
        with pytest.raises(ValueError, match="^gold: " + re.escape(message)):
            loss(scores(2 * views, 3, length, length), gold, mask.repeat(views, 1), types=TYPES)


def test_cells_off_their_sentence_are_named_as_cells() -> None:
    for span, sentence, message in (
        (("PER", 1, 6), 0, "positives[0] = [0, 0, 1, 5] lies outside input"),
        (("PER", 3, 5), 1, "positives[0] = [1, 0, 3, 4] is positive, but mask rules"),
    ):
        cells = gold_cells([[span] if row == sentence else [] for row in range(2)], TYPES)
        with pytest.raises(ValueError, match=re.escape(message)):
            global_pointer_loss(scores(2, 3, 5, 5), cells, MASK)


def test_a_head_that_gives_no_logits_is_refused() -> None:
    with pytest.raises(ValueError, match=r"head must give logits \(2, types, 5, 5\) .* got \(2, 5, 3\)"):
        global_pointer_loss(scores(2, 5, 6), SPANS, MASK, types=TYPES, head=Own(lambda x, mask: x[..., :3]))


def test_r_drop_wants_a_weight_and_both_views() -> None:
    for alpha, error in ((-1.0, ValueError), ("4", TypeError)):
        with pytest.raises(error, match="alpha must be"):
            global_pointer_rdrop_loss(scores(4, 3, 5, 5), SPANS, doubled(MASK), alpha=alpha, types=TYPES)
    with pytest.raises(ValueError, match="gold must hold the spans of each of 1 sentences, got 2 lists"):
        global_pointer_rdrop_loss(scores(2, 3, 5, 5), SPANS, MASK[:1].repeat(2, 1), alpha=1.0, types=TYPES)
    with pytest.raises(ValueError, match="two views need an even batch, got 3 rows"):
        global_pointer_rdrop_loss(scores(3, 3, 5, 5), SPANS, torch.ones(3, 5).bool(), alpha=1.0, types=TYPES)


def test_cells_of_a_plain_tensor_count_once_that_is_said() -> None:
    logits = scores(2, 3, 5, 5)
    plain = torch.tensor([[0, 0, 1, 2], [0, 1, 2, 2], [1, 2, 0, 3]])
    assert torch.equal(global_pointer_loss(logits, plain.as_subclass(GoldCells), MASK), by_hand(logits))


@pytest.mark.parametrize("length", [4, 40])
def test_the_class_of_a_head_is_no_head(length):
    states, mask = torch.zeros(2, length, 8), torch.ones(2, length, dtype=torch.long)
    for loss in (global_pointer_loss, functools.partial(global_pointer_rdrop_loss, alpha=1.0)):
        with pytest.raises(TypeError, match=r"head must be a module.*got the class GlobalPointer itself"):
            loss(states, [[]], mask, types=["a"], head=GlobalPointer)
    with pytest.raises(TypeError, match="got the class GlobalPointer itself"):
        tiled_head_loss(GlobalPointer, states, torch.zeros(0, 4, dtype=torch.long))
