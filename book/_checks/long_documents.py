"""The checks of the chapter "Long documents": each proves its object and meets the library or torch."""

from __future__ import annotations

import math

import torch
from torch.utils.flop_counter import FlopCounterMode

from gpkl_lib import span_mask, sparse_multilabel_cross_entropy
from gpkl_lib.chapters.formulas import long_documents as proofs
from gpkl_lib.derivations import Evaluator, equation
from gpkl_lib.explore.tiles import board_bytes, walk
from gpkl_lib.tiled import tiled_span_loss

Tensor = torch.Tensor


def scores(count: int, size: float, seed: int) -> Tensor:
    """That many normal scores of this size, float64."""
    draw = torch.Generator().manual_seed(seed)
    return size * torch.randn(count, generator=draw, dtype=torch.float64)


def boards() -> list[tuple[Tensor, Tensor, Tensor, int]]:
    """Queries and keys (1, 1, L, d), positives and a block size, from tame to scores of thousands."""
    made = []
    for seed, (length, size, block) in enumerate(((1, 1, 1), (7, 1, 3), (12, 5, 30), (12, 40, 5), (20, 1, 10_000))):
        q, k = scores(2 * length * 4, size**0.5, seed).view(2, 1, 1, length, 4)
        gold = torch.tensor([[0, 0, 0, length - 1]]) if seed % 2 else torch.zeros(0, 4, dtype=torch.long)
        made.append((q, k, gold, block))
    return made


def dense(q: Tensor, k: Tensor, gold: Tensor) -> Tensor:
    """The loss from all scores at once."""
    mask = span_mask(torch.ones(1, q.shape[2]))
    return sparse_multilabel_cross_entropy(q @ k.mT, gold, class_dims=2, mask=mask)


@equation("eq-tiles-bytes", shows=proofs.memory)
def memory() -> str:
    finding = proofs.memory.check()
    for batch, heads, length in ((1, 1, 1), (4, 10, 512), (3, 2, 77)):
        held = torch.empty(2, batch, heads, length, length, device="meta").nbytes
        assert held == board_bytes(batch, heads, length) == 4 * 2 * batch * heads * length**2
    return f"{finding}; a float32 tensor of torch has as many bytes"


@equation("eq-tiles-online", shows=proofs.online)
def online() -> str:
    finding, worst = f"{proofs.one_more.check()}; {proofs.online.check()}", 0.0
    for seed, size in enumerate((0.1, 3.0, 1000.0)):
        x = scores(45, size, seed)
        right = torch.logsumexp(torch.cat([x.new_zeros(1), x.clamp(-1000, 1000)]), 0).item()
        for rows in (1, 2, 4, 9):
            found = walk(x.clamp(-1000, 1000).tolist(), rows=rows, blocks=9).logsumexp
            worst = max(worst, abs(found - right) / max(1.0, abs(right)))
    assert worst < 1e-14
    return f"{finding}; the walk of Tiles within {worst:.0e} of torch.logsumexp"


@equation("eq-tiles-merge", shows=proofs.merge)
def merge() -> str:
    return f"{proofs.two_blocks.check()}; {proofs.merge.check()}"


@equation("eq-tiles-order", shows=proofs.order)
def order() -> str:
    finding, worst = proofs.order.check(), 0.0
    for seed in range(20):
        a, b, c = scores(3, 10.0, seed)
        left = torch.logaddexp(torch.logaddexp(a, b), c)
        worst = max(worst, (left - torch.logaddexp(a, torch.logaddexp(b, c))).abs().item())
    assert worst < 1e-13
    return f"{finding}; torch.logaddexp within {worst:.0e} either way round"


@equation("eq-tiles-gradient", shows=proofs.gradient.claim(0, -2))
def gradient() -> str:
    proof, worst = proofs.gradient.check(), 0.0
    evaluate = Evaluator(proofs.gradient.given)
    for point in proofs.gradient.points():
        keys = [float(x) for x in point.values[proofs.key]]
        if max(map(abs, keys)) > 100:  # float64 has no room
            continue
        length = len(keys)
        query = torch.zeros(1, 1, length, 1, dtype=torch.float64)
        query[..., 0, 0] = float(point.values[proofs.q])  # the first row meets all keys
        key = torch.tensor(keys, dtype=torch.float64)[None, None, :, None]
        query.requires_grad_()
        gold = torch.tensor([[0, 0, i, j] for i in range(1, length) for j in range(i, length)]).view(-1, 4)
        loss = tiled_span_loss(query, key, gold).loss
        found = torch.autograd.grad(loss, query)[0][0, 0, 0, 0].item()
        right = float(evaluate(proofs.gradient.steps[0].expr, point))
        worst = max(worst, abs(found - right) / max(1.0, abs(right)))
    assert 0 < worst < 1e-12
    return f"{proof}; the gradient of tiled_span_loss within {worst:.0e} of it"


@equation("eq-tiles-accumulator", shows=proofs.accumulator)
def accumulator() -> str:
    finding, worst = proofs.accumulator.check(), 0.0
    for q, k, gold, block in boards():
        a, b = (x.clone().requires_grad_() for x in (q, k))
        found = torch.autograd.grad(tiled_span_loss(a, b, gold, block=block).loss, (a, b))
        for one, right in zip(found, torch.autograd.grad(dense(a, b, gold), (a, b)), strict=True):
            worst = max(worst, ((one - right).norm() / right.norm().clamp(min=1e-300)).item())
    assert worst < 1e-12
    return f"{finding}; gradients by the library's blocks within a relative {worst:.0e} of the dense ones"


@equation("eq-tiles-cancel", shows=proofs.cancellation)
def cancellation() -> str:
    finding = proofs.cancellation.check()
    for a, b in ((2.0, 1.0), (15.0, 14.99999), (3.0, -20.0)):
        x, y = torch.tensor([a, b], dtype=torch.float64).requires_grad_().unbind()
        (slope,) = torch.autograd.grad(x + torch.log(-torch.expm1(y - x)), x)
        assert math.isclose(slope.item(), -1 / math.expm1(b - a), rel_tol=1e-9)
    return f"{finding}; autograd through the difference agrees"


@equation("eq-tiles-work", shows=proofs.products.claim(0, -1))
def products() -> str:
    proof = proofs.products.check()
    for length, rows in ((12, 1), (12, 3), (12, 12), (40, 8)):
        cells = sum((min(a + rows, length) - a) * (length - a) for a in range(0, length, rows))
        q, k = torch.zeros(2, 2 * 3, length, 5).unbind()
        with FlopCounterMode(display=False) as counter:
            for a in range(0, length, rows):
                torch.bmm(q[:, a : a + rows], k[:, a:].mT)
        assert counter.get_total_flops() == 2 * 2 * 3 * 5 * cells == 2 * 3 * 5 * length * (length + rows)
    return f"{proof}; torch counts as many"
