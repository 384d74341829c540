"""R-Drop in tiles with each of its divergences, against the dense way in float64."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from tiled_cases import both, check, dense, drawn, waiting
from torch import Tensor

from gpkl_lib import span_mask, symmetric_kl
from gpkl_lib.tiled import BLOCK, HOLD, tiled_span_loss
from gpkl_lib.tiled.groups import ROWS


def identity(x: Tensor) -> Tensor:
    return x


ACTIVATIONS = pytest.mark.parametrize(
    "activation", ["softmax", identity, torch.atan], ids=["softmax", "squared", "atan"]
)


@settings(max_examples=80, deadline=None)
@given(
    seed=some.integers(0, 10**6),
    batch=some.integers(1, 4),
    types=some.integers(1, 4),
    length=some.integers(1, 20),
    d=some.sampled_from([1, 2, 8]),
    share=some.sampled_from([0.0, 0.1, 1.0]),
    mask=some.sampled_from(["full", "ragged", "holes"]),
    scale=some.sampled_from([0.01, 1.0, 10.0, 100.0, 1000.0]),
    alpha=some.sampled_from([0.0, 1.0, 7.0]),
    block=some.sampled_from([1, 60, BLOCK]),
    hold=some.sampled_from([0, 300, HOLD]),
    activation=some.sampled_from(["softmax", identity, torch.atan]),
)
def test_loss_and_gradient_are_those_of_the_dense_way(
    alpha: float, block: int, hold: int, activation: Any, **case: Any
) -> None:
    check(*both(drawn(**case), alpha, torch.float64, block, hold, activation), 1e-12)


@ACTIVATIONS
@pytest.mark.parametrize("hold", [0, HOLD])
@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_float32_keeps_its_digits(scale: float, hold: int, activation: Any) -> None:
    for block, length in product((1, 100, BLOCK), (40, ROWS + 1)):
        case = drawn(0, types=2, length=length, d=16, scale=scale)
        check(*both(case, 1.0, torch.float32, block, hold, activation), 4e-6)


@ACTIVATIONS
def test_scores_of_thousands_either_way(activation: Any) -> None:
    """All spans far above the threshold, all far below, the views a thousand apart: what underflows must not matter."""
    for shift, gap in ((1e3, 1.0), (-1e3, 1.0), (0.0, 1e3), (-1e3, -1e3)):
        case = drawn(3, types=2, length=9, d=4, mask="holes")
        half = len(case["query"]) // 2
        level = torch.full_like(case["query"][..., :1], shift)
        level[half:] += gap
        case["query"] = torch.cat([case["query"], level], -1)
        case["key"] = torch.cat([case["key"], torch.ones_like(level)], -1)
        for hold in (0, HOLD):
            check(*both(case, 1.0, torch.float64, BLOCK, hold, activation), 1e-10)
            check(*both(case, 1.0, torch.float32, BLOCK, hold, activation), 1e-4)


@ACTIVATIONS
def test_close_views_are_no_worse_than_in_the_dense_way(activation: Any) -> None:
    """Differences of 10^-3 and less, of which float32 scores keep four digits at best."""
    for size in (1e-2, 1e-3):
        case = drawn(6, types=2, length=30, d=8, mask="full", share=0.0)
        half = len(case["query"]) // 2
        for name in ("query", "key"):
            case[name][half:] = case[name][:half] + size * case[name][half:]
        found, wanted = both(case, 1e4, torch.float32, activation=activation)
        query, key = (case[name].float().requires_grad_() for name in ("query", "key"))
        plain = dense(query, key, case["positives"], case["real"], 2, 1e4, activation)
        theirs = [*map(Tensor.detach, plain), *torch.autograd.grad(plain.loss, (query, key))]
        for a, b, c in zip(found, theirs, wanted, strict=True):
            assert (a - c).norm() <= 3 * (b - c).norm() + 30 * torch.finfo(torch.float32).eps * c.norm()


@ACTIVATIONS
@pytest.mark.parametrize("hold", [0, HOLD])
def test_gradcheck(hold: int, activation: Any) -> None:
    case = drawn(199, types=2, length=3, d=2, mask="holes", share=0.3)

    def loss(query: Tensor, key: Tensor) -> Tensor:
        options = {"attention_mask": case["real"], "views": 2, "alpha": 3.0, "block": 5}
        return tiled_span_loss(query, key, case["positives"], activation=activation, **options).loss

    with waiting(hold):
        assert torch.autograd.gradcheck(loss, (case["query"].requires_grad_(), case["key"].requires_grad_()))


@ACTIVATIONS
def test_the_value_alone_is_that_with_gradients(activation: Any) -> None:
    case = drawn(8, length=30)
    for gradient in (torch.no_grad, torch.inference_mode):
        query = case["query"].clone().requires_grad_()
        how = {"attention_mask": case["real"], "views": 2, "alpha": 1.0, "activation": activation}
        wanted = tiled_span_loss(query, case["key"], case["positives"], **how)
        with gradient():
            found = tiled_span_loss(case["query"], case["key"], case["positives"], **how)
        for a, b in zip(found, wanted, strict=True):
            assert torch.equal(a, b.detach())


def test_a_function_that_overflows_off_the_spans() -> None:
    def cube(x: Tensor) -> Tensor:
        return x**3

    for mask in ("ragged", "holes"):
        check(*both(drawn(7, mask=mask), 1.0, torch.float32, activation=cube), 4e-6)


@pytest.mark.parametrize("top", [1, 4, 10**6])
@pytest.mark.parametrize("hold", [0, HOLD])
def test_the_highest_spans_alone(hold: int, top: int) -> None:
    """As the method "top-spans" chooses them in the dense way."""
    for mask, length, block in product(("ragged", "holes"), (7, 40), (50, BLOCK)):
        case = drawn(5, batch=3, length=length, mask=mask)
        query, key = (case[name].requires_grad_() for name in ("query", "key"))
        options = {"attention_mask": case["real"], "views": 2, "alpha": 3.0, "block": block}
        with waiting(hold):
            found = tiled_span_loss(query, key, case["positives"], top=top, **options)
        first, second = (query @ key.mT).chunk(2)
        spans = span_mask(case["real"]).expand(first.shape)
        sums = (first + second).masked_fill(~spans, -math.inf).flatten(2)
        lowest = sums.topk(min(top, sums.shape[2]), -1).values[..., -1:, None]
        chosen = spans & (first + second >= lowest)
        divergence = symmetric_kl(first, second, activation="sigmoid", class_dims=2, mask=chosen, reduction="rowmean")
        wanted = dense(query, key, case["positives"], case["real"], 2, 0.0).task + 3 / 4 * divergence
        torch.testing.assert_close(found.divergence, divergence.detach(), rtol=1e-11, atol=0)
        gradients = (torch.autograd.grad(loss, (query, key)) for loss in (found.loss, wanted))
        for a, b in zip(*gradients, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_a_top_that_cannot_be_is_refused() -> None:
    case = drawn(1)
    for how in ({"top": 0}, {"top": 3, "activation": "softmax"}):
        with pytest.raises(ValueError, match=r"top must be at least 1, with activation .sigmoid., got"):
            tiled_span_loss(case["query"], case["key"], case["positives"], views=2, **how)


def test_an_unknown_activation_is_refused() -> None:
    case = drawn(1)
    with pytest.raises(ValueError, match='activation must be "sigmoid", "softmax" or a function of a tensor, got'):
        tiled_span_loss(case["query"], case["key"], case["positives"], views=2, activation="relu")  # type: ignore[arg-type]
