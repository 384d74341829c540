"""The walk over blocks of scores behind `gpkl_lib.tiled`: loss and gradients of a group of sentences in one pass.

Notation: V views, b sentences, h types, g = b * h pairs of the two, n tokens, d features; a block is r rows, tokens
start to end, and m columns, from `start` on. Scores are in bits, s / log 2: powers of two cost less than powers of e.
"""

from __future__ import annotations

import math
import threading
from typing import NamedTuple

import torch
from torch import Tensor

from gpkl_lib._plan import Gold

LOG2 = math.log(2)
LIMIT = {torch.float32: 56, torch.float64: 400}  # bits: 2^s and sums of it are far from overflow, 2^-s from underflow
LEAST = 1e-30  # weights below are lost in rounding, and one over them may be infinite


class Buffers:
    """Room for the blocks of a group, overwritten by those of the next; `like` has the device and dtype."""

    def __init__(self, like: Tensor) -> None:
        self.like, self.kept = like, dict[str, Tensor]()

    @classmethod
    def of(cls, like: Tensor) -> Buffers:
        """On the CPU those of the call before, in this thread: new memory would cost a page fault for each 4 KiB."""
        if like.device.type != "cpu":  # other devices' allocators keep memory themselves
            return cls(like)
        with torch.inference_mode(False):
            kept: dict[torch.dtype, Buffers] = vars(_OF_THREAD).setdefault("kept", {})
            return kept.setdefault(like.dtype, cls(torch.empty(0, dtype=like.dtype)))

    def __call__(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """A tensor of that shape that holds anything; what the name held before is gone."""
        size = math.prod(shape)
        if name not in self.kept or len(self.kept[name]) < size:
            with torch.inference_mode(False):
                self.kept[name] = self.like.new_empty(size)
        return self.kept[name][:size].view(shape)


_OF_THREAD = threading.local()


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
        query, key: (V, b, h, n, d) of the group, scores being q_i . k_j; g = b * h.
        real: boolean (b, n) of the sentences, True = a real token; None if all are.
        gold: where its positives are, which are no negatives.
        buffers: room for its blocks.
        rows: r, of all blocks but the last.
        hold: let the blocks wait.
        weights: of the cross-entropy and of the divergence in the loss.
        gradients: of query and key, each (V, g, n, d), to be filled with those of the weighted sum; None if not wanted.

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
        gradients: list[Tensor] | None,
    ) -> None:
        self.gold, self.buffers, self.hold, self.weights, self.gradients = gold, buffers, hold, weights, gradients
        views, b, h, n, d = query.shape
        g, dtype = b * h, buffers.like.dtype
        self.real = None if real is None else real.to(dtype)
        if real is not None:  # NaN on padding would reach every sum as 0 * NaN
            query, key = (x.masked_fill(~real[:, None, :, None], 0) for x in (query, key))
        self.q, self.k = buffers("query", (views, g, n, d)), buffers("key", (views, g, n, d))
        self.q.view(query.shape).copy_(query)
        self.k.view(key.shape).copy_(key)
        self.maximum = self.q.new_zeros(views, g, 1, 1)  # running; not below the 0 of the threshold
        self.total = torch.zeros_like(self.maximum)  # sum of 2^(s - maximum) over the negatives so far
        self.divergence = self.q.new_zeros(())
        largest = self.q.norm(dim=-1).amax() * self.k.norm(dim=-1).amax() / LOG2  # no score is larger
        self.steep = not bool(largest <= LIMIT[dtype])
        self.triangle = self.q.new_ones(min(rows, n), min(rows, n)).triu()
        self.held = list[Held]()
        stored = views * g * sum(min(rows, n - start) * (n - start) for start in range(0, n, rows)) if hold else 0
        self.store = buffers("store", (stored * (views + self.steep),))  # scores, slopes and, if steep, weights
        self.counts = views == 2 and weights[1] > LEAST and gradients is not None  # the divergence, in the gradients
        self.slopes = [torch.empty_like(x) for x in gradients] if gradients and self.counts and not hold else None
        for number, start in enumerate(range(0, n, rows)):
            self._block(start, min(start + rows, n), slice(*gold.edges[number : number + 2]))
        for block in self.held:
            self._release(block)
        self.cross_entropy = self._finish()

    def _block(self, start: int, end: int, mine: slice) -> None:
        """Scores of rows start to end from column `start` on, and all that comes of them; `mine`: the positives."""
        views, g, n, _ = self.q.shape
        s = self._room("scores", (views, g, end - start, n - start))
        pairs = s.flatten(0, 1)
        q, k = self.q.flatten(0, 1)[:, start:end], self.k.flatten(0, 1)[:, start:]
        torch.baddbmm(pairs, q, k.mT, beta=0, alpha=1 / LOG2, out=pairs)
        slope = None
        negatives = self._relative_to_maximum(s, start, end, mine) if self.steep else None
        if views == 2:
            slope = self._compare(s, start, end)
        elif negatives is None:
            s.exp2_()
        if negatives is None:
            negatives = self._exclude(s, start, end, mine, 0.0)
        self.total += negatives.sum((2, 3), keepdim=True)
        if self.gradients is None:
            return
        if self.hold:
            self.held.append(Held(start, end, negatives, slope, self.maximum))
            return
        if self.slopes is not None and slope is not None:
            self._accumulate(self.slopes, slope, start, end)
        self._accumulate(self.gradients, negatives, start, end)

    def _release(self, block: Held) -> None:
        """The weights of a block that waited, of both losses at once, to its queries and keys."""
        assert self.gradients is not None
        share = self._share() * torch.exp2(block.maximum - self.maximum)
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
        size = math.prod(shape)
        room, self.store = self.store[:size].view(shape), self.store[size:]
        return room

    def _share(self) -> Tensor:
        """What 2^(s - maximum) is to be multiplied by: the cross-entropy's weight over 1 + sum e^s, (V, g, 1, 1)."""
        return self.weights[0] / (self.total + torch.exp2(-self.maximum))

    def _accumulate(self, sums: list[Tensor], weights: Tensor, start: int, end: int, scale: float = 1.0) -> None:
        """What weights (V, g, r, m), times `scale`, send to their queries and, added up, to their keys."""
        by_query, by_key = sums[0][:, :, start:end], sums[1][:, :, start:]
        weights = weights.flatten(0, 1)
        q, k = self.q.flatten(0, 1)[:, start:end], self.k.flatten(0, 1)[:, start:]
        sent = self.buffers("sent", tuple(q.shape))
        by_query.copy_(torch.baddbmm(sent, weights, k, beta=0, alpha=scale, out=sent).view(by_query.shape))
        sent = self.buffers("sent", tuple(k.shape))
        torch.baddbmm(sent, weights.mT, q, beta=0, alpha=scale, out=sent)
        if start:
            by_key += sent.view(by_key.shape)
        else:
            by_key.copy_(sent.view(by_key.shape))

    def _exclude(self, x: Tensor, start: int, end: int, mine: slice, value: float) -> Tensor:
        """Put `value`, 0 or -inf, where no negative span is: below the diagonal, on padding and on the positives."""
        spans = self.triangle[: end - start, : end - start]
        if self.real is not None:
            real = self.real[:, None, start:end, None] * self.real[:, None, None, start:]
            real[..., : end - start] *= spans
            views, g, *_ = x.shape
            x, spans = x.view(views, len(real), g // len(real), *x.shape[2:]), real
        square = x[..., : spans.shape[-1]]
        if value:
            square.masked_fill_(spans == 0, value)
        else:
            square *= spans
        if mine.stop > mine.start:
            x.view(len(x), -1).index_fill_(1, self.gold.cell[mine], value)
        return x.view(*self.q.shape[:2], *x.shape[-2:])

    def _relative_to_maximum(self, s: Tensor, start: int, end: int, mine: slice) -> Tensor:
        """2^(s - maximum) of the negatives, the maximum raised if it must be and what was summed rescaled to it."""
        weights = self._exclude(self._room("weights", tuple(s.shape)).copy_(s), start, end, mine, -math.inf)
        maximum = torch.maximum(self.maximum, weights.amax((2, 3), keepdim=True))
        scale = (self.maximum - maximum).exp2_()
        self.maximum = maximum
        self.total *= scale
        if self.gradients and start and not self.hold:
            by_query, by_key = self.gradients
            by_query[:, :, :start] *= scale
            by_key *= scale
        return weights.sub_(maximum).exp2_()

    def _compare(self, s: Tensor, start: int, end: int) -> Tensor | None:
        """The divergence of the two views; returns dD/ds and dD/dt, if wanted; leaves 2^s (up to LIMIT) in `s`.

        With odds e^s, p' = 1 / (1 + e^s), p = e^s p' (q, q' from t) and u = s - t:  p - q = (e^s - e^t) p' q',
        D = (p - q) u,  dD/ds = (p - q) + p p' u,  dD/dt = -((p - q) + q q' u). The difference of close odds keeps all
        the digits that the scores, sums of d rounded products, have to give.
        """
        shape, r = tuple(s.shape[1:]), end - start
        u = torch.sub(s[0], s[1], out=self.buffers("u", shape))
        if self.steep:
            s.clamp_(-LIMIT[s.dtype], LIMIT[s.dtype])
        s.exp2_()
        difference = torch.sub(s[0], s[1], out=self.buffers("difference", shape))
        difference[:, :, :r] *= self.triangle[:r, :r]  # on padding it is 0 as it is
        u[:, :, :r] *= self.triangle[:r, :r]
        no = torch.add(s, 1, out=self.buffers("no", tuple(s.shape))).reciprocal_()
        slope = torch.mul(s, no, out=self._room("slope", tuple(s.shape))).mul_(no)
        difference.mul_(no[0]).mul_(no[1])
        self.divergence += torch.mul(difference, u, out=no[0]).sum() * LOG2
        if not self.counts:
            return None
        for of_view in slope:
            torch.addcmul(difference, of_view, u, value=LOG2, out=of_view)
        slope[1].neg_()
        return slope

    def _finish(self) -> Tensor:
        """The cross-entropy of the negatives; the gradients get their denominator if they were summed without."""
        if self.gradients and not self.hold:
            share = self._share()
            for total in self.gradients:
                total *= share
            for total, slope in zip(self.gradients, self.slopes or [], strict=False):
                total.add_(slope, alpha=self.weights[1])
        nats = self.maximum * LOG2
        return (nats + torch.log1p(self.total + torch.expm1(-nats))).sum()
