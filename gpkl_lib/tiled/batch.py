"""One pass over the groups of a batch: task and divergence, and the gradients of the loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gpkl_lib.tiled.boards import LOG2, Boards
from gpkl_lib.tiled.divergences import Divergence
from gpkl_lib.tiled.groups import Gold, gold_of, groups_of
from gpkl_lib.tiled.kernel import NEGLIGIBLE, Weights, group_pass
from gpkl_lib.tiled.sources import ProjectedSource, Source
from gpkl_lib.tiled.workspace import Workspace

HOLD = 12 << 20  # scores that may wait for their normaliser instead of being computed twice: 48 MiB of float32


class Loss(NamedTuple):
    """What is summed, and how much of it counts.

    Attributes:
        positives: int64 (P, 4), the gold cells; None for no cross-entropy.
        divergence: of the two sides, to be made for each group; None for none.
        weight: of the divergence in the loss, the cross-entropy being 1.
        released: a labelled cell takes part if the probability of its right decision is at most this.
    """

    positives: Tensor | None
    divergence: Callable[[Boards, bool, Workspace], Divergence] | None
    weight: float
    released: float = 1.0

    @property
    def floor(self) -> float:
        """The lowest score, in nats, of a negative that takes part; its negative is the highest of a positive."""
        return math.log1p(-self.released) - math.log(self.released) if self.released < 1 else -math.inf


class BatchSums(NamedTuple):
    """Scalars: task and divergence, means over sentences and types, in nats, and how many spans the latter counted."""

    task: Tensor
    divergence: Tensor
    counted: Tensor


def batch_pass(
    source: Source, target: ProjectedSource | None, real: Tensor, loss: Loss, block: int, differentiate: bool
) -> BatchSums:
    """Compute task and divergence, group by group, and hand the gradients of the loss to the source, if wanted."""
    batch, types, views = real.shape[0], source.types, source.views
    sides = views + (target is not None)
    groups, rows = groups_of(real, types, sides, block, HOLD)
    positives = torch.empty(0, 4, dtype=torch.long, device=real.device) if loss.positives is None else loss.positives
    golds = gold_of(groups, positives, (batch, types), rows)
    task = torch.zeros((), dtype=source.sum_dtype, device=real.device)
    divergence, counted = task.clone(), torch.zeros((), dtype=torch.long, device=real.device)
    workspace = Workspace.of_thread(task)
    mean = 1 / max(batch * types, 1)
    weights = Weights(0.0 if loss.positives is None else mean / views, mean * loss.weight)
    for group, gold in zip(groups, golds, strict=True):
        query, key = source.load(group, workspace)
        fixed = None if target is None else target.load(group, workspace)
        gradients = [workspace.empty(name, query.shape) for name in ("by query", "by key")] if differentiate else []
        q, k, *sums = (x.flatten(1, 2) for x in (query, key, *gradients))  # (V, g, n, d)
        padded = None if group.whole else real[group.sentences, : group.n]
        boards = Boards((q, k), fixed, padded, gold, rows)
        wanted = differentiate and weights.divergence > NEGLIGIBLE
        compare = None if loss.divergence is None else loss.divergence(boards, wanted, workspace)
        hold = group.scores(sides, rows) <= HOLD
        found = group_pass(boards, weights, sums, compare, hold, workspace, loss.floor / LOG2)
        if loss.positives is not None:
            task += (found + _positive_term(q, k, gold, sums, weights.task, loss.floor)) * weights.task
        if compare is not None:
            divergence += compare.total * mean
            counted += compare.counted
        if differentiate:
            source.add_gradients(group, gradients, workspace)
    return BatchSums(task, divergence, counted)


def _positive_term(
    query: Tensor, key: Tensor, gold: Gold, gradients: list[Tensor], weight: float, floor: float
) -> Tensor:
    """Sum log(1 + sum of e^-s over the positives) over all boards; add its gradients, weighted, to `gradients`.

    It needs no blocks: positives are few, and each score is one inner product. All tensors are (V, g, n, d). Positives
    with -s below `floor` take no part.
    """
    board, i, j = gold.board, gold.start, gold.end
    at_start, at_end = query[:, board, i], key[:, board, j]  # (V, number of positives, d)
    x = (at_start * at_end).sum(-1).neg_()
    x.masked_fill_(x < floor, -math.inf)
    maximum = x.new_zeros(query.shape[:2]).scatter_reduce_(1, board.expand(len(query), -1), x, "amax")
    total = torch.zeros_like(maximum).index_add_(1, board, (x - maximum[:, board]).exp())
    term = maximum + torch.log1p(total + torch.expm1(-maximum))
    by_score = (x - term[:, board]).exp()[..., None] * -weight
    view = torch.arange(len(query), device=query.device)[:, None]
    for gradient, other, token in zip(gradients, (at_end, at_start), (i, j), strict=False):
        gradient.index_put_((view, board, token), other * by_score, accumulate=True)
    return term.sum()
