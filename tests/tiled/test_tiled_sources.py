"""The tiled loss of a head, from hidden states: its gradients, in every dtype, and what it leaves alone."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from tiled_cases import by_head, by_scores, drawn, head_and_states, waiting

from gpkl_lib import EfficientGlobalPointer, GlobalPointer, span_mask
from gpkl_lib.tiled import BLOCK, HOLD, tiled_head_loss
from gpkl_lib.tiled.groups import ROWS


@pytest.mark.parametrize("rotary", [True, False])
@pytest.mark.parametrize("kind", [GlobalPointer, EfficientGlobalPointer])
def test_heads_hand_over_what_multiplies_to_their_scores(kind: Any, rotary: bool) -> None:
    torch.manual_seed(0)
    head = kind(6, 3, 4, rotary=rotary).double()
    hidden = torch.randn(2, 7, 6, dtype=torch.float64)
    real = torch.arange(7) < torch.tensor([[7], [4]])
    query, key = head.project(hidden, real)
    spans = span_mask(real).expand(2, 3, 7, 7)
    torch.testing.assert_close((query @ key.mT)[spans], head(hidden, real)[spans], rtol=1e-12, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    kind=some.sampled_from([GlobalPointer, EfficientGlobalPointer]),
    rotary=some.booleans(),
    seed=some.integers(0, 10**6),
    views=some.sampled_from([1, 2]),
    batch=some.integers(1, 4),
    types=some.integers(1, 4),
    length=some.integers(1, 20),
    mask=some.sampled_from(["full", "ragged", "holes"]),
    block=some.sampled_from([1, 60, 500, BLOCK]),
    hold=some.sampled_from([0, 300, HOLD]),
)
def test_head_gets_the_dense_gradients(kind: Any, rotary: bool, block: int, hold: int, **drawn_by: Any) -> None:
    case = drawn(**drawn_by)
    head, hidden = head_and_states(case, kind, rotary)
    with waiting(hold):
        found = by_head(case, head, hidden, block=block)
    for a, b in zip(found, by_scores(case, head, hidden), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-13)


def test_head_in_float32_keeps_its_digits() -> None:
    case = drawn(16, length=ROWS + 7)
    head, hidden = head_and_states(case, GlobalPointer)
    wanted = by_scores(case, head, hidden)
    found = by_head(case, head.float(), hidden.detach().float().requires_grad_())
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == torch.float32
        assert (a - b).norm() <= 2e-6 * b.norm()


@pytest.mark.parametrize("autocast", [True, False])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_head_in_half_precision(dtype: torch.dtype, autocast: bool) -> None:
    """The projection is; no further from float64 than the dense way; gradients in the dtype of what they are for."""
    case = drawn(17, length=40)
    head, hidden = head_and_states(case, GlobalPointer)
    exact = by_scores(case, head, hidden)
    own = torch.float32 if autocast else dtype
    head, hidden = head.to(own), hidden.detach().to(own).requires_grad_()
    with torch.autocast("cpu", dtype, enabled=autocast):
        found = by_head(case, head, hidden)
        plain = by_scores(case, head, hidden)
    assert [x.dtype for x in found] == [torch.float32] * 3 + [own] * 3
    for a, b, c in zip(found, plain, exact, strict=True):
        assert (a - c).norm() <= max(1.5 * (b.double() - c).norm(), 2e-6 * c.norm())
        assert (a - c).norm() <= 8 * torch.finfo(dtype).eps * c.norm()
    assert (found[3] - exact[3]).norm() > 0.1 * torch.finfo(dtype).eps * exact[3].norm()  # no float32 in disguise


def test_head_leaves_alone_what_is_frozen() -> None:
    case = drawn(18)
    head, hidden = head_and_states(case, GlobalPointer)
    names = ("hidden", "weight", "bias")
    everything = dict(zip(names, by_head(case, head, hidden)[3:], strict=True))
    for wanted in names:
        leaves = {"hidden": hidden.detach().clone(), **dict(head.projection.named_parameters())}
        for name, leaf in leaves.items():
            leaf.grad = None
            leaf.requires_grad_(name == wanted)
        found = tiled_head_loss(
            head, leaves["hidden"], case["positives"], attention_mask=case["real"], views=2, alpha=2.0
        )
        found.loss.backward()
        assert torch.equal(leaves[wanted].grad, everything[wanted])
        assert [name for name, leaf in leaves.items() if leaf.grad is not None] == [wanted]


@pytest.mark.parametrize("garbage", [math.nan, math.inf])
def test_head_reads_no_padding(garbage: float) -> None:
    for kind, mask in product((GlobalPointer, EfficientGlobalPointer), ("ragged", "holes")):
        case = drawn(19, batch=3, mask=mask)
        head, hidden = head_and_states(case, kind)
        wanted = by_head(case, head, hidden)
        padding = ~case["real"].repeat(2, 1)[..., None]
        found = by_head(case, head, hidden.detach().masked_fill(padding, garbage).requires_grad_())
        for a, b in zip(found, wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-14)


def test_head_gradients_scale_come_twice_and_have_no_own() -> None:
    case = drawn(20)
    head, hidden = head_and_states(case, GlobalPointer)
    once = by_head(case, head, hidden)[3]
    loss = tiled_head_loss(head, hidden, case["positives"], attention_mask=case["real"], views=2, alpha=2.0).loss
    loss.backward(retain_graph=True)
    loss.backward(retain_graph=True)
    hidden.grad *= 2
    (2 * loss).backward(retain_graph=True)
    torch.testing.assert_close(hidden.grad, 6 * once)
    (gradient,) = torch.autograd.grad(loss, hidden, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivatives"):
        gradient.square().sum().backward()


def test_head_refuses_what_does_not_fit() -> None:
    case = drawn(21, mask="full")
    head, hidden = head_and_states(case, GlobalPointer)
    none = torch.empty(0, 4, dtype=torch.long)
    for error, says, states, options in (
        (TypeError, "hidden_states must be floating point", hidden.long(), {}),
        (TypeError, "hidden_states are torch.float32 and the head is torch.float64", hidden.float(), {}),
        (ValueError, "hidden_states must have shape", hidden[..., :5], {}),
        (ValueError, "hidden_states must have shape", hidden[0], {}),
        (ValueError, "hidden_states must have shape", hidden[0, 0], {}),
        (ValueError, "even batch", hidden[:3], {"views": 2}),
        (ValueError, "attention_mask must have shape", hidden, {"views": 2, "attention_mask": torch.ones(4, 9)}),
        (ValueError, "views must be 1 or 2", hidden, {"views": 3}),
        (ValueError, "block must be positive", hidden, {"block": 0}),
    ):
        with pytest.raises(error, match=says):
            tiled_head_loss(head, states, none, **options)
    with pytest.raises(ValueError, match="ends before it starts"):
        tiled_head_loss(head, hidden, torch.tensor([[0, 0, 3, 2]]))
