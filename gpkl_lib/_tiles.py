"""The walk over blocks of scores behind `gpkl_lib.tiled`: loss and gradients of a group of sentences in one pass.

Notation: V views, n tokens, d features; g triples (view, sentence, type), views first; a block is r rows, tokens start
to end, and m columns, from `start` on. Scores are in bits, s / log 2: powers of two cost less than powers of e.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gpkl_lib._plan import Gold

LOG2 = math.log(2)
LIMIT = {torch.float32: 56, torch.float64: 400}  # bits: 2^s and sums of it are far from overflow, 2^-s from underflow


class Buffers:
    """Room for one block, taken once and overwritten by the next.

    Args:
        cells: scores of the largest block.
        like: a tensor of the device and dtype.
    """

    def __init__(self, cells: int, like: Tensor) -> None:
        self.cells, self.like = cells, like
        self.kept: dict[str, Tensor] = {}

    def __call__(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """A tensor of that shape that holds anything; what the name held before is gone."""
        size = math.prod(shape)
        if name not in self.kept or len(self.kept[name]) < size:
            self.kept[name] = self.like.new_empty(max(size, self.cells if name in "sep" else 0))
        return self.kept[name][:size].view(shape)


class Walk:
    """One group: after `__init__` its sums, and its gradients but for the division by the softmax's denominator.

    Args:
        query, key: (V, b, h, n, d) of the group, scores being q_i . k_j.
        real: boolean (b, n), True = a real token; None if all are.
        gold: its positives.
        buffers: room for its blocks.
        rows: r, of all blocks but the last.
        gradients: (of the cross-entropy, of the divergence): which ones to accumulate.

    Attributes:
        cross_entropy, divergence: scalars in nats, sums over the group (and both views).
    """

    def __init__(
        self,
        query: Tensor,
        key: Tensor,
        real: Tensor | None,
        gold: Gold,
        buffers: Buffers,
        rows: int,
        gradients: tuple[bool, bool],
    ) -> None:
        self.shape, self.gold, self.buffers = query.shape, gold, buffers
        dtype = buffers.like.dtype
        if real is not None:  # NaN on padding would reach every sum as 0 * NaN
            query, key = (x.masked_fill(~real[:, None, :, None], 0) for x in (query, key))
        self.real = None if real is None else real.to(dtype)
        self.q = (query.to(dtype) / LOG2).flatten(0, 2)  # (g, n, d)
        self.k = key.to(dtype).flatten(0, 2).contiguous()
        triples, n, _ = self.q.shape
        self.maximum = self.q.new_zeros(triples)  # running; not below the 0 of the threshold
        self.total = self.q.new_zeros(triples)  # sum of 2^(s - maximum) over the negatives so far
        self.divergence = self.q.new_zeros(())
        largest = self.q.norm(dim=-1).amax() * self.k.norm(dim=-1).amax()  # no score is larger
        self.steep = not bool(largest <= LIMIT[dtype])
        self.below = self.q.new_ones(rows, rows).tril(-1).bool()
        self.softmax, self.slope = (
            (torch.empty_like(self.q), torch.zeros_like(self.k)) if wanted else None for wanted in gradients
        )
        for number, start in enumerate(range(0, n, rows)):
            self._block(start, min(start + rows, n), slice(*gold.edges[number : number + 2]))
        self.cross_entropy = self._finish()

    def _block(self, start: int, end: int, mine: slice) -> None:
        q, k = self.q[:, start:end], self.k[:, start:]
        s = torch.bmm(q, k.mT, out=self.buffers("s", (len(q), q.shape[1], k.shape[1])))
        weights = self._relative_to_maximum(s, start, end, mine) if self.steep else None
        if self.shape[0] == 2:
            self._compare(s, start, end)
        elif weights is None:
            s.exp2_()
        if weights is None:
            weights = self._exclude(s, start, end, mine, 0.0)
        self.total += weights.sum((1, 2))
        if self.softmax:
            _accumulate(self.softmax, weights, q, k, start, end)

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
        weights = self._exclude(self.buffers("e", tuple(s.shape)).copy_(s), start, end, mine, -math.inf)
        maximum = torch.maximum(self.maximum, weights.amax((1, 2)))
        scale = (self.maximum - maximum).exp2_()
        self.maximum = maximum
        self.total *= scale
        if self.softmax:
            by_query, by_key = self.softmax
            by_query[:, :start] *= scale[:, None, None]
            by_key *= scale[:, None, None]
        return weights.sub_(maximum[:, None, None]).exp2_()

    def _compare(self, s: Tensor, start: int, end: int) -> None:
        """The divergence of the two views and its gradient; leaves 2^s in `s` (up to LIMIT).

        With odds e^s, p' = 1 / (1 + e^s), p = e^s p' (q, q' from t) and u = s - t:  p - q = q p' (e^u - 1),
        D = (p - q) u,  dD/ds = (p - q) + p p' u,  dD/dt = -((p - q) + q q' u).
        """
        half, r = len(s) // 2, end - start
        u = torch.sub(s[:half], s[half:], out=self.buffers("u", (half, *s.shape[1:]))).mul_(LOG2)
        u[:, :, :r].masked_fill_(self.below[:r, :r], 0)  # on padding u is 0 as it is
        if self.steep:
            s.clamp_(-LIMIT[s.dtype], LIMIT[s.dtype])
            difference = torch.sub(s[:half], s[half:], out=self.buffers("d", tuple(u.shape))).mul_(LOG2)
            difference[:, :, :r].masked_fill_(self.below[:r, :r], 0)
            difference.expm1_()
        else:
            difference = torch.expm1(u, out=self.buffers("d", tuple(u.shape)))
        s.exp2_()
        no = torch.add(s, 1, out=self.buffers("p", tuple(s.shape))).reciprocal_()
        yes = torch.mul(s, no, out=self.buffers("y", tuple(s.shape)))
        difference.mul_(yes[half:]).mul_(no[:half])
        yes.mul_(no)
        self.divergence += torch.mul(difference, u, out=no[:half]).sum()
        if self.slope:
            slope = yes.view(2, *u.shape)
            torch.addcmul(difference, slope, u, out=slope)
            _accumulate(self.slope, yes, self.q[:, start:end], self.k[:, start:], start, end)

    def _finish(self) -> Tensor:
        """Add what belongs to the positives; the cross-entropy."""
        views, b, h, n, d = self.shape
        pair, i, j, _ = self.gold
        q, k = (x.view(views, b * h, n, d) for x in (self.q, self.k))
        self.gold_q, self.gold_k = q[:, pair, i], k[:, pair, j]  # (V, P, d)
        x = (self.gold_q * self.gold_k).sum(-1) * -LOG2  # (V, P), nats
        m = x.new_zeros(views, b * h).scatter_reduce_(1, pair.expand(views, -1), x, "amax")
        total = torch.zeros_like(m).index_add_(1, pair, (x - m[:, pair]).exp())
        misses = m + torch.log1p(total + torch.expm1(-m))
        self.gold_weight = (x - misses[:, pair]).exp()
        nats = self.maximum * LOG2
        return (nats + torch.log1p(self.total + torch.expm1(-nats))).sum() + misses.sum()

    def gradients(self, task: float, divergence: float) -> tuple[Tensor, Tensor]:
        """Those of task * cross-entropy + divergence * D, each (V, b, h, n, d)."""
        views, b, h, n, d = self.shape
        assert self.softmax is not None
        share = task / (self.total + torch.exp2(-self.maximum))
        out = []
        other = ((self.gold_k, self.gold.i, 1.0), (self.gold_q, self.gold.j, LOG2))
        for index, (gold, at, unit) in enumerate(other):
            total = self.softmax[index].mul_((share * unit)[:, None, None]).view(views, b * h, n, d)
            if self.slope:
                slope = self.slope[index].view(total.shape)
                total[0].add_(slope[0], alpha=divergence * unit)
                total[1].sub_(slope[1], alpha=divergence * unit)
            pull = gold * (self.gold_weight * (-task * unit))[..., None]
            for view in range(views):
                total[view].index_put_((self.gold.pair, at), pull[view], accumulate=True)
            out.append(total.view(self.shape))
        return out[0], out[1]


def _accumulate(sums: tuple[Tensor, Tensor], weights: Tensor, q: Tensor, k: Tensor, start: int, end: int) -> None:
    """What weights (g, r, m) send to the queries of their rows and, added to the earlier blocks', to their keys."""
    by_query, by_key = sums
    torch.bmm(weights, k, out=by_query[:, start:end])
    by_key[:, start:].baddbmm_(weights.mT, q)
