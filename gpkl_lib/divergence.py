"""Divergences between two outputs of a model, taken at the logits.

Notation: s, t are two sets of logits, f the smooth decision (softmax: one-hot of argmax; sigmoid: "greater than 0"),
p = f(s), q = f(t), g = s - t.

    D(s, t) = <f(s) - f(t), s - t>                                   the symmetric divergence
            = KL(p || q) + KL(q || p)                 f = softmax
            = sum of the binary symmetric KLs         f = sigmoid

Differences of probabilities are never formed by subtraction, which loses every digit once p and q agree to float
precision. With u = log p - log q both cases use  p - q = (p + q) tanh(u / 2),  in which no term cancels.
All values are in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from gpkl_lib._checks import (
    check_floating,
    check_reduction,
    check_same_shape,
    check_temperature,
    expand_mask,
    reduce,
    working_dtype,
)

Activation = Literal["softmax", "sigmoid"] | Callable[[Tensor], Tensor]


def symmetric_kl(
    input: Tensor,
    target: Tensor,
    *,
    activation: Activation = "softmax",
    dim: int = -1,
    temperature: float = 1.0,
    mask: Tensor | None = None,
    reduction: str = "sum",
) -> Tensor:
    """D(s, t) = <f(s/T) - f(t/T), s/T - t/T>, the symmetric KL divergence at the logits.

    With f = softmax it is KL(p||q) + KL(q||p) of the two distributions along `dim`; with f = sigmoid it is GlobalPointer's
    divergence, the sum of one binary symmetric KL per logit. Both sides receive gradient; detach one for a fixed target.
    No factor (1/2, 1/4, T^2) is applied.

    Args:
        input: logits s, any shape.
        target: logits t, the shape of `input`.
        activation: "softmax", "sigmoid", or any elementwise non-decreasing function of a tensor (then D >= 0).
        dim: the class dimension of softmax; not used otherwise.
        temperature: T > 0, divides both sets of logits.
        mask: boolean, True = valid, broadcast to `input`. A masked cell adds 0 and gets gradient 0 whatever stands in it.
        reduction: "none" gives the terms, shape of `input`, each >= 0; "sum" adds them; "mean" divides by the number of
            distributions (softmax: slices along `dim` with a valid entry; else: valid cells); "batchmean" divides by
            the size of dimension 0. An empty or fully masked input gives 0.

    Returns:
        A scalar, or the terms. float16 and bfloat16 are computed and returned in float32, as torch's losses under autocast.
        Finite for every finite input: logits are bounded at the dtype's maximum / (4 * number of elements), so that
        neither a difference nor the sum overflows.

    Raises:
        TypeError: logits not floating point, or mask not boolean.
        ValueError: shapes differ, mask does not broadcast, unknown activation or reduction, temperature <= 0.

    Source: eq-symmetric-kl-logits (softmax) in the chapter "Symmetric KL at the logits"; Su 2022 for sigmoid.
    """
    s, t, mask = _prepare(input, target, temperature, mask, reduction)
    if activation == "softmax":
        s, t = _keep_valid(s, t, mask, dim)
        u = _log_ratio(s, t, dim)
        total = torch.softmax(s, dim) + torch.softmax(t, dim)
        terms = total * torch.tanh(u / 2) * u
    elif activation == "sigmoid":
        disagree = torch.sigmoid(s) * torch.sigmoid(-t) + torch.sigmoid(t) * torch.sigmoid(-s)
        gap = s - t
        terms = disagree * torch.tanh(gap / 2) * gap
    elif callable(activation):
        terms = (activation(s) - activation(t)) * (s - t)
    else:
        raise _unknown(activation, "or a function of a tensor")
    return _reduce(terms, mask, activation == "softmax", dim, reduction)


def kl_divergence(
    input: Tensor,
    target: Tensor,
    *,
    activation: Literal["softmax", "sigmoid"] = "softmax",
    dim: int = -1,
    temperature: float = 1.0,
    mask: Tensor | None = None,
    reduction: str = "sum",
) -> Tensor:
    """KL(p || q) with p = f(s/T) from `input` and q = f(t/T) from `target`, both given as logits.

    The expectation is under `input`. (torch.nn.functional.kl_div takes them the other way round: it computes
    KL(target || input), from a log-probability and a probability.) Arguments, reductions and errors are those of
    `symmetric_kl`; each term of "none" is p log(p/q) - p + q >= 0, for sigmoid the KL of one pair of Bernoullis.

    Source: Kullback and Leibler 1951.
    """
    s, t, mask = _prepare(input, target, temperature, mask, reduction)
    terms = _bregman_terms(s, t, mask, activation, dim)
    return _reduce(terms, mask, activation == "softmax", dim, reduction)


def jensen_shannon(
    input: Tensor,
    target: Tensor,
    *,
    activation: Literal["softmax", "sigmoid"] = "softmax",
    dim: int = -1,
    temperature: float = 1.0,
    mask: Tensor | None = None,
    reduction: str = "sum",
) -> Tensor:
    """(KL(p || m) + KL(q || m)) / 2 with m = (p + q) / 2: symmetric and at most log 2 per distribution.

    Arguments, reductions and errors are those of `symmetric_kl`.

    Source: Lin 1991.
    """
    s, t, mask = _prepare(input, target, temperature, mask, reduction)
    softmax = activation == "softmax"
    if softmax:
        s, t = _keep_valid(s, t, mask, dim)
        terms = _jensen_shannon_terms(s, t, dim)
    elif activation == "sigmoid":
        terms = _jensen_shannon_terms(_two_classes(s), _two_classes(t), -1).sum(-1)
    else:
        raise _unknown(activation)
    return _reduce(terms, mask, softmax, dim, reduction)


def _prepare(
    input: Tensor, target: Tensor, temperature: float, mask: Tensor | None, reduction: str
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Checked logits over T in working precision, masked cells set to 0 on both sides, sizes bounded; and the full mask."""
    check_floating("input", input)
    check_floating("target", target)
    check_same_shape(input, target)
    check_temperature(temperature)
    check_reduction(reduction)
    mask = expand_mask(mask, input)
    s, t = working_dtype(input), working_dtype(target)
    if mask is not None:
        s, t = s.masked_fill(~mask, 0), t.masked_fill(~mask, 0)
    limit = torch.finfo(s.dtype).max / (4 * max(s.numel(), 1))
    return (s / temperature).clamp(-limit, limit), (t / temperature).clamp(-limit, limit), mask


def _keep_valid(s: Tensor, t: Tensor, mask: Tensor | None, dim: int) -> tuple[Tensor, Tensor]:
    """Take masked classes out of both softmaxes: far below every other logit, on both sides alike."""
    if mask is None:
        return s, t
    absent = ~mask & mask.any(dim, keepdim=True)
    low = torch.finfo(s.dtype).min / 2
    return s.masked_fill(absent, low), t.masked_fill(absent, low)


def _two_classes(x: Tensor) -> Tensor:
    """[x, 0] on a new last dimension: softmax of it is [sigmoid(x), 1 - sigmoid(x)]."""
    return torch.stack([x, torch.zeros_like(x)], -1)


def _log_ratio(s: Tensor, t: Tensor, dim: int) -> Tensor:
    """u = log p - log q, with all its digits when s and t are close: then u = g - log(1 + sum_j q_j (e^g_j - 1)).

    A constant added to g leaves u as it is; taking sum_j q_j g_j off first keeps the sum near 0 and its digits whole.
    """
    log_p, log_q = torch.log_softmax(s, dim), torch.log_softmax(t, dim)
    q = log_q.exp()
    g = s - t
    g = g - (q * g).sum(dim, keepdim=True).detach()
    close = (g.detach().square() <= 1).all(dim, keepdim=True)
    near = g - torch.log1p((q * torch.expm1(g.clamp(-1, 1))).sum(dim, keepdim=True))
    return torch.where(close, near, log_p - log_q)


def _kl_terms(s: Tensor, t: Tensor, dim: int) -> Tensor:
    """p log(p/q) - p + q for each class: p (u - 1 + e^-u), a series in u where that would cancel."""
    u = _log_ratio(s, t, dim)
    p, q = torch.softmax(s, dim), torch.softmax(t, dim)
    small = u.detach().square() <= 0.25
    v = -u.masked_fill(~small, 0)
    series = torch.zeros_like(v)
    for k in range(16, 1, -1):  # e^v - 1 - v = v^2/2! + v^3/3! + ..., Horner's way; v^17/17! < 1e-19
        series = (series + 1 / math.factorial(k)) * v if k > 2 else (series + 0.5) * v * v
    return torch.where(small, p * series, p * u - p + q)


def _bregman_terms(s: Tensor, t: Tensor, mask: Tensor | None, activation: str, dim: int) -> Tensor:
    if activation == "softmax":
        return _kl_terms(*_keep_valid(s, t, mask, dim), dim)
    if activation == "sigmoid":
        return _kl_terms(_two_classes(s), _two_classes(t), -1).sum(-1)
    raise _unknown(activation)


def _jensen_shannon_terms(s: Tensor, t: Tensor, dim: int) -> Tensor:
    """Per class: (p log(p/m) + q log(q/m)) / 2 with m = (p + q)/2, which is m (log 2 - h(sigmoid(u))), h binary entropy."""
    u = _log_ratio(s, t, dim)
    size = u * torch.sign(u.detach())
    small = size.detach() <= 1
    half = u.masked_fill(~small, 0) / 2
    near = half * torch.tanh(half) - torch.log1p(2 * torch.sinh(half / 2).square())  # log 2 cancelled by hand
    far = math.log(2) - size * torch.sigmoid(-size) - torch.nn.functional.softplus(-size)
    return (torch.softmax(s, dim) + torch.softmax(t, dim)) / 2 * torch.where(small, near, far)


def _reduce(terms: Tensor, mask: Tensor | None, per_slice: bool, dim: int, reduction: str) -> Tensor:
    count: Tensor | int
    if mask is not None:
        terms = terms.masked_fill(~mask, 0)
        count = (mask.any(dim) if per_slice else mask).sum()
    else:
        count = terms.numel() // max(terms.shape[dim], 1) if per_slice else terms.numel()
    return reduce(terms, reduction, count)


def _unknown(activation: object, also: str = "") -> ValueError:
    return ValueError(f'activation must be "softmax", "sigmoid"{", " + also if also else ""}, got {activation!r}')
