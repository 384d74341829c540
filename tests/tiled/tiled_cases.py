"""Cases for the tests of the tiled functions, and the dense way in float64 that they are held against."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from gpkl_lib import rdrop_loss, span_mask, sparse_multilabel_cross_entropy
from gpkl_lib.consistency import ConsistencyLoss, two_views
from gpkl_lib.divergence import Activation
from gpkl_lib.tiled import BLOCK, HOLD, tiled_head_loss, tiled_span_loss

Case = dict[str, Any]


def dense(
    query: Tensor,
    key: Tensor,
    positives: Tensor,
    real: Tensor,
    views: int,
    alpha: float,
    activation: Activation = "sigmoid",
) -> ConsistencyLoss:
    """The same from all scores at once, by the library's own losses."""
    scores, mask = query @ key.mT, span_mask(real)
    scores = scores.masked_fill(~span_mask(real.repeat(views, 1)), torch.finfo(scores.dtype).min)

    def cross_entropy(logits: Tensor) -> Tensor:
        return sparse_multilabel_cross_entropy(logits, positives, class_dims=2, mask=mask)

    if views == 1:
        task = cross_entropy(scores)
        return ConsistencyLoss(task, task, torch.zeros_like(task))
    s, t = two_views(scores)
    return rdrop_loss(s, t, cross_entropy, alpha=alpha, activation=activation, class_dims=2, mask=mask)


def drawn(
    seed: int,
    views: int = 2,
    batch: int = 2,
    types: int = 3,
    length: int = 9,
    d: int = 4,
    scale: float = 1.0,
    share: float = 0.1,
    mask: str = "ragged",
) -> Case:
    """Random arguments: scores of size `scale`, a `share` of the spans positive, a mask of some kind."""
    generator = torch.Generator().manual_seed(seed)

    def normal() -> Tensor:
        x = torch.randn(views * batch, types, length, d, generator=generator, dtype=torch.float64)
        return x * (scale / d**0.5) ** 0.5

    ends = torch.randint(0, length + 1, (batch, 1), generator=generator)
    real = {
        "full": torch.ones(batch, length, dtype=torch.bool),
        "ragged": torch.arange(length) < ends,
        "holes": torch.rand(batch, length, generator=generator) < 0.6,
    }[mask]
    spans = span_mask(real).expand(batch, types, length, length)
    chosen = spans & (torch.rand(spans.shape, generator=generator) < share)
    positives = chosen.nonzero()
    order = torch.randperm(len(positives), generator=generator)
    return {"query": normal(), "key": normal(), "positives": positives[order], "real": real, "views": views}


@contextmanager
def waiting(hold: int) -> Iterator[None]:
    """Blocks wait for their normaliser where a group has up to `hold` scores; 0: never, all is summed as it comes."""
    with mock.patch("gpkl_lib.tiled.batch.HOLD", hold):
        yield


def both(
    case: Case,
    alpha: float,
    dtype: torch.dtype,
    block: int = BLOCK,
    hold: int = HOLD,
    activation: Activation = "sigmoid",
) -> tuple[list[Tensor], list[Tensor]]:
    """(loss, task, divergence, gradients of query and key): tiled in `dtype`, dense in float64 at the same inputs."""
    query, key = (case[name].to(dtype).requires_grad_() for name in ("query", "key"))
    exact_query, exact_key = (x.detach().double().requires_grad_() for x in (query, key))
    with waiting(hold):
        found = tiled_span_loss(
            query,
            key,
            case["positives"],
            attention_mask=case["real"],
            views=case["views"],
            alpha=alpha,
            activation=activation,
            block=block,
        )
    wanted = dense(exact_query, exact_key, case["positives"], case["real"], case["views"], alpha, activation)
    gradients = torch.autograd.grad(found.loss, (query, key))
    exact = torch.autograd.grad(wanted.loss, (exact_query, exact_key))
    assert all(gradient.dtype == dtype for gradient in gradients)
    return [*map(Tensor.detach, found), *gradients], [*map(Tensor.detach, wanted), *exact]


def check(found: list[Tensor], wanted: list[Tensor], tolerance: float) -> None:
    """Each value within `tolerance` of its size, each gradient within that of its length."""
    for name, a, b in zip(("loss", "task", "divergence", "query", "key"), found, wanted, strict=True):
        error = (a.double() - b).norm() / b.norm().clamp(min=1e-3)
        assert error <= tolerance, f"{name}: {error:.1e}, more than {tolerance:.0e}"


def head_and_states(case: Case, kind: Any, rotary: bool = True) -> tuple[Any, Tensor]:
    """A head for as many types as `case` has, and hidden states (V * B, L, 6) that want gradient."""
    torch.manual_seed(1)
    rows, types, length, _ = case["query"].shape
    head = kind(6, types, 4, rotary=rotary).double()
    return head, torch.randn(rows, length, 6, dtype=torch.float64, requires_grad=True)


def by_head(case: Case, head: Any, hidden: Tensor, **options: Any) -> list[Tensor]:
    """(loss, task, divergence, gradients of hidden states and parameters) of `tiled_head_loss`."""
    how = {"attention_mask": case["real"], "views": case["views"], "alpha": 2.0} | options
    found = tiled_head_loss(head, hidden, case["positives"], **how)
    return [*map(Tensor.detach, found), *torch.autograd.grad(found.loss, [hidden, *head.parameters()])]


def by_scores(case: Case, head: Any, hidden: Tensor) -> list[Tensor]:
    """The same in the dense way."""
    query, key = head.project(hidden, case["real"].repeat(case["views"], 1))
    wanted = dense(query, key, case["positives"], case["real"], case["views"], 2.0)
    return [*map(Tensor.detach, wanted), *torch.autograd.grad(wanted.loss, [hidden, *head.parameters()])]
