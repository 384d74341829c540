"""Probabilities of a noisy argmax: how often each of n scores is the largest, when each has noise of its own.

Notation: x are n scores, e_1, ..., e_n independent noises with the distribution function P, T > 0 their width.

    p_i = P(x_i + T e_i is the largest) = integral over u from 0 to 1 of  prod_{j != i} P(P^-1(u) + (x_i - x_j) / T)

Softmax is the case of Gumbel noise, the one-hot of argmax that of no noise. Every noise gives the gradient of a convex
function, and so a divergence <p(s) - p(t), s - t> >= 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gpkl_lib._checks import check_floating, check_temperature, expand_mask

Name = Literal["gumbel", "exponential", "uniform", "normal", "laplace", "logistic", "cauchy"]
REACH, STEP = 40.0, 0.25  # of the trapezoid rule over v, u = sigmoid(v): what is left out is below 1e-17


@dataclass(frozen=True)
class Noise:
    """A distribution of noise, in its standard form.

    Args:
        cdf: the distribution function.
        quantile: its inverse, as a function of u and 1 - u, which keeps the digits of both tails. With u uniform,
            `quantile(u, 1 - u)` is a sample.
        bends: where the distribution function has a corner, or bends sharply for one with so long a tail. The integral
            is cut there.
    """

    cdf: Callable[[Tensor], Tensor]
    quantile: Callable[[Tensor, Tensor], Tensor]
    bends: tuple[float, ...] = ()


def _laplace(x: Tensor) -> Tensor:
    tail = torch.exp(-x.abs()) / 2
    return torch.where(x < 0, tail, 1 - tail)


def _mirrored(lower: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """The quantile of a symmetric noise from its lower half."""
    return lambda u, rest: torch.where(u < 0.5, lower(u), -lower(rest))


NOISES: dict[Name, Noise] = {
    "gumbel": Noise(
        lambda x: torch.exp(-torch.exp(-x.clamp(min=-700))),  # further down it is 0, but its slope would be 0 times inf
        lambda u, rest: -torch.log(-torch.where(u < 0.5, torch.log(u), torch.log1p(-rest))),
    ),
    "exponential": Noise(lambda x: -torch.expm1(-x.clamp(min=0)), lambda u, rest: -torch.log(rest), (0.0,)),
    "uniform": Noise(lambda x: x.clamp(0, 1), lambda u, rest: u, (0.0, 1.0)),
    "normal": Noise(torch.special.ndtr, _mirrored(torch.special.ndtri)),
    "laplace": Noise(_laplace, _mirrored(lambda u: torch.log(2 * u)), (0.0,)),
    "logistic": Noise(torch.sigmoid, lambda u, rest: torch.log(u) - torch.log(rest)),
    "cauchy": Noise(
        lambda x: torch.atan2(torch.ones_like(x), -x) / math.pi,
        _mirrored(lambda u: -1 / torch.tan(math.pi * u)),
        (0.0,),
    ),
}
"""The noises that have a name, each in its standard form."""


def argmax_probabilities(
    input: Tensor, *, noise: Name = "gumbel", dim: int = -1, temperature: float = 1.0, mask: Tensor | None = None
) -> Tensor:
    """P(x_i + T e_i is the largest along `dim`), for independent noises e of one distribution.

    Computed in float64 by quadrature, the same for every noise, to 1e-14 at any scores. (Gumbel noise gives `softmax`,
    which is cheaper.) It is differentiable, and with `functools.partial(argmax_probabilities, noise="normal")` for its
    `activation`, `symmetric_kl` is the divergence of that noise; only its sum means something, not single terms.

    Args:
        input: n scores along `dim`, any shape. Memory and time grow like n^2 for each slice, and like n^3 for the
            noises with a corner (exponential, uniform, Laplace) and for Cauchy noise: some dozens of scores.
        noise: "gumbel", "exponential" (mean 1), "uniform" (on 0 to 1), "normal", "laplace", "logistic" or "cauchy".
        dim: the dimension that sums to 1.
        temperature: T, between 1e-18 and 1e18: the width of the noise, in the units of the scores.
        mask: boolean, True = valid; masked entries get exactly 0, a slice with none valid is all 0.

    Returns:
        Probabilities, shape and dtype of `input`. Tied scores share equally.

    Raises:
        TypeError: `input` is not floating point, or `mask` not boolean.
        ValueError: unknown noise, temperature out of range, or `mask` does not broadcast.
        IndexError: `input` has no dimension `dim`.

    Source: eq-noise-probability in the chapter "Probabilities from a noisy argmax".

    Example:
        >>> argmax_probabilities(torch.tensor([1.0, 0.0]), noise="exponential")
        tensor([0.8161, 0.1839])
    """
    check_floating("input", input)
    check_temperature(temperature)
    if noise not in NOISES:
        raise ValueError(f"noise must be one of {', '.join(NOISES)}, got {noise!r}")
    law, x = NOISES[noise], input.double().movedim(dim, -1)
    valid = torch.ones_like(x, dtype=torch.bool)
    if (mask := expand_mask(mask, input)) is not None:
        valid = mask.movedim(dim, -1)
        x = x.masked_fill(~valid, 0)
    lead = (x.unsqueeze(-1) - x.unsqueeze(-2)) / temperature  # of i over j
    rivals = valid.unsqueeze(-2) & ~torch.eye(x.shape[-1], dtype=torch.bool, device=x.device)
    u, rest, weight = _nodes(lead.detach(), law)
    own = law.quantile(u, rest).unsqueeze(-1)  # the noise of i: (..., i, piece, node, 1)
    beaten = law.cdf(own + lead[..., None, None, :]).masked_fill(~rivals[..., None, None, :], 1)
    p = (weight * beaten.prod(-1)).sum((-2, -1)).masked_fill(~valid, 0)
    return p.movedim(-1, dim).to(input.dtype)


def _nodes(lead: Tensor, law: Noise) -> tuple[Tensor, Tensor, Tensor]:
    """u, 1 - u and the weight of each node, for every i (..., i, piece, node): pieces between bends, u = sigmoid(v)."""
    v = torch.arange(-REACH, REACH + STEP, STEP, dtype=lead.dtype, device=lead.device)
    share, other = torch.sigmoid(v), torch.sigmoid(-v)
    ends = torch.tensor([0.0, 1.0], dtype=lead.dtype, device=lead.device).expand(*lead.shape[:-1], 2)
    cuts = torch.cat([ends, *(law.cdf(bend - lead) for bend in law.bends)], -1).sort(-1).values.unsqueeze(-1)
    low, wide = cuts[..., :-1, :], cuts.diff(dim=-2)
    return low + wide * share, (1 - low - wide) + wide * other, wide * (STEP * share * other)
