"""Which cells of a board score above a threshold, without the board."""

from __future__ import annotations

import torch
from torch import Tensor

from gpkl_lib.global_pointer import token_mask
from gpkl_lib.tiled.checks import check_projection
from gpkl_lib.tiled.groups import BLOCK, groups_of


def cells_above(
    query: Tensor, key: Tensor, *, attention_mask: Tensor | None = None, threshold: float = 0.0, block: int = BLOCK
) -> Tensor:
    """The spans with scores above `threshold`, without L x L scores.

    Args:
        query, key: (B, H, L, d), scores being q_i . k_j.
        attention_mask: (B, L), True or 1 for a real token; None if all are.
        threshold: 0 is what the multi-label cross-entropy trains for.
        block: largest number of scores to compute at a time (at least one row of one type is).

    Returns:
        int64 (N, 4): sentence, type, start, end, `end` the LAST token; in no order. Half precision is multiplied as
        the heads do it.

    Raises:
        TypeError: query or key not floating point, or of two dtypes.
        ValueError: shapes that do not fit, block below 1, NaN as the score of a span.
    """
    batch = check_projection(query, key, 1, 0.0, block)
    real = token_mask(attention_mask, (batch, query.shape[2]), query.device)
    groups, rows = groups_of(real, query.shape[1], 1, block)
    found = [torch.empty(0, 4, dtype=torch.long, device=query.device)]
    for group in groups:
        part = (group.index(), slice(group.first, group.last), slice(group.n))
        q, k, valid = query[part], key[part], real[group.sentences, : group.n]
        sentences = torch.tensor(group.sentences, device=query.device)
        for start in range(0, group.n, rows):
            scores = torch.matmul(q[:, :, start : start + rows], k[:, :, start:].mT)
            span = (valid[:, start : start + rows, None] & valid[:, None, start:]).triu()[:, None]
            if (scores.isnan() & span).any():
                raise ValueError("scores hold NaN; the model has diverged or a mask is missing")
            b, h, i, j = ((scores > threshold) & span).nonzero().unbind(1)
            found.append(torch.stack([sentences[b], h + group.first, i + start, j + start], 1))
    return torch.cat(found)
