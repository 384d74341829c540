"""Divergences of two sides, block by block: their sums over a group, and the derivatives by the scores.

Notation: s, t are the scores of a block on the two sides; p, q what a decision makes of them, p' = 1 - p, u = s - t. A
block is (S, g, r, m), in bits (`gpkl_lib.tiled.boards`), what is no span the same on both sides; values are in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from gpkl_lib.divergence import Activation, kl_terms
from gpkl_lib.tiled.boards import LOG2, NEGATIVE_FILL, SAFE_BITS, Boards
from gpkl_lib.tiled.workspace import Workspace


class Divergence:
    """A divergence that is a sum over the blocks of a group.

    Args:
        boards: of the group.
        differentiate: whether derivatives are wanted.
        workspace: memory for the blocks.

    Attributes:
        surveys: how often all blocks must have been met before the first derivative.
        total: the sum so far.
        counted: spans that took part, where a divergence chooses; else 0.
    """

    surveys = 0

    def __init__(self, boards: Boards, differentiate: bool, workspace: Workspace) -> None:
        self.boards, self.differentiate, self.workspace = boards, differentiate, workspace
        self.total = boards.query.new_zeros(())
        self.counted = torch.zeros((), dtype=torch.long, device=self.total.device)

    def survey(self, number: int, scores: Tensor) -> None:
        """Meet a block for the first time (number 0), or again (1, ...)."""

    def add(self, scores: Tensor) -> Tensor | None:
        """Add a block; return the derivatives (V, g, r, m) by the scores of the views, in nats, if they are wanted.

        What `scores` holds then is lost.
        """
        raise NotImplementedError


class Sigmoid(Divergence):
    """D = sum (p - q) u of two sigmoids: GlobalPointer's divergence."""

    def add(self, scores: Tensor) -> Tensor | None:
        """With odds e^s:  p' = 1 / (1 + e^s),  p - q = (e^s - e^t) p' q',  dD/ds = (p - q) + p p' u.

        The difference of close odds keeps all the digits that the scores, sums of d rounded products, have to give.
        """
        empty, half = self.workspace.empty, scores.shape[1:]
        u = torch.sub(*scores, out=empty("u", half))
        limit = SAFE_BITS[scores.dtype]
        odds = (scores.clamp_(-limit, limit) if self.boards.rescales else scores).exp2_()
        difference = torch.sub(*odds, out=empty("difference", half))
        complement = torch.add(odds, 1, out=empty("complement", odds.shape)).reciprocal_()  # p' and q'
        difference.mul_(complement[0]).mul_(complement[1])
        derivatives = None
        if self.differentiate:
            views = self.boards.views
            slope = complement[:views]
            slope.mul_(slope).mul_(odds[:views])  # p p' and q q'
            derivatives = empty("derivatives", slope.shape)
            for by, of in zip(derivatives, slope, strict=True):
                torch.addcmul(difference, of, u, value=LOG2, out=by)
            derivatives[1:].neg_()  # dD/dt = -((p - q) + q q' u)
        self.total += u.mul_(difference).sum() * LOG2
        return derivatives


class TopSigmoid(Sigmoid):
    """The same over the spans of each board alone that score highest in the mean of both sides, which are surveyed."""

    surveys = 1

    def __init__(self, boards: Boards, differentiate: bool, workspace: Workspace, *, top: int) -> None:
        super().__init__(boards, differentiate, workspace)
        self.top = top
        self.highest = boards.query.new_empty(boards.count, 0)  # of each board, sums of both sides

    def survey(self, number: int, scores: Tensor) -> None:
        """Keep the highest so far."""
        sums = torch.cat([self.highest, (scores[0] + scores[1]).flatten(1)], 1)
        self.highest = sums.topk(min(self.top, sums.shape[1]), dim=1).values

    def add(self, scores: Tensor) -> Tensor | None:
        """The other spans are made equal, as what is no span."""
        lowest = self.highest[:, -1, None, None]
        return super().add(scores.masked_fill_(scores[0] + scores[1] < lowest, NEGATIVE_FILL[scores.dtype]))


class Softmax(Divergence):
    """D = sum (p - q) u of the softmaxes over all spans of a board, which have to be surveyed first: for both
    normalisers, then for the means of log(p / q) under p and q.
    """

    surveys = 2

    def __init__(self, boards: Boards, differentiate: bool, workspace: Workspace) -> None:
        super().__init__(boards, differentiate, workspace)
        self.maximum = boards.query.new_full((2, boards.count, 1, 1), NEGATIVE_FILL[boards.query.dtype])
        self.normaliser = torch.zeros_like(self.maximum)  # relative to 2^maximum
        self.means = torch.zeros_like(self.maximum)
        self.excess = torch.zeros_like(self.maximum[0])

    def survey(self, number: int, scores: Tensor) -> None:
        """Add to the normalisers, relative to a running maximum; then to the means."""
        if number == 0:
            maximum = torch.maximum(self.maximum, scores.amax((2, 3), keepdim=True))
            self.normaliser *= (self.maximum - maximum).exp2_()
            self.maximum = maximum
            self.normaliser += self._powers(scores).sum((2, 3), keepdim=True)
            return
        p, ratio = self._decisions(scores)
        for mean, x in zip(self.means, p, strict=True):
            mean += torch.mul(x, ratio, out=self.workspace.empty("product of decisions", ratio.shape)).sum(
                (1, 2), keepdim=True
            )
        self.excess += self._difference(p, ratio).sum((1, 2), keepdim=True)

    def add(self, scores: Tensor) -> Tensor | None:
        """With v = log(p / q), which is u less a constant:  D = sum (p - q) v,  dD/ds = (p - q) + p (v - sum p v).

        p - q = (p + q) tanh(v / 2). The p - q must add up to 0; the `excess` that they have is the rounding error of
        the constant, to first order, and is taken off v.
        """
        p, ratio = self._decisions(scores)
        by = [torch.sub(ratio, mean).mul_(x) for mean, x in zip(self.means, p, strict=True)]
        ratio -= self.excess
        difference = self._difference(p, ratio)
        self.total += ratio.mul_(difference).sum()
        if not self.differentiate:
            return None
        derivatives = torch.stack([one.add_(difference) for one in by[: self.boards.views]])
        derivatives[1:].neg_()
        return derivatives

    def _powers(self, scores: Tensor) -> Tensor:
        """2^(s - maximum) of both sides."""
        return torch.sub(scores, self.maximum, out=self.workspace.empty("decisions", scores.shape)).exp2_()

    def _decisions(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """p and q in one tensor, and log(p / q)."""
        p = self._powers(scores).div_(self.normaliser)
        (top_s, top_t), (total_s, total_t) = self.maximum, self.normaliser
        ratio = torch.sub(*scores, out=self.workspace.empty("u", scores.shape[1:]))
        return p, ratio.sub_(top_s - top_t).mul_(LOG2).sub_((total_s / total_t).log())

    def _difference(self, p: Tensor, ratio: Tensor) -> Tensor:
        """p - q."""
        total = torch.add(*p, out=self.workspace.empty("difference", ratio.shape))
        return total.mul_(torch.mul(ratio, 0.5, out=self.workspace.empty("half", ratio.shape)).tanh_())


class Elementwise(Divergence):
    """D = sum (f(s) - f(t)) u for any function f of a tensor, element by element; autograd differentiates it."""

    def __init__(
        self,
        boards: Boards,
        differentiate: bool,
        workspace: Workspace,
        *,
        activation: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__(boards, differentiate, workspace)
        self.activation = activation

    def add(self, scores: Tensor) -> Tensor | None:
        """What is no span counts as 0, which is the same on both sides."""
        x = _nats(scores)
        with torch.enable_grad():
            s, t = x.requires_grad_(self.differentiate)
            value = ((self.activation(s) - self.activation(t)) * (s - t)).sum()
        self.total += value.detach()
        if not self.differentiate:
            return None
        derivatives: Tensor
        (derivatives,) = torch.autograd.grad(value, x)
        return derivatives[: self.boards.views]


class Distillation(Divergence):
    """T^2 KL(sigmoid(t / T) || sigmoid(s / T)) where t > above, t being fixed; T may be infinite."""

    def __init__(
        self, boards: Boards, differentiate: bool, workspace: Workspace, *, temperature: float, above: float
    ) -> None:
        super().__init__(boards, differentiate, workspace)
        self.temperature, self.above = temperature, above

    def add(self, scores: Tensor) -> Tensor | None:
        """Its derivative by s is T (p - q), and u / 4 in the limit of a large T."""
        temperature, (s, t) = self.temperature, _nats(scores).unbind()
        if self.above > -math.inf:
            s = torch.where(t > self.above, s, t)
        u = s - t
        if temperature == math.inf:
            self.total += u.square().sum() / 8
            return u[None] / 4
        terms, difference = binary_kl(t / temperature, s / temperature, u / temperature)
        self.total += temperature**2 * terms.sum()
        return difference[None] * temperature


class Augmentation(Divergence):
    """KL(sigmoid(t / T) || sigmoid(s)), t being fixed, over the spans where max(sigma(t), sigma(-t)) > threshold."""

    def __init__(
        self, boards: Boards, differentiate: bool, workspace: Workspace, *, temperature: float, threshold: float
    ) -> None:
        super().__init__(boards, differentiate, workspace)
        self.temperature, self.threshold = temperature, threshold

    def add(self, scores: Tensor) -> Tensor | None:
        """Its derivative by s is p - q, with q = sigmoid(t / T)."""
        unsure = scores[1] <= NEGATIVE_FILL[scores.dtype]  # no span
        s, t = _nats(scores)
        unsure |= t.abs().sigmoid_() <= self.threshold
        sharp = t / self.temperature
        terms, difference = binary_kl(sharp, s, s - sharp)
        self.total += terms.masked_fill_(unsure, 0).sum()
        self.counted += (~unsure).sum()
        return difference.masked_fill_(unsure, 0)[None]


def divergence_of(activation: Activation, top: int | None) -> Callable[[Boards, bool, Workspace], Divergence]:
    """The class of R-Drop's divergence by the name of its decision, or for a function of a tensor.

    Raises:
        ValueError: an unknown name, a `top` below 1 or of another decision than "sigmoid".
    """
    if top is not None:
        if activation != "sigmoid" or top < 1:
            raise ValueError(f'top must be at least 1, with activation "sigmoid", got {top} with {activation!r}')
        return partial(TopSigmoid, top=top)
    known = {"sigmoid": Sigmoid, "softmax": Softmax}
    if isinstance(activation, str) and activation in known:
        return known[activation]
    if callable(activation):
        return partial(Elementwise, activation=activation)
    raise ValueError(f'activation must be "sigmoid", "softmax" or a function of a tensor, got {activation!r}')


def binary_kl(t: Tensor, s: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """KL(q || p) of each cell, of two Bernoulli distributions q = sigmoid(t) and p = sigmoid(s), and p - q.

    The logarithms of q / p and of q' / p' are taken from u = s - t where that is small, else from s and t, so that
    neither close nor far logits cost digits.
    """
    p, no_p, q, no_q = s.sigmoid(), (-s).sigmoid(), t.sigmoid(), (-t).sigmoid()
    near = u.abs() <= 1
    small = u.masked_fill(~near, 0)
    no = torch.where(near, torch.log1p(q * torch.expm1(small)), logsigmoid(-t) - logsigmoid(-s))
    yes = torch.where(near, torch.log1p(no_q * torch.expm1(-small)), logsigmoid(t) - logsigmoid(s))
    return kl_terms(q, p, yes) + kl_terms(no_q, no_p, no), (p * no_q + no_p * q) * torch.tanh(u / 2)


def _nats(scores: Tensor) -> Tensor:
    """The scores in nats, 0 where no span is."""
    return (scores * LOG2).masked_fill_(scores <= NEGATIVE_FILL[scores.dtype], 0)
