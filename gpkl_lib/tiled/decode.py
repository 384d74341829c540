"""Which cells of a board score above a threshold, and how high, without the board."""

from __future__ import annotations

import torch
from torch import Tensor

from gpkl_lib.global_pointer import token_mask
from gpkl_lib.tiled.checks import check_projection
from gpkl_lib.tiled.groups import BLOCK, groups_of


def cells_above(
    query: Tensor,
    key: Tensor,
    *,
    attention_mask: Tensor | None = None,
    threshold: float = 0.0,
    max_length: int | None = None,
    block: int = BLOCK,
) -> tuple[Tensor, Tensor]:
    """The spans with scores above `threshold`, and these scores, without L x L of them.

    Args:
        query, key: (B, H, L, d), scores being q_i . k_j.
        attention_mask: (B, L), True or 1 for a real token; None if all are.
        threshold: 0 is what the multi-label cross-entropy trains for.
        max_length: tokens of the longest span to look at, so that the work grows as L * max_length; None for any.
        block: largest number of scores to compute at a time (at least one row of one type is).

    Returns:
        int64 (N, 4): sentence, type, start, end, `end` the LAST token; in no order. And their scores (N,), in the
        dtype of query and key: half precision is multiplied as the heads do it.

    Raises:
        TypeError: query or key not floating point, or of two dtypes.
        ValueError: shapes that do not fit, block or max_length below 1, NaN as the score of a span.

    Example:
        >>> query, key = torch.randn(2, 1, 3, 50, 8)  # one sentence of 50 tokens, three types
        >>> cells, scores = cells_above(query, key, threshold=5.0)
        >>> torch.equal(cells, ((query @ key.mT > 5) & span_mask(torch.ones(1, 50))).nonzero())
        True
    """
    batch = check_projection(query, key, 1, 0.0, block)
    if max_length is not None and max_length < 1:
        raise ValueError(f"max_length must be None or at least 1, got {max_length}")
    real = token_mask(attention_mask, (batch, query.shape[2]), query.device)
    groups, rows = groups_of(real, query.shape[1], 1, block, 0)
    found, values = [torch.empty(0, 4, dtype=torch.long, device=query.device)], [query.new_empty(0)]
    for group in groups:
        part = (group.index(), slice(group.first, group.last), slice(group.n))
        q, k, valid = query[part], key[part], real[group.sentences, : group.n]
        sentences = torch.tensor(group.sentences, device=query.device)
        for start in range(0, group.n, rows):
            last = None if max_length is None else start + rows + max_length - 1  # column of the block's last row
            scores = torch.matmul(q[:, :, start : start + rows], k[:, :, start:last].mT)
            span = (valid[:, start : start + rows, None] & valid[:, None, start:last]).triu()[:, None]
            if max_length is not None:
                span = span.tril(max_length - 1)
            if (scores.isnan() & span).any():
                raise ValueError("scores hold NaN; the model has diverged or a mask is missing")
            b, h, i, j = ((scores > threshold) & span).nonzero().unbind(1)
            found.append(torch.stack([sentences[b], h + group.first, i + start, j + start], 1))
            values.append(scores[b, h, i, j])
    return torch.cat(found), torch.cat(values)
