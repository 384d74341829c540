"""Loss and gradients of the tiled span loss, against the dense way in float64."""

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

from gpkl_lib.tiled import BLOCK, HOLD, tiled_span_loss
from gpkl_lib.tiled.groups import ROWS


@settings(max_examples=150, deadline=None)
@given(
    seed=some.integers(0, 10**6),
    views=some.sampled_from([1, 2]),
    batch=some.integers(1, 4),
    types=some.integers(1, 4),
    length=some.integers(1, 20),
    d=some.sampled_from([1, 2, 3, 8, 17]),
    share=some.sampled_from([0.0, 0.1, 1.0]),
    mask=some.sampled_from(["full", "ragged", "holes"]),
    scale=some.sampled_from([0.01, 1.0, 10.0, 100.0, 1000.0]),
    alpha=some.sampled_from([0.0, 1.0, 7.0]),
    block=some.sampled_from([1, 7, 60, 500, BLOCK]),
    hold=some.sampled_from([0, 300, HOLD]),
)
def test_loss_and_gradient_are_those_of_the_dense_way(alpha: float, block: int, hold: int, **case: Any) -> None:
    check(*both(drawn(**case), alpha, torch.float64, block, hold), 1e-12)


@pytest.mark.parametrize("hold", [0, HOLD])
@pytest.mark.parametrize("block", [1, 100, BLOCK])
@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_float32_keeps_its_digits(scale: float, views: int, block: int, hold: int) -> None:
    check(*both(drawn(0, views, length=40, d=16, scale=scale), 1.0, torch.float32, block, hold), 2e-6)


@pytest.mark.parametrize("length", [ROWS - 1, ROWS, ROWS + 1, 3 * ROWS + 5])
def test_blocks_that_do_not_divide_the_length(length: int) -> None:
    for mask, hold in product(("full", "ragged", "holes"), (0, HOLD)):
        case = drawn(1, types=1, length=length, mask=mask)
        check(*both(case, 1.0, torch.float64, 3000, hold), 1e-12)
        check(*both(case, 1.0, torch.float32, hold=hold), 2e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_accumulated_in_float32(dtype: torch.dtype) -> None:
    """Values as exact as in float32; gradients rounded once, at the end."""
    found, wanted = both(drawn(2, length=150, d=16, mask="full"), 1.0, dtype)
    check(found[:3] + wanted[3:], wanted, 2e-6)
    check(wanted[:3] + found[3:], wanted, torch.finfo(dtype).eps)
    assert found[0].dtype == torch.float32


@pytest.mark.parametrize("scale", [1e3, 1e5])
def test_huge_scores_are_no_worse_than_in_the_dense_way(scale: float) -> None:
    dtype = torch.float32
    case = drawn(3, length=30, scale=scale, mask="full")
    found, wanted = both(case, 1.0, dtype)
    query, key = (case[name].to(dtype).requires_grad_() for name in ("query", "key"))
    plain = dense(query, key, case["positives"], case["real"], 2, 1.0)
    theirs = [*map(Tensor.detach, plain), *torch.autograd.grad(plain.loss, (query, key))]
    for a, b, c in zip(found, theirs, wanted, strict=True):
        assert a.isfinite().all()
        assert (a - c).norm() <= 3 * (b - c).norm() + 30 * torch.finfo(dtype).eps * c.norm()


def test_the_running_maximum_ignores_positives_and_what_is_no_span() -> None:
    """A positive, or a cell below the diagonal, that towers over all negatives leaves the digits of their sum alone."""
    query = torch.tensor([[1.0], [200.0], [2.0]], dtype=torch.float64)[None, None]  # score i, j is q_i k_j
    key = torch.tensor([[5.0], [-0.02], [-3.0]], dtype=torch.float64)[
        None, None
    ]  # (1, 0), below the diagonal, is 1000; (0, 0) is 5
    query[..., 0, :] = 100.0  # (0, 0), the positive, is 500
    positives = torch.tensor([[0, 0, 0, 0]])
    for block in (1, BLOCK):
        loss = tiled_span_loss(query, key, positives, block=block).loss
        negatives = [math.exp(x) for x in (-2.0, -300.0, -4.0, -600.0, -6.0)]
        assert float(loss) == pytest.approx(math.log1p(sum(negatives)) + math.log1p(math.exp(-500)), rel=1e-14)


def test_a_maximum_that_rises_late_rescales_what_came_before() -> None:
    case = drawn(4, length=12, batch=1, types=1, mask="full", share=0.0)
    case["query"] *= torch.logspace(-1, 2.5, 12, dtype=torch.float64)[:, None]
    for hold in (0, HOLD):
        check(*both(case, 1.0, torch.float64, 24, hold), 1e-12)


@pytest.mark.parametrize("s", [-40.0, -30.0, -2.0, 2.0, 30.0, 40.0])
@pytest.mark.parametrize("u", [2.0**-10, 2.0**-20, 2.0**-30])
def test_close_views_keep_their_divergence(s: float, u: float) -> None:
    """sigma'(s) u^2 to what the rounding of a score leaves of u, where p - q of two p near 1 would be far off or 0."""
    query = torch.tensor([s, s + u], dtype=torch.float64).view(2, 1, 1, 1)
    u = float(query[1] - query[0])
    found = tiled_span_loss(query, torch.ones_like(query), torch.empty(0, 4, dtype=torch.long), views=2, alpha=1.0)
    middle = math.exp(-abs(s + u / 2))
    expected = middle / (1 + middle) ** 2 * u * u
    assert float(found.divergence) == pytest.approx(expected, rel=u * u + abs(s) * 2.0**-50 / u, abs=0)


def test_no_sentence_no_token_no_type_at_all() -> None:
    none = torch.empty(0, 4, dtype=torch.long)
    for shape in ((0, 2, 5, 4), (2, 2, 0, 4), (2, 0, 5, 4)):
        query = torch.zeros(shape, requires_grad=True)
        found = tiled_span_loss(query, query, none, views=2, alpha=1.0)
        found.loss.backward()
        assert [float(x.detach()) for x in found] == [0.0, 0.0, 0.0]
        assert query.grad is not None
        assert query.grad.shape == shape


def test_a_row_with_nothing_valid_counts_as_a_row() -> None:
    case = drawn(5, mask="full")
    case["real"][1] = False
    case["positives"] = case["positives"][case["positives"][:, 0] == 0]
    check(*both(case, 1.0, torch.float64), 1e-12)


@pytest.mark.parametrize("garbage", [math.nan, math.inf, 1e30])
def test_garbage_in_the_padding_reaches_nothing(garbage: float) -> None:
    for mask in ("ragged", "holes"):
        case = drawn(6, batch=3, mask=mask)
        want = both(case, 1.0, torch.float64)[0]
        padding = ~case["real"].repeat(2, 1)[:, None, :, None]
        case |= {name: case[name].masked_fill(padding, garbage) for name in ("query", "key")}
        query, key = (case[name].requires_grad_() for name in ("query", "key"))
        found = tiled_span_loss(query, key, case["positives"], attention_mask=case["real"], views=2, alpha=1.0)
        gradients = torch.autograd.grad(found.loss, (query, key))
        for a, b in zip([*found, *gradients], want, strict=True):
            torch.testing.assert_close(a.detach(), b, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("alpha", [1e-3, 1e-20, 1e-29, 1e-35, 1e-300])
def test_a_tiny_alpha_does_no_harm(alpha: float) -> None:
    for hold in (0, HOLD):
        check(*both(drawn(13, length=30), alpha, torch.float32, hold=hold), 2e-6)


@pytest.mark.parametrize("hold", [0, HOLD])
@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("block", [5, BLOCK])
def test_gradcheck(views: int, block: int, hold: int) -> None:
    """Of sentences with holes and positives, in blocks of one row of one type, and all in one block."""
    case = drawn(199, views, types=2, length=3, d=2, mask="holes", share=0.3)

    def loss(query: Tensor, key: Tensor) -> Tensor:
        return tiled_span_loss(
            query, key, case["positives"], attention_mask=case["real"], views=views, alpha=3.0, block=block
        ).loss

    with waiting(hold):
        assert torch.autograd.gradcheck(loss, (case["query"].requires_grad_(), case["key"].requires_grad_()))
