"""The boards of a group of sentences: their scores block by block, which of them are spans and which positives.

Notation: V views, S sides (the views, or one view and a fixed target), b sentences, g pairs of a sentence and a type,
n tokens, d features; a block is r rows of each board, tokens start to end, and m columns, from `start` on. Scores are
in bits, s / log 2: powers of two cost less than those of e.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from gpkl_lib.tiled.groups import Gold

LOG2 = math.log(2)
# Up to so many bits either way 2^s needs no running maximum. float32 is normal from 2^-126 to 2^128: the smallest
# number on the way is the square of 1 / (1 + 2^56), and sums of 2^56 over all spans stay far below the largest.
# Beyond them a probability is 0 or 1 to all its digits. float64 likewise.
SAFE_BITS = {torch.float32: 56, torch.float64: 400}
# The score of what is no span: finite, so that the difference of two of them is 0 and not NaN; and 2^s is 0.
NEGATIVE_FILL = {dtype: torch.finfo(dtype).min / 4 for dtype in SAFE_BITS}


class Block(NamedTuple):
    """Rows start to end and columns from `start` on; `positives` are cells of one view, its boards laid end to end."""

    start: int
    end: int
    positives: Tensor


class Boards:
    """Queries and keys of a group, whose products are its scores.

    Args:
        views: query and key of the views, each (V, g, n, d), contiguous, finite on padding; scores are q_i . k_j.
        target: those of a fixed target, each of g boards of n tokens, where d may be another; or None.
        real: boolean (b, n) of the sentences, True = a real token; None if all are.
        gold: the positives.
        rows: r, of all blocks but the last.

    Attributes:
        rescales: whether a score may leave SAFE_BITS, so that 2^s must be relative to a maximum.
    """

    def __init__(
        self,
        views: tuple[Tensor, Tensor],
        target: tuple[Tensor, Tensor] | None,
        real: Tensor | None,
        gold: Gold,
        rows: int,
    ) -> None:
        self.views, self.count, n, _ = views[0].shape
        self.query, self.key = (x.flatten(0, 1) for x in views)  # (V g, n, d)
        self.sides = [(self.query, self.key)]
        if target is not None:
            query, key = (x.flatten(0, -3) for x in target)
            self.sides.append((query, key))
        # A score is at most the longest query times the longest key.
        largest = max(float(q.norm(dim=-1).amax() * k.norm(dim=-1).amax()) for q, k in self.sides) / LOG2
        self.rescales = not largest <= SAFE_BITS[self.query.dtype]  # NaN needs it too
        edges = pairwise([*range(0, n, rows), n])
        self.blocks = [Block(start, end, gold.cells_of(at)) for at, (start, end) in enumerate(edges)]
        # The highest score that a cell may have, in the corner where a block meets the diagonal and by its two tokens.
        # A minimum with it costs a fraction of a masked fill.
        fill, size = NEGATIVE_FILL[self.query.dtype], min(rows, n)
        self.diagonal_ceiling = self.query.new_full((size, size), fill).tril_(-1)
        self.diagonal_ceiling += self.query.new_full((size, size), math.inf).triu_()
        self.token_ceiling = None if real is None else self.query.new_full(real.shape, math.inf)
        if real is not None and self.token_ceiling is not None:
            self.token_ceiling.masked_fill_(~real, fill)

    def shape(self, block: Block) -> tuple[int, int, int, int]:
        """(S, g, r, m)."""
        n = self.query.shape[1]
        return self.views + len(self.sides) - 1, self.count, block.end - block.start, n - block.start

    def score(self, block: Block, scores: Tensor) -> Tensor:
        """Compute the scores (S, g, r, m) of a block, NEGATIVE_FILL below the diagonal and on padding, on all sides."""
        done = 0
        for query, key in self.sides:
            query, key = query[:, block.start : block.end], key[:, block.start :]
            part = scores.flatten(0, 1)[done : done + len(query)]
            torch.baddbmm(part, query, key.mT, beta=0, alpha=1 / LOG2, out=part)
            done += len(query)
        r = block.end - block.start
        diagonal = self.diagonal_ceiling[:r, :r]
        if self.token_ceiling is None:
            corner = scores[..., :r]  # all the rest is above the diagonal
            torch.minimum(corner, diagonal, out=corner)
            return scores
        rows = self.token_ceiling[:, None, block.start : block.end, None]
        ceiling = torch.minimum(rows, self.token_ceiling[:, None, None, block.start :])
        torch.minimum(ceiling[..., :r], diagonal, out=ceiling[..., :r])
        by_sentence = scores.view(len(scores), len(ceiling), -1, *scores.shape[2:])
        torch.minimum(by_sentence, ceiling, out=by_sentence)
        return scores

    def fill_positives(self, x: Tensor, block: Block, value: float) -> None:
        """Put `value` where the positives of a block are, in all views of `x` alike."""
        if len(block.positives):
            x.view(len(x), -1).index_fill_(1, block.positives, value)
