"""The passes over the blocks of scores of a group of sentences: its losses and their gradients.

Notation: V views, g boards of each, n tokens, d features; a block is (S, g, r, m), its scores in bits
(`gpkl_lib.tiled.boards`); of its S sides the first V are views, another one is a fixed target.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gpkl_lib.tiled.boards import LOG2, NEGATIVE_FILL, Block, Boards
from gpkl_lib.tiled.divergences import Divergence
from gpkl_lib.tiled.workspace import Workspace

NEGLIGIBLE = 1e-30  # a weight below it is lost in rounding, and one over it may be infinite


class Weights(NamedTuple):
    """What a sum over a group's boards counts in the loss: of the cross-entropy (0 for none), and of the divergence."""

    task: float
    divergence: float


def group_pass(
    boards: Boards,
    weights: Weights,
    gradients: list[Tensor],
    divergence: Divergence | None,
    hold: bool,
    workspace: Workspace,
    floor: float = -math.inf,
) -> Tensor:
    """Sum log(1 + sum e^s) over the negatives, for all boards of a group, and add up `divergence`; fill the gradients.

    The gradient of the logarithm is e^s / (1 + sum e^s), whose normaliser is known only after the last block. So every
    block is met twice, the scores being kept if there is room for them, else computed again.

    Args:
        boards: of the group.
        weights: of both in the loss.
        gradients: of query and key of the views, each (V, g, n, d), to be filled with those of the weighted sum; none
            if not wanted.
        divergence: of the two sides; None for one.
        hold: whether the scores of all blocks are kept.
        workspace: memory for the blocks.
        floor: in bits; negatives with lower scores take no part.

    Returns:
        The sum over the boards, a scalar in nats.

    Example:
        >>> from gpkl_lib.tiled.boards import Boards
        >>> from gpkl_lib.tiled.groups import Group, gold_of
        >>> from gpkl_lib.tiled.kernel import Weights
        >>> from gpkl_lib.tiled.workspace import Workspace
        >>> (gold,) = gold_of([Group([0], 0, 1, 3, True)], torch.zeros(0, 4).long(), (1, 1), 3)
        >>> boards = Boards((torch.zeros(1, 1, 3, 2), torch.zeros(1, 1, 3, 2)), None, None, gold, rows=3)
        >>> group_pass(boards, Weights(1.0, 0.0), [], None, True, Workspace(boards.query))  # log(1 + 6)
        tensor(1.9459)
    """
    sums = RunningSums(boards, weights, gradients, divergence, hold, workspace, floor)
    surveys = divergence.surveys if divergence else 0
    for number in range(max(surveys, weights.task > 0)):
        for block in reversed(boards.blocks):  # what was met last is still in the cache when all begins anew
            scores = sums.scores(block)
            if number == 0 and weights.task > 0:
                sums.add(block, scores)
            if divergence and number < surveys:
                divergence.survey(number, scores)
    if gradients or divergence:
        for block in boards.blocks:
            sums.release(block)
    return sums.negative_term()


class RunningSums:
    """The sums over the blocks added so far, all that is exponential relative to a running maximum of each board.

    Attributes:
        maximum: (V, g, 1, 1), in bits, of the negatives and of the threshold's 0; it stays 0 where none is needed.
        total: (V, g, 1, 1), the sum of 2^(s - maximum) over the negatives.
        gradients: of query and key, each (V g, n, d), or none.

    Example:
        >>> from gpkl_lib.tiled.boards import Boards
        >>> from gpkl_lib.tiled.groups import Group, gold_of
        >>> from gpkl_lib.tiled.kernel import Weights
        >>> from gpkl_lib.tiled.workspace import Workspace
        >>> (gold,) = gold_of([Group([0], 0, 1, 3, True)], torch.zeros(0, 4).long(), (1, 1), 3)
        >>> boards = Boards((torch.zeros(1, 1, 3, 2), torch.zeros(1, 1, 3, 2)), None, None, gold, rows=3)
        >>> sums = RunningSums(boards, Weights(1.0, 0.0), [], None, True, Workspace(boards.query), float("-inf"))
        >>> for block in boards.blocks:
        ...     sums.add(block, sums.scores(block))
        >>> sums.total.item()  # six spans of score 0
        6.0
    """

    def __init__(
        self,
        boards: Boards,
        weights: Weights,
        gradients: list[Tensor],
        divergence: Divergence | None,
        hold: bool,
        workspace: Workspace,
        floor: float,
    ) -> None:
        self.boards, self.weights, self.divergence = boards, weights, divergence
        self.workspace, self.floor = workspace, floor
        self.maximum = boards.query.new_zeros(boards.views, boards.count, 1, 1)
        self.total = torch.zeros_like(self.maximum)
        self.gradients = [x.flatten(0, 1) for x in gradients]
        self.hold, self.held = hold, dict[int, Tensor]()  # by where a block begins
        cells = sum(math.prod(boards.shape(block)) for block in boards.blocks) if hold else 0
        self.room = workspace.empty("held", (cells,))

    def scores(self, block: Block) -> Tensor:
        """The scores of a block, (S, g, r, m): those that were kept, else computed now."""
        if block.start in self.held:
            return self.held[block.start]
        shape = self.boards.shape(block)
        if not self.hold:
            return self.boards.score(block, self.workspace.empty("scores", shape))
        size = math.prod(shape)
        own, self.room = self.room[:size].view(shape), self.room[size:]
        self.held[block.start] = self.boards.score(block, own)
        return own

    def add(self, block: Block, scores: Tensor) -> None:
        """Add a block to the normalisers of its boards."""
        exponentials = self.exponentials(block, scores)  # first: the total is rescaled on the way
        self.total += exponentials.sum((2, 3), keepdim=True)

    def exponentials(self, block: Block, scores: Tensor) -> Tensor:
        """2^(s - maximum) of the negatives, the maximum raised if need be and what was summed rescaled to it."""
        scores = scores[: self.boards.views]
        x = self.workspace.empty("exponentials", scores.shape)
        if not self.boards.rescales:
            return self.leave_out(torch.exp2(scores, out=x), scores, block, 0)
        self.leave_out(x.copy_(scores), scores, block, NEGATIVE_FILL[x.dtype])  # before the maximum of the negatives
        maximum = torch.maximum(self.maximum, x.amax((2, 3), keepdim=True))
        self.total *= (self.maximum - maximum).exp2_()
        self.maximum = maximum
        return x.sub_(maximum).exp2_()

    def leave_out(self, x: Tensor, scores: Tensor, block: Block, value: float) -> Tensor:
        """Put `value` where no negative is that takes part."""
        self.boards.fill_positives(x, block, value)
        return x if self.floor == -math.inf else x.masked_fill_(scores < self.floor, value)

    def release(self, block: Block) -> None:
        """Add a block to the divergence, and send its weights, of both losses at once, to its queries and keys."""
        scores, weight = self.scores(block), self.weights.divergence
        labelled = self.weights.task > 0 and bool(self.gradients)
        exponentials = self.exponentials(block, scores) if labelled else scores
        derivatives = self.divergence.add(scores) if self.divergence else None
        factor = self.weights.task / (self.total + torch.exp2(-self.maximum))  # over 1 + sum e^s
        if derivatives is None:
            if labelled:
                self.accumulate(block, exponentials.mul_(factor), 1.0)
            return
        if labelled:  # the divergence's weight is for both, at the end: one pass over the block instead of two
            derivatives.addcmul_(exponentials, factor / weight)
        self.accumulate(block, derivatives, weight)

    def accumulate(self, block: Block, weights: Tensor, scale: float) -> None:
        """Add to the gradients what weights (V, g, r, m), times `scale`, send to queries and keys; first block first.

        No two blocks share a query. The first block meets all keys: its product begins their sum.
        """
        weights = weights.flatten(0, 1)
        query, key = self.boards.query[:, block.start : block.end], self.boards.key[:, block.start :]
        by_query, by_key = self.gradients
        # A product never goes into part of a tensor, which would be one call for each board.
        product = self.workspace.empty("product", query.shape)
        by_query[:, block.start : block.end] = torch.baddbmm(product, weights, key, beta=0, alpha=scale, out=product)
        product = self.workspace.empty("product", key.shape) if block.start else by_key
        torch.baddbmm(product, weights.mT, query, beta=0, alpha=scale, out=product)
        if block.start:
            by_key[:, block.start :] += product

    def negative_term(self) -> Tensor:
        """log(1 + sum e^s), summed over the boards, when all blocks are in."""
        maximum = self.maximum * LOG2
        return (maximum + torch.log1p(self.total + torch.expm1(-maximum))).sum()
