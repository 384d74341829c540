"""The tiled losses as citizens of autograd: accumulation, scaling, autocast, second derivatives, processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import shared_gradients
import torch
from tiled_cases import drawn
from torch import Tensor

from gpkl_lib import GlobalPointer
from gpkl_lib.tiled import tiled_head_loss, tiled_span_loss, tiled_symmetric_kl


def test_gradients_accumulate_scale_and_come_twice() -> None:
    case = drawn(8)
    query, key = case["query"].requires_grad_(), case["key"].requires_grad_()

    def loss() -> Tensor:
        return tiled_span_loss(query, key, case["positives"], attention_mask=case["real"], views=2, alpha=1.0).loss

    (once,) = torch.autograd.grad(loss(), query)
    kept = loss()
    kept.backward(retain_graph=True)
    kept.backward(retain_graph=True)  # what is now added to is no longer the loss's
    kept.backward()
    (3 * loss()).backward()
    torch.testing.assert_close(query.grad, 6 * once)


def test_only_what_wants_gradient_gets_it() -> None:
    case = drawn(9)
    query = case["query"].requires_grad_()
    found = tiled_span_loss(query, case["key"], case["positives"], attention_mask=case["real"], views=2)
    assert found.loss.requires_grad
    assert not found.task.requires_grad
    assert not found.divergence.requires_grad
    found.loss.backward()
    assert case["key"].grad is None
    with torch.no_grad():
        assert not tiled_span_loss(
            query, case["key"], case["positives"], attention_mask=case["real"], views=2
        ).loss.requires_grad


CASE, HEAD = drawn(10, length=6), GlobalPointer(4, 2, 4).double()


def by_span(x: Tensor) -> Tensor:
    return tiled_span_loss(x, CASE["key"], CASE["positives"], attention_mask=CASE["real"], views=2).loss


def by_head(x: Tensor) -> Tensor:
    return tiled_head_loss(HEAD, x.flatten(0, 1), torch.tensor([[0, 0, 1, 2]]), views=2, alpha=1.0).loss


def by_target(x: Tensor) -> Tensor:
    return tiled_symmetric_kl(x, x.detach() + 1, x.detach(), x.detach())


WAYS = pytest.mark.parametrize("way", [by_span, by_head, by_target])
Loss = Callable[[Tensor], Tensor]


def penalty(way: Loss, x: Tensor) -> None:
    x = x.clone().requires_grad_()
    loss = way(x)
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
    (loss + gradient.square().sum()).backward()


def twice(way: Loss, x: Tensor) -> None:
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(way(x), x, create_graph=True)
    torch.autograd.grad(gradient.sum(), x, allow_unused=True)


@WAYS
@pytest.mark.parametrize(
    "second",
    [
        penalty,
        twice,
        torch.autograd.functional.hessian,
        lambda way, x: torch.autograd.functional.hvp(way, x, x),
        lambda way, x: torch.autograd.functional.jvp(way, x, x),
    ],
    ids=["penalty", "twice", "hessian", "hvp", "jvp"],
)
def test_second_derivatives_are_refused(second: Callable[[Loss, Tensor], object], way: Loss) -> None:
    """They would silently be 0: the gradient is not recorded."""
    with pytest.raises(RuntimeError, match=r"the tiled loss has no second derivatives: .* take the scores of the head"):
        second(way, CASE["query"])


def forward_mode(way: Loss, x: Tensor) -> None:
    with torch.autograd.forward_ad.dual_level():
        way(torch.autograd.forward_ad.make_dual(x, x))


@WAYS
@pytest.mark.parametrize(
    "transform",
    [
        forward_mode,
        lambda way, x: torch.func.grad(way)(x),
        lambda way, x: torch.func.vjp(way, x),
        lambda way, x: torch.func.jvp(way, (x,), (x,)),
        lambda way, x: torch.func.hessian(way)(x),
        lambda way, x: torch.func.vmap(way)(torch.stack([x, x])),
    ],
    ids=["forward_mode", "grad", "vjp", "jvp", "hessian", "vmap"],
)
def test_transforms_are_refused(transform: Callable[[Loss, Tensor], object], way: Loss) -> None:
    with pytest.raises(
        RuntimeError, match=r"the tiled loss takes no transform of torch\.func .* Use loss\.backward\(\)"
    ):
        transform(way, CASE["query"])


@WAYS
def test_a_batch_of_gradients(way: Loss) -> None:
    x = CASE["query"].clone().requires_grad_()
    factors = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    (found,) = torch.autograd.grad(way(x), x, factors, is_grads_batched=True)
    (once,) = torch.autograd.grad(way(x), x)
    torch.testing.assert_close(found, factors.view(3, 1, 1, 1, 1) * once)


def test_autocast_changes_nothing_inside() -> None:
    case = drawn(11)
    query, key = case["query"].float(), case["key"].float()
    plain = tiled_span_loss(query, key, case["positives"], attention_mask=case["real"], views=2, alpha=1.0)
    with torch.autocast("cpu", torch.bfloat16):
        found = tiled_span_loss(query, key, case["positives"], attention_mask=case["real"], views=2, alpha=1.0)
    assert torch.equal(found.loss, plain.loss)


def test_a_scaled_loss_saves_small_gradients_from_float16() -> None:
    """As it does in the dense way: what is below the smallest float16 is scaled before it is rounded."""
    case = drawn(22, batch=1, types=1, length=5, mask="full", share=0.0, scale=40.0)
    query, key = ((case[name].abs() * sign).half().requires_grad_() for name, sign in (("query", 1), ("key", -1)))

    def gradient(scale: float, dtype: torch.dtype) -> Tensor:
        q, k = (x.detach().to(dtype).requires_grad_() for x in (query, key))
        loss = tiled_span_loss(q, k, case["positives"], views=2, alpha=1.0).loss
        return torch.autograd.grad(scale * loss, q)[0].double() / scale

    exact = gradient(1.0, torch.float64)
    small = (exact.abs() > 2.0**-36) & (exact.abs() < 2.0**-26)
    assert small.any()
    assert (gradient(1.0, torch.float16)[small] == 0).all()
    torch.testing.assert_close(gradient(2.0**16, torch.float16)[small], exact[small], rtol=2.0**-6, atol=0)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this build of torch has no torch.distributed")
def test_several_processes_share_their_gradients(tmp_path: Path) -> None:
    """DistributedDataParallel over two processes: both end with the mean of the gradients of one process."""
    store = str(tmp_path / "store")
    command = [sys.executable, shared_gradients.__file__, "1", store]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as other:
        try:
            first = shared_gradients.together(0, store)
            told = other.communicate(timeout=300)[1]
        finally:
            other.kill()
    assert other.returncode == 0, told
    for a, b, c in zip(first, torch.load(f"{store}.1"), shared_gradients.alone(), strict=True):
        assert torch.equal(a, b)
        torch.testing.assert_close(a, c, rtol=1e-12, atol=1e-14)
