"""One pass over the blocks of scores of a group of sentences: its losses and their gradients.

Notation: P boards, n tokens, d features; a block is (P, r, m), its scores in bits (`gpkl_lib.tiled.boards`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gpkl_lib.tiled.boards import LOG2, NEGATIVE_FILL, SAFE_BITS, Block, Boards
from gpkl_lib.tiled.workspace import Workspace

NEGLIGIBLE = 1e-30  # a weight below it is lost in rounding, and one over it may be infinite


class GroupSums(NamedTuple):
    """Sums over all boards of a group, scalars in nats: log(1 + sum e^s) over the negatives, and the divergence."""

    negative_term: Tensor
    divergence: Tensor


class BlockWeights(NamedTuple):
    """What a block sends to its queries and keys, each (P, r, m).

    `exponentials` are 2^(s - maximum) of its negatives, `maximum` being the running one when it was added;
    `derivative` is that of the divergence by its scores, None if it has no part in the gradients.
    """

    block: Block
    exponentials: Tensor
    maximum: Tensor
    derivative: Tensor | None


def group_pass(
    boards: Boards, weights: tuple[float, float], gradients: list[Tensor], hold: bool, workspace: Workspace
) -> GroupSums:
    """Sum both losses over all spans of a group, and fill their gradients; every score is computed once.

    Args:
        boards: of the group.
        weights: of the cross-entropy and of the divergence in the loss.
        gradients: of query and key, each (V, g, n, d), to be filled with those of the weighted sum; none if not wanted.
        hold: whether blocks wait for the normaliser.
        workspace: memory for the blocks.
    """
    sums = RunningSums(boards, weights, gradients, hold, workspace)
    # The gradient of log(1 + sum e^s) is e^s / (1 + sum e^s), whose normaliser is known only after the last block.
    if hold:
        # Few scores: all blocks wait for it, and the weights of both losses go through one pair of products. Released
        # newest first, while it is in the cache; and the first block first, as `accumulate` wants it: it is added last.
        held = [sums.add(block) for block in reversed(boards.blocks)]
        if gradients:
            factor = sums.softmax_factor()
            for found in reversed(held):
                sums.release(found, factor)
    else:
        # Many: exponentials go into the gradients as they come, relative to the running maximum, and the normaliser
        # divides at the end. The divergence has none and is summed apart, by two products more.
        for block in boards.blocks:
            found = sums.add(block)
            if gradients:
                sums.stream(found)
        if gradients:
            sums.normalise()
    return sums.totals()


class RunningSums:
    """The sums over the blocks added so far, all that is exponential relative to a running maximum of each board.

    Attributes:
        maximum: (P, 1, 1), in bits, of the negatives and of the threshold's 0; it stays 0 unless `rescales`.
        total: (P, 1, 1), the sum of 2^(s - maximum) over the negatives.
        divergence: scalar, in bits.
        gradients: of query and key, each (P, n, d), or none.
        divergence_gradients: the divergence's where it is summed apart, else none.
        rescales: whether scores may be so large that 2^s is relative to a maximum.
    """

    def __init__(
        self, boards: Boards, weights: tuple[float, float], gradients: list[Tensor], hold: bool, workspace: Workspace
    ) -> None:
        self.boards, self.weights, self.hold, self.workspace = boards, weights, hold, workspace
        self.maximum = boards.query.new_zeros(len(boards.query), 1, 1)
        self.total = torch.zeros_like(self.maximum)
        self.divergence = boards.query.new_zeros(())
        self.gradients = [x.flatten(0, 1) for x in gradients]
        self.differentiates_divergence = boards.views == 2 and weights[1] > NEGLIGIBLE and bool(gradients)
        apart = self.differentiates_divergence and not hold
        self.divergence_gradients = [torch.empty_like(x) for x in self.gradients] if apart else []
        self.rescales = boards.need_rescaling()
        # What is held of a cell: its score, of two views a derivative, and where the score is kept an exponential.
        cells = sum(math.prod(boards.shape(block)) for block in boards.blocks) if hold else 0
        self.held_memory = workspace.empty("held", (cells * (boards.views + self.rescales),))
        self.held = 0  # numbers of it that are taken

    def add(self, block: Block) -> BlockWeights:
        """Add a block to the sums; return the weights of its queries and keys in the gradients."""
        scores = self._empty("scores", self.boards.shape(block))
        self.boards.score(block, scores)
        exponentials = self.rescaled_exponentials(scores, block) if self.rescales else scores
        derivative = self.compare_views(scores) if self.boards.views == 2 else None
        if not self.rescales:
            if self.boards.views == 1:  # of two views they have been computed
                exponentials.exp2_()
            self.boards.fill_positives(exponentials, block, 0)
        self.total += exponentials.sum((1, 2), keepdim=True)
        return BlockWeights(block, exponentials, self.maximum, derivative)

    def rescaled_exponentials(self, scores: Tensor, block: Block) -> Tensor:
        """2^(s - maximum) of the negatives, the maximum raised if need be and what was summed rescaled to it."""
        x = self._empty("exponentials", scores.shape).copy_(scores)
        self.boards.fill_positives(x, block, NEGATIVE_FILL[x.dtype])  # before the maximum, which is of negatives
        maximum = torch.maximum(self.maximum, x.amax((1, 2), keepdim=True))
        scale = (self.maximum - maximum).exp2_()
        self.maximum = maximum
        self.total *= scale
        if self.gradients and block.start and not self.hold:  # the weights that are held are rescaled on release
            by_query, by_key = self.gradients
            by_query[:, : block.start] *= scale
            by_key *= scale
        return x.sub_(maximum).exp2_()

    def compare_views(self, scores: Tensor) -> Tensor | None:
        """Add the divergence of two views; return its derivatives by s and t, if wanted; leave 2^s in `scores`.

        With odds e^s, p' = 1 / (1 + e^s), p = e^s p' (q, q' from t) and u = s - t:  p - q = (e^s - e^t) p' q',
        D = (p - q) u,  dD/ds = (p - q) + p p' u,  dD/dt = -((p - q) + q q' u). The difference of close odds keeps all
        the digits that the scores, sums of d rounded products, have to give.
        """
        odds = scores.view(-1)
        shape, (s, t) = odds.shape, odds.chunk(2)
        u = torch.sub(s, t, out=self.workspace.empty("u", s.shape))
        if self.rescales:
            odds.clamp_(-SAFE_BITS[odds.dtype], SAFE_BITS[odds.dtype])
        odds.exp2_()  # of s and t, which are parts of it
        difference = torch.sub(s, t, out=self.workspace.empty("difference", s.shape))
        complement = torch.add(odds, 1, out=self.workspace.empty("complement", shape)).reciprocal_()  # p' and q'
        first, second = complement.chunk(2)
        difference.mul_(first).mul_(second)
        if not self.differentiates_divergence:
            self.divergence += u.mul_(difference).sum()
            return None
        complement.mul_(complement).mul_(odds)  # p p' and q q'
        derivative = self._empty("derivative", shape)
        by_s, by_t = derivative.chunk(2)
        torch.addcmul(difference, first, u, value=LOG2, out=by_s)
        torch.addcmul(difference, second, u, value=LOG2, out=by_t).neg_()
        self.divergence += u.mul_(difference).sum()
        return derivative.view(scores.shape)

    def softmax_factor(self) -> Tensor:
        """The factor of 2^(s - maximum) in the gradient: the cross-entropy's weight over its normaliser, (P, 1, 1)."""
        return self.weights[0] / (self.total + torch.exp2(-self.maximum))

    def release(self, held: BlockWeights, factor: Tensor) -> None:
        """Send the weights of a block that waited, of both losses at once, to its queries and keys."""
        if self.rescales:
            factor = factor * torch.exp2(held.maximum - self.maximum)
        if held.derivative is None:
            self.accumulate(self.gradients, held.block, held.exponentials.mul_(factor))
            return
        weight = self.weights[1]  # times all at the end: one pass over the block instead of two
        weights = held.derivative.addcmul_(held.exponentials, factor / weight)
        self.accumulate(self.gradients, held.block, weights, weight)

    def stream(self, found: BlockWeights) -> None:
        """Send the weights of a block to its queries and keys, those of the two losses apart, as they are."""
        if found.derivative is not None:
            self.accumulate(self.divergence_gradients, found.block, found.derivative)
        self.accumulate(self.gradients, found.block, found.exponentials)

    def normalise(self) -> None:
        """Make what was streamed the gradients of the weighted sum."""
        factor = self.softmax_factor()
        for gradient in self.gradients:
            gradient *= factor
        for gradient, of_divergence in zip(self.gradients, self.divergence_gradients, strict=False):
            gradient.add_(of_divergence, alpha=self.weights[1])

    def accumulate(self, gradients: list[Tensor], block: Block, weights: Tensor, scale: float = 1.0) -> None:
        """Add to the gradients what weights (P, r, m), times `scale`, send to queries and keys; first block first.

        No two blocks share a query. The first block meets all keys: its product begins their sum.
        """
        query, key = self.boards.query[:, block.start : block.end], self.boards.key[:, block.start :]
        by_query, by_key = gradients
        # A product never goes into part of a tensor, which would be one call for each board.
        product = self.workspace.empty("product", query.shape)
        by_query[:, block.start : block.end] = torch.baddbmm(product, weights, key, beta=0, alpha=scale, out=product)
        product = self.workspace.empty("product", key.shape) if block.start else by_key
        torch.baddbmm(product, weights.mT, query, beta=0, alpha=scale, out=product)
        if block.start:
            by_key[:, block.start :] += product

    def totals(self) -> GroupSums:
        """The two sums, when all blocks are in."""
        maximum = self.maximum * LOG2
        negative_term = (maximum + torch.log1p(self.total + torch.expm1(-maximum))).sum()
        return GroupSums(negative_term, self.divergence * LOG2)

    def _empty(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Memory for what a block makes: its own if it is held, else that of the block before."""
        if not self.hold:
            return self.workspace.empty(name, shape)
        start, self.held = self.held, self.held + math.prod(shape)
        return self.held_memory[start : self.held].view(shape)
