"""The walk over blocks of scores behind `gpkl_lib.tiled`: loss and gradients of a group of sentences in one pass.

Notation: V views, b sentences, h types, P = V * b * h boards, n tokens, d features; a block is r rows of each board,
tokens start to end, and m columns, from `start` on. Scores are in bits, s / log 2: powers of two cost less than those
of e.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gpkl_lib.tiled.groups import Gold
from gpkl_lib.tiled.workspace import Buffers

LOG2 = math.log(2)
LIMIT = {torch.float32: 56, torch.float64: 400}  # bits: 2^s and sums of it are far from overflow, 2^-s from underflow
NOWHERE = {dtype: torch.finfo(dtype).min / 4 for dtype in LIMIT}  # the score of what is no span: 2^s is 0, s - t no NaN
LEAST = 1e-30  # weights below are lost in rounding, and one over them may be infinite


class Held(NamedTuple):
    """A block that waits for the denominator: its rows, 2^(s - maximum) of its negatives, dD/ds and dD/dt."""

    start: int
    end: int
    negatives: Tensor
    slope: Tensor | None
    maximum: Tensor


class Walk:
    """One group of sentences: its sums over all spans and their gradients, from one pass over its blocks.

    The cross-entropy's gradient is e^s / (1 + sum e^s), and the denominator is known only after the last block. A group
    of few scores lets its blocks wait for it; then both losses send their weights through one pair of products. A group
    of many sums the numerators, relative to the running maximum, into queries and keys as they come, and divides at the
    end; the divergence's weights have no denominator and are summed apart, by two products more.

    Args:
        query, key: (V, b, h, n, d) of the group, scores being q_i . k_j; contiguous; what is padding is overwritten.
        real: boolean (b, n) of the sentences, True = a real token; None if all are.
        gold: where its positives are, which are no negatives.
        buffers: room for its blocks.
        rows: r, of all blocks but the last.
        hold: let the blocks wait.
        weights: of the cross-entropy and of the divergence in the loss.
        gradients: of query and key, each (P, n, d), to be filled with those of the weighted sum; none if not wanted.

    Attributes:
        cross_entropy, divergence: scalars in nats, sums over the group; the cross-entropy is that of the negatives.
    """

    def __init__(
        self,
        query: Tensor,
        key: Tensor,
        real: Tensor | None,
        gold: Gold,
        buffers: Buffers,
        rows: int,
        hold: bool,
        weights: tuple[float, float],
        gradients: list[Tensor],
    ) -> None:
        self.gold, self.buffers, self.hold, self.weights, self.gradients = gold, buffers, hold, weights, gradients
        self.views, n = len(query), query.shape[3]
        if real is not None:  # NaN on padding would reach every sum as 0 * NaN
            for x in (query, key):
                x.masked_fill_(~real[:, None, :, None], 0)
        self.q, self.k = query.flatten(0, 2), key.flatten(0, 2)
        self.maximum = self.q.new_zeros(len(self.q), 1, 1)  # running; not below the 0 of the threshold
        self.total = torch.zeros_like(self.maximum)  # sum of 2^(s - maximum) over the negatives so far
        self.divergence = self.q.new_zeros(())
        largest = self.q.norm(dim=-1).amax() * self.k.norm(dim=-1).amax() / LOG2  # no score is larger
        self.steep = not bool(largest <= LIMIT[self.q.dtype])
        size = min(rows, n)
        nowhere = NOWHERE[query.dtype]  # the highest score of what is no span; of a span it is inf
        self.corner = query.new_full((size, size), nowhere).tril_(-1) + query.new_full((size, size), math.inf).triu_()
        self.real = None if real is None else query.new_full(real.shape, math.inf).masked_fill_(~real, nowhere)
        starts = range(0, n, rows)
        blocks = [(start, min(start + rows, n), slice(*gold.edges[at : at + 2])) for at, start in enumerate(starts)]
        stored = len(self.q) * sum((end - start) * (n - start) for start, end, _ in blocks) if hold else 0
        self.store = buffers("store", (stored * (self.views + self.steep),))  # scores, slopes and, if steep, weights
        self.taken = 0  # of the store
        self.held = list[Held]()
        self.counts = self.views == 2 and weights[1] > LEAST and bool(gradients)  # the divergence, in the gradients
        self.slopes = [torch.empty_like(x) for x in gradients] if self.counts and not hold else []
        for block in reversed(blocks) if hold else blocks:
            self._block(*block)
        share = self._share()
        for held in reversed(self.held):  # the newest first: it is still in the cache
            self._release(held, share)
        self.cross_entropy = self._finish(share)
        self.divergence *= LOG2

    def _block(self, start: int, end: int, mine: slice) -> None:
        """Scores of rows start to end from column `start` on, and all that comes of them; `mine`: the positives."""
        q, k = self.q[:, start:end], self.k[:, start:]
        s = self._room("scores", (len(q), q.shape[1], k.shape[1]))
        torch.baddbmm(s, q, k.mT, beta=0, alpha=1 / LOG2, out=s)
        self._leave_spans(s, start, end)
        slope = None
        negatives = self._relative_to_maximum(s, start, mine) if self.steep else None
        if self.views == 2:
            slope = self._compare(s)
        elif negatives is None:
            s.exp2_()
        if negatives is None:
            negatives = self._exclude(s, mine, 0)
        self.total += negatives.sum((1, 2), keepdim=True)
        if not self.gradients:
            return
        if self.hold:
            self.held.append(Held(start, end, negatives, slope, self.maximum))
            return
        if slope is not None:
            self._accumulate(self.slopes, slope, start, end)
        self._accumulate(self.gradients, negatives, start, end)

    def _release(self, block: Held, share: Tensor) -> None:
        """The weights of a block that waited, of both losses at once, to its queries and keys."""
        if self.steep:
            share = share * torch.exp2(block.maximum - self.maximum)
        if block.slope is None:
            self._accumulate(self.gradients, block.negatives.mul_(share), block.start, block.end)
            return
        weight = self.weights[1]
        weights = block.slope.addcmul_(block.negatives, share / weight)
        self._accumulate(self.gradients, weights, block.start, block.end, weight)

    def _room(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Room for what a block makes: its own if it is to wait, else that of the block before."""
        if not self.hold:
            return self.buffers(name, shape)
        start, self.taken = self.taken, self.taken + math.prod(shape)
        return self.store[start : self.taken].view(shape)

    def _share(self) -> Tensor:
        """What 2^(s - maximum) is to be multiplied by: the cross-entropy's weight over 1 + sum e^s, (P, 1, 1)."""
        return self.weights[0] / (self.total + torch.exp2(-self.maximum))

    def _accumulate(self, sums: list[Tensor], weights: Tensor, start: int, end: int, scale: float = 1.0) -> None:
        """What weights (P, r, m), times `scale`, send to their queries and, added up, to their keys."""
        q, k = self.q[:, start:end], self.k[:, start:]
        by_query = self.buffers("sent", q.shape)  # a product into part of a tensor would be one call for each board
        sums[0][:, start:end] = torch.baddbmm(by_query, weights, k, beta=0, alpha=scale, out=by_query)
        by_key = self.buffers("sent", k.shape) if start else sums[1]
        torch.baddbmm(by_key, weights.mT, q, beta=0, alpha=scale, out=by_key)
        if start:
            sums[1][:, start:] += by_key

    def _leave_spans(self, s: Tensor, start: int, end: int) -> None:
        """Scores below the diagonal and on padding become NOWHERE, in both views alike."""
        r = end - start
        if self.real is None:
            highest, s = self.corner[:r, :r], s[..., :r]
        else:
            highest = torch.minimum(self.real[:, None, start:end, None], self.real[:, None, None, start:])
            torch.minimum(highest[..., :r], self.corner[:r, :r], out=highest[..., :r])
            s = s.view(self.views, len(highest), -1, *s.shape[1:])
        torch.minimum(s, highest, out=s)

    def _exclude(self, x: Tensor, mine: slice, value: float) -> Tensor:
        """Put `value` where the positives are, which are no negatives."""
        if mine.stop > mine.start:
            x.view(self.views, -1).index_fill_(1, self.gold.cell[mine], value)
        return x

    def _relative_to_maximum(self, s: Tensor, start: int, mine: slice) -> Tensor:
        """2^(s - maximum) of the negatives, the maximum raised if it must be and what was summed rescaled to it."""
        weights = self._exclude(self._room("weights", s.shape).copy_(s), mine, NOWHERE[s.dtype])
        maximum = torch.maximum(self.maximum, weights.amax((1, 2), keepdim=True))
        scale = (self.maximum - maximum).exp2_()
        self.maximum = maximum
        self.total *= scale
        if self.gradients and start and not self.hold:
            by_query, by_key = self.gradients
            by_query[:, :start] *= scale
            by_key *= scale
        return weights.sub_(maximum).exp2_()

    def _compare(self, s: Tensor) -> Tensor | None:
        """The divergence of the two views; returns dD/ds and dD/dt, if wanted; leaves 2^s (up to LIMIT) in `s`.

        With odds e^s, p' = 1 / (1 + e^s), p = e^s p' (q, q' from t) and u = s - t:  p - q = (e^s - e^t) p' q',
        D = (p - q) u,  dD/ds = (p - q) + p p' u,  dD/dt = -((p - q) + q q' u). The difference of close odds keeps all
        the digits that the scores, sums of d rounded products, have to give.
        """
        odds = s.view(-1)
        shape, (a, b) = odds.shape, odds.chunk(2)
        u = torch.sub(a, b, out=self.buffers("u", a.shape))
        if self.steep:
            odds.clamp_(-LIMIT[s.dtype], LIMIT[s.dtype])
        odds.exp2_()
        difference = torch.sub(a, b, out=self.buffers("difference", a.shape))
        no = torch.add(odds, 1, out=self.buffers("no", shape)).reciprocal_()
        first, second = no.chunk(2)
        difference.mul_(first).mul_(second)
        if not self.counts:
            self.divergence += u.mul_(difference).sum()
            return None
        no.mul_(no).mul_(odds)
        slope = self._room("slope", shape)
        by_s, by_t = slope.chunk(2)
        torch.addcmul(difference, first, u, value=LOG2, out=by_s)
        torch.addcmul(difference, second, u, value=LOG2, out=by_t).neg_()
        self.divergence += u.mul_(difference).sum()
        return slope.view(s.shape)

    def _finish(self, share: Tensor) -> Tensor:
        """The cross-entropy of the negatives; the gradients get their denominator if they were summed without."""
        if self.gradients and not self.hold:
            for total in self.gradients:
                total *= share
            for total, slope in zip(self.gradients, self.slopes, strict=False):
                total.add_(slope, alpha=self.weights[1])
        nats = self.maximum * LOG2
        return (nats + torch.log1p(self.total + torch.expm1(-nats))).sum()
