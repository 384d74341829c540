"""The smooth F1 as a loss, against sums by hand and the exact F1; and what a row without a positive does."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from gpkl_lib import decode_spans, soft_f1_loss, span_mask, span_scores


def logits(*shape: int, scale: float = 4.0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * scale


def some(*shape: int, share: float, seed: int = 1) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < share


@pytest.mark.parametrize("class_dims", [1, 2, 3, 4])
@pytest.mark.parametrize("temperature", [0.2, 1.0, 5.0])
def test_it_is_one_less_the_smooth_f1(class_dims: int, temperature: float) -> None:
    s, mask = logits(2, 3, 5, 5), some(2, 3, 5, 5, share=0.7, seed=2)
    positive = some(2, 3, 5, 5, share=0.3) & mask
    positive[1] = False
    p, y = torch.sigmoid(s / temperature) * mask, positive.double()
    sums = [x.flatten(-class_dims).sum(-1) for x in (p * y, p, y)]
    truth = 1 - 2 * sums[0] / (sums[1] + sums[2]).clamp(min=1e-300)
    options: dict[str, Any] = {"class_dims": class_dims, "mask": mask, "temperature": temperature}
    torch.testing.assert_close(soft_f1_loss(s, positive, **options, reduction="none"), truth)
    torch.testing.assert_close(soft_f1_loss(s, positive.float(), **options), truth.mean())


def test_a_low_temperature_gives_the_pooled_f1_of_span_scores() -> None:
    """With sentences among them in which nothing is gold, and one of nothing but padding."""
    s, mask = logits(6, 2, 5, 5), span_mask(torch.arange(5).expand(6, 5) < torch.tensor([5, 5, 4, 3, 5, 0])[:, None])
    positive = some(6, 2, 5, 5, share=0.3) & mask & (torch.arange(6) != 4)[:, None, None, None]
    names = ["a", "b"]
    gold = decode_spans(positive.double() - 0.5, names)
    scores = span_scores(decode_spans(s.masked_fill(~mask, -1), names), gold)
    assert 0 < scores.correct < scores.predicted
    assert soft_f1_loss(s, positive, class_dims=4, mask=mask, temperature=1e-9).item() == pytest.approx(1 - scores.f1)


@pytest.mark.parametrize("score", [0.0, 5.0, -800.0, -math.inf])
@pytest.mark.parametrize("masked", [False, True])
def test_a_row_without_a_positive_costs_one_and_teaches_nothing(score: float, masked: bool) -> None:
    """0/0 is F1 0, as in `span_scores`; where p is 0 to the last digit, the bare formula gives NaN."""
    s = torch.full((2, 4), score, dtype=torch.float64)
    s[1] = torch.tensor([2.0, -1.0, 0.0, -3.0])
    s.requires_grad_()
    positive = torch.tensor([[0, 0, 0, 0], [1, 0, 0, 1]])
    mask = torch.tensor([[not masked], [True]])
    loss = soft_f1_loss(s, positive, mask=mask, reduction="none")
    assert loss[0] == 1
    assert 1 - span_scores([[]], [[]]).f1 == 1
    (gradient,) = torch.autograd.grad(loss.sum(), s)
    assert (gradient[0] == 0).all()
    assert (gradient[1] != 0).all()
    if score == 0 and not masked:  # pooled, the false alarms of the first row count
        (gradient,) = torch.autograd.grad(soft_f1_loss(s, positive, class_dims=2), s)
        assert (gradient[0] > 0).all()


def test_what_is_masked_may_be_anything() -> None:
    s, mask = logits(4, 6), some(4, 6, share=0.6)
    positive = some(4, 6, share=0.5, seed=3) & mask
    values = []
    for garbage in (0.0, 1e12, -math.inf, math.nan):
        leaf = s.masked_fill(~mask, garbage).requires_grad_()
        values.append(soft_f1_loss(leaf, positive, mask=mask, class_dims=2))
        (gradient,) = torch.autograd.grad(values[-1], leaf)
        assert (gradient[~mask] == 0).all()
        assert (gradient[mask] != 0).all()
    assert len({value.item() for value in values}) == 1


def test_gradients_and_the_digits_of_a_nearly_perfect_row() -> None:
    s, mask = logits(3, 2, 4, scale=1).requires_grad_(), some(3, 2, 4, share=0.7)
    positive = some(3, 2, 4, share=0.4, seed=5) & mask
    assert gradcheck(lambda s: soft_f1_loss(s, positive, class_dims=2, mask=mask, temperature=0.7), (s,))
    tiny = math.exp(-50)
    for side, value, slopes in ((50, tiny, [-tiny / 2, tiny / 2]), (-50, 1.0, [-tiny, 0.0])):
        scores = torch.tensor([side, -side], dtype=torch.float64, requires_grad=True)  # all right, then all wrong
        loss = soft_f1_loss(scores, torch.tensor([1, 0]))
        assert loss.item() == pytest.approx(value, rel=1e-14)  # where 1 - F1 would be 0
        assert torch.autograd.grad(loss, scores)[0].tolist() == pytest.approx(slopes, rel=1e-14, abs=1e-40)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    s, positive = logits(4, 300, scale=8).to(dtype), some(4, 300, share=0.1)
    s[0, 0], s[1, 0] = torch.finfo(dtype).max, torch.finfo(dtype).min
    leaf = s.clone().requires_grad_()
    loss = soft_f1_loss(leaf, positive, temperature=1e-18, reduction="none")
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), soft_f1_loss(s.double(), positive, temperature=1e-18, reduction="none"))
    assert torch.autograd.grad(loss.sum(), leaf)[0].isfinite().all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"input": torch.zeros(2, 3).long()}, TypeError, "input must be floating point"),
        ({"input": torch.zeros(1, 2, 3, 3), "target": torch.zeros(1, 2, 3, 3)}, ValueError, "class_dims must be given"),
        ({"target": torch.tensor([[0, 0.5, 0], [0, 0, 1]])}, ValueError, r"target\[0, 1\] = 0.5, which is neither"),
        ({"mask": torch.tensor([[True], [False]])}, ValueError, r"target\[1, 2\] is positive, but mask"),
        ({"temperature": 0.0}, ValueError, "temperature must lie between"),
        ({"reduction": "average"}, ValueError, "reduction must be one of"),
    ],
)
def test_errors_name_the_argument(change: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments = {"input": torch.zeros(2, 3), "target": torch.tensor([[0, 1, 0], [0, 0, 1]])} | change
    with pytest.raises(error, match=message):
        soft_f1_loss(**arguments)
