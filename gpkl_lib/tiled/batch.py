"""One pass over the groups of a batch: task and divergence, and the gradients of the loss."""

from __future__ import annotations

import torch
from torch import Tensor

from gpkl_lib.tiled.boards import Boards
from gpkl_lib.tiled.groups import Gold, gold_of, groups_of
from gpkl_lib.tiled.kernel import group_pass
from gpkl_lib.tiled.sources import Source
from gpkl_lib.tiled.workspace import Workspace

HOLD = 6 << 20  # scores that may wait for their normaliser: two half products a view less for 48 MiB


def batch_pass(
    source: Source, positives: Tensor, real: Tensor, views: int, alpha: float, block: int, differentiate: bool
) -> tuple[Tensor, Tensor]:
    """Compute task and divergence, group by group, and hand the gradients of the loss to the source, if wanted."""
    batch, types = real.shape[0], source.types
    groups, rows = groups_of(real, types, views, block)
    golds = gold_of(groups, positives, (batch, types), rows)
    task = torch.zeros((), dtype=source.sum_dtype, device=real.device)
    divergence = task.clone()
    workspace = Workspace.of_thread(task)
    mean = 1 / max(batch * types, 1)
    weights = mean / views, mean * alpha / 4
    for group, gold in zip(groups, golds, strict=True):
        query, key = source.load(group, workspace)
        gradients = [workspace.empty(name, query.shape) for name in ("by query", "by key")] if differentiate else []
        q, k, *sums = (x.flatten(1, 2) for x in (query, key, *gradients))  # (V, g, n, d)
        padded = None if group.whole else real[group.sentences, : group.n]
        hold = group.scores(views, rows) <= HOLD
        found = group_pass(Boards(q, k, padded, gold, rows), weights, sums, hold, workspace)
        task += (found.negative_term + _positive_term(q, k, gold, sums, weights[0])) * weights[0]
        divergence += found.divergence * mean
        if differentiate:
            source.add_gradients(group, gradients, workspace)
    return task, divergence


def _positive_term(query: Tensor, key: Tensor, gold: Gold, gradients: list[Tensor], weight: float) -> Tensor:
    """Sum log(1 + sum of e^-s over the positives) over all boards; add its gradients, weighted, to `gradients`.

    It needs no blocks: positives are few, and each score is one inner product. All arguments are (V, g, n, d).
    """
    board, i, j = gold.board, gold.start, gold.end
    at_start, at_end = query[:, board, i], key[:, board, j]  # (V, number of positives, d)
    x = (at_start * at_end).sum(-1).neg_()
    maximum = x.new_zeros(query.shape[:2]).scatter_reduce_(1, board.expand(len(query), -1), x, "amax")
    total = torch.zeros_like(maximum).index_add_(1, board, (x - maximum[:, board]).exp())
    term = maximum + torch.log1p(total + torch.expm1(-maximum))
    by_score = (x - term[:, board]).exp()[..., None] * -weight
    view = torch.arange(len(query), device=query.device)[:, None]
    for gradient, other, token in zip(gradients, (at_end, at_start), (i, j), strict=False):
        gradient.index_put_((view, board, token), other * by_score, accumulate=True)
    return term.sum()
