"""The walk over blocks of scores behind `gpkl_lib.tiled`: loss and gradients of a group of sentences in one pass.

Notation: V views, n tokens, d features; g triples (view, sentence, type), views first; a block is r rows, tokens start
to end, and m columns, from `start` on. Scores are in bits, s / log 2: powers of two cost less than powers of e.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gpkl_lib._plan import Gold

LOG2 = math.log(2)
LIMIT = {torch.float32: 56, torch.float64: 400}  # bits: 2^s and sums of it are far from overflow, 2^-s from underflow


class Buffers:
    """Room for one block, taken once and overwritten by the next; `like` has the device and dtype."""

    def __init__(self, like: Tensor) -> None:
        self.like, self.kept = like, dict[str, Tensor]()

    def __call__(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """A tensor of that shape that holds anything; what the name held before is gone."""
        size = math.prod(shape)
        if name not in self.kept or len(self.kept[name]) < size:
            self.kept[name] = self.like.new_empty(size)
        return self.kept[name][:size].view(shape)


class Held(NamedTuple):
    """A block that waits for the denominator: its rows, 2^(s - maximum) of its negatives, dD/ds and -dD/dt."""

    start: int
    end: int
    negatives: Tensor
    slope: Tensor | None
    maximum: Tensor


class Walk:
    """One group of sentences: its sums and its gradients, from one pass over its blocks.

    The cross-entropy's gradient is e^s / (1 + sum e^s), and the denominator is known only after the last block. A group
    of few scores lets its blocks wait for it; then both losses send their weights through one pair of products. A group
    of many sums the numerators, relative to the running maximum, into queries and keys as they come, and divides at the
    end; the divergence's weights have no denominator and are summed apart, by two products more.

    Args:
        query, key: (V, b, h, n, d) of the group, scores being q_i . k_j.
        real: boolean (b, n), True = a real token; None if all are.
        gold: its positives.
        buffers: room for its blocks.
        rows: r, of all blocks but the last.
        hold: let the blocks wait.
        weights: of the cross-entropy and of the divergence in the loss; None if no gradient is wanted.

    Attributes:
        cross_entropy, divergence: scalars in nats, sums over the group.
        gradients: of the weighted sum of the two, for query and key, each (V, b, h, n, d); empty if not wanted.
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
        weights: tuple[float, float] | None,
    ) -> None:
        self.shape, self.gold, self.buffers, self.weights = query.shape, gold, buffers, weights
        views, b, h, n, d = query.shape
        dtype = buffers.like.dtype
        if real is not None:  # NaN on padding would reach every sum as 0 * NaN
            query, key = (x.masked_fill(~real[:, None, :, None], 0) for x in (query, key))
        self.real = None if real is None else real.to(dtype)
        q = buffers("query", (views, b, h, n, d))
        self.q = torch.mul(query.to(dtype), 1 / LOG2, out=q).view(-1, n, d)  # (g, n, d); scores are in bits
        self.k = key.to(dtype).reshape(-1, n, d)
        self.maximum = self.q.new_zeros(len(self.q))  # running; not below the 0 of the threshold
        self.total = self.q.new_zeros(len(self.q))  # sum of 2^(s - maximum) over the negatives so far
        self.divergence = self.q.new_zeros(())
        largest = self.q.norm(dim=-1).amax() * self.k.norm(dim=-1).amax()  # no score is larger
        self.steep = not bool(largest <= LIMIT[dtype])
        self.below = self.q.new_ones(min(rows, n), min(rows, n)).tril(-1).bool()
        self.hold, self.held = hold, list[Held]()
        wanted = weights is not None, weights is not None and weights[1] > 0 and views == 2 and not hold
        self.softmax, self.slope = (
            (torch.empty_like(self.q), torch.empty_like(self.q)) if each else None for each in wanted
        )
        for number, start in enumerate(range(0, n, rows)):
            self._block(start, min(start + rows, n), slice(*gold.edges[number : number + 2]))
        for block in self.held:
            self._release(block)
        self.cross_entropy, self.gradients = self._finish()

    def _block(self, start: int, end: int, mine: slice) -> None:
        """Scores of rows start to end from column `start` on, and all that comes of them; `mine`: the positives."""
        q, k = self.q[:, start:end], self.k[:, start:]
        s = torch.bmm(q, k.mT, out=self._room("scores", (len(q), q.shape[1], k.shape[1]), start))
        slope = None
        negatives = self._relative_to_maximum(s, start, end, mine) if self.steep else None
        if self.shape[0] == 2:
            slope = self._compare(s, start, end)
        elif negatives is None:
            s.exp2_()
        if negatives is None:
            negatives = self._exclude(s, start, end, mine, 0.0)
        self.total += negatives.sum((1, 2))
        if self.weights is None or self.softmax is None:
            return
        if self.hold:
            self.held.append(Held(start, end, negatives, slope, self.maximum))
            return
        if self.slope is not None and slope is not None:
            self._accumulate(self.slope, slope, start, end)
        self._accumulate(self.softmax, negatives, start, end)

    def _release(self, block: Held) -> None:
        """The weights of a block that waited, of both losses at once, to its queries and keys."""
        assert self.weights is not None
        assert self.softmax is not None
        weights, slope = block.negatives, block.slope
        weights *= (self._share() * torch.exp2(block.maximum - self.maximum))[:, None, None]
        if slope is not None:
            half = len(weights) // 2
            weights[:half].add_(slope[:half], alpha=self.weights[1])
            weights[half:].sub_(slope[half:], alpha=self.weights[1])
        self._accumulate(self.softmax, weights, block.start, block.end)

    def _room(self, name: str, shape: tuple[int, ...], start: int) -> Tensor:
        """Room for what a block makes: its own if it is to wait, else that of the block before."""
        return self.buffers(f"{name} {start}" if self.hold else name, shape)

    def _share(self) -> Tensor:
        """What 2^(s - maximum) is to be multiplied by: the cross-entropy's weight over 1 + sum e^s, (g,)."""
        assert self.weights is not None
        return self.weights[0] / (self.total + torch.exp2(-self.maximum))

    def _accumulate(self, sums: tuple[Tensor, Tensor], weights: Tensor, start: int, end: int) -> None:
        """What weights (g, r, m) send to the queries of their rows and, added to the earlier blocks', to their keys."""
        by_query, by_key = sums
        q, k = self.q[:, start:end], self.k[:, start:]
        by_query[:, start:end] = torch.bmm(weights, k, out=self.buffers("by query", tuple(q.shape)))
        if start:
            by_key[:, start:] += torch.bmm(weights.mT, q, out=self.buffers("by key", tuple(k.shape)))
        else:
            torch.bmm(weights.mT, q, out=by_key)

    def _exclude(self, x: Tensor, start: int, end: int, mine: slice, value: float) -> Tensor:
        """Put `value` where no negative span is: below the diagonal, on padding and on the positives."""
        r = end - start
        x[:, :, :r].masked_fill_(self.below[:r, :r], value)
        views, b, h, *_ = self.shape
        if self.real is not None:
            padding = (self.real[:, start:end, None] * self.real[:, None, start:]) == 0
            x.view(views, b, h, *x.shape[1:]).masked_fill_(padding[:, None], value)
        if mine.stop > mine.start:
            gold = self.gold
            x.view(views, b * h, *x.shape[1:])[:, gold.pair[mine], gold.i[mine] - start, gold.j[mine] - start] = value
        return x

    def _relative_to_maximum(self, s: Tensor, start: int, end: int, mine: slice) -> Tensor:
        """2^(s - maximum) of the negatives, the maximum raised if it must be and what was summed rescaled to it."""
        weights = self._exclude(self._room("weights", tuple(s.shape), start).copy_(s), start, end, mine, -math.inf)
        maximum = torch.maximum(self.maximum, weights.amax((1, 2)))
        scale = (self.maximum - maximum).exp2_()
        self.maximum = maximum
        self.total *= scale
        if self.softmax and start and not self.hold:
            by_query, by_key = self.softmax
            by_query[:, :start] *= scale[:, None, None]
            by_key *= scale[:, None, None]
        return weights.sub_(maximum[:, None, None]).exp2_()

    def _compare(self, s: Tensor, start: int, end: int) -> Tensor | None:
        """The divergence of the two views; returns dD/ds and -dD/dt, if wanted; leaves 2^s (up to LIMIT) in `s`.

        With odds e^s, p' = 1 / (1 + e^s), p = e^s p' (q, q' from t) and u = s - t:  p - q = q p' (e^u - 1),
        D = (p - q) u,  dD/ds = (p - q) + p p' u,  dD/dt = -((p - q) + q q' u).
        """
        half, r = len(s) // 2, end - start
        u = torch.sub(s[:half], s[half:], out=self.buffers("u", (half, *s.shape[1:]))).mul_(LOG2)
        u[:, :, :r].masked_fill_(self.below[:r, :r], 0)  # on padding u is 0 as it is
        if self.steep:
            s.clamp_(-LIMIT[s.dtype], LIMIT[s.dtype])
            difference = torch.sub(s[:half], s[half:], out=self.buffers("difference", tuple(u.shape))).mul_(LOG2)
            difference[:, :, :r].masked_fill_(self.below[:r, :r], 0)
            difference.expm1_()
        else:
            difference = torch.expm1(u, out=self.buffers("difference", tuple(u.shape)))
        s.exp2_()
        no = torch.add(s, 1, out=self.buffers("no", tuple(s.shape))).reciprocal_()
        yes = torch.mul(s, no, out=self._room("yes", tuple(s.shape), start))
        difference.mul_(yes[half:]).mul_(no[:half])
        yes.mul_(no)
        self.divergence += torch.mul(difference, u, out=no[:half]).sum()
        if self.weights is None or not self.weights[1]:
            return None
        slope = yes.view(2, *u.shape)
        torch.addcmul(difference, slope, u, out=slope)
        return yes

    def _finish(self) -> tuple[Tensor, list[Tensor]]:
        """The cross-entropy, and the gradients with their denominator and the part of the positives."""
        views, b, h, n, d = self.shape
        pair, i, j, _ = self.gold
        q, k = (x.view(views, b * h, n, d) for x in (self.q, self.k))
        q, k = q[:, pair, i], k[:, pair, j]  # (V, P, d)
        x = (q * k).sum(-1) * -LOG2  # (V, P), nats
        m = x.new_zeros(views, b * h).scatter_reduce_(1, pair.expand(views, -1), x, "amax")
        total = torch.zeros_like(m).index_add_(1, pair, (x - m[:, pair]).exp())
        misses = m + torch.log1p(total + torch.expm1(-m))
        nats = self.maximum * LOG2
        cross_entropy = (nats + torch.log1p(self.total + torch.expm1(-nats))).sum() + misses.sum()
        if self.weights is None or self.softmax is None:
            return cross_entropy, []
        share = self._share()[:, None, None]
        pull = (x - misses[:, pair]).exp() * -self.weights[0]  # (V, P)
        gradients = []
        for index, (other, at, unit) in enumerate(((k, i, 1.0), (q, j, LOG2))):
            total = self.softmax[index]
            total *= unit if self.hold else share * unit
            if self.slope is not None:
                half = len(total) // 2
                total[:half].add_(self.slope[index][:half], alpha=self.weights[1] * unit)
                total[half:].sub_(self.slope[index][half:], alpha=self.weights[1] * unit)
            total = total.view(views, b * h, n, d)
            for view in range(views if len(pair) else 0):
                total[view].index_put_((pair, at), other[view] * (pull[view, :, None] * unit), accumulate=True)
            gradients.append(total.view(self.shape))
        return cross_entropy, gradients
