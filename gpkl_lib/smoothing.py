"""Max and argmax made smooth, and the knobs that say how smooth.

Notation: x is a vector of n logits, T > 0 a temperature, p = softmax(x/T).

    max(x)    ->  T logsumexp(x/T)          within T log n of it
    argmax(x) ->  softmax(x/T)              the gradient of the line above

Multiplying x by a scale s is the same as dividing T by s.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gpkl_lib._checks import at_least_float32, check_floating, check_temperature, expand_mask


def over_temperature(input: Tensor, dim: int, temperature: float, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Shift each slice along `dim` by its largest valid logit m and divide by T, so that no exponential overflows.

    Returns ((x - m) / T with -inf where masked, m without gradient, whether the slice has no valid logit). Such an
    empty slice holds m = -inf and zeros, which keep NaN out of its gradient.
    """
    check_floating("input", input)
    check_temperature(temperature)
    x = at_least_float32(input)
    mask = expand_mask(mask, x)
    if mask is not None:
        x = x.masked_fill(~mask, -math.inf)
    m = x.detach().amax(dim, keepdim=True)
    empty = m == -math.inf
    return ((x - m) / temperature).masked_fill(empty, 0), m, empty


def logsumexp(
    input: Tensor, *, dim: int = -1, temperature: float = 1.0, mask: Tensor | None = None, keepdim: bool = False
) -> Tensor:
    """T log sum_i exp(x_i / T): the smooth maximum of x along `dim`.

    max(x) <= result <= max(x) + T log n, and the gradient is `softmax(input, temperature=T)`.

    Args:
        input: logits, any shape.
        dim: the dimension that is summed over.
        temperature: T, between 1e-18 and 1e18, in the units of the logits.
        mask: boolean, True = valid, broadcast to `input`; masked logits take no part. A slice with none valid
            gives -inf.
        keepdim: keep `dim` with size 1.

    Returns:
        A tensor without `dim`, in the dtype of `input` (half precision is summed in float32).

    Raises:
        TypeError: `input` is not floating point, or `mask` not boolean.
        ValueError: temperature out of range, or `mask` does not broadcast.
        IndexError: `input` has no dimension `dim`, or one of size 0.

    Example:
        >>> x = torch.tensor([1.0, 2.0, 3.0])
        >>> logsumexp(x), logsumexp(x, temperature=0.1)  # the colder, the nearer to the maximum
        (tensor(3.4076), tensor(3.0000))

    Source: eq-lse-temperature in the chapter "Smooth maximum".
    """
    scaled, m, _ = over_temperature(input, dim, temperature, mask)
    result = m + temperature * torch.logsumexp(scaled, dim, keepdim=True)
    return (result if keepdim else result.squeeze(dim)).to(input.dtype)


def softmax(input: Tensor, *, dim: int = -1, temperature: float = 1.0, mask: Tensor | None = None) -> Tensor:
    """exp(x_i / T) / sum_j exp(x_j / T): the smooth one-hot of argmax along `dim`.

    Args:
        input: logits, any shape.
        dim: the dimension that sums to 1.
        temperature: T, between 1e-18 and 1e18; T to 0 gives the one-hot of argmax, T to infinity the uniform
            distribution.
        mask: boolean, True = valid; masked entries get exactly 0, a slice with none valid is all 0.

    Returns:
        Probabilities, shape and dtype of `input`.

    Raises:
        TypeError, ValueError, IndexError: as `logsumexp`.

    Example:
        >>> x = torch.tensor([1.0, 2.0, 3.0])
        >>> softmax(x), softmax(x, temperature=0.5)
        (tensor([0.0900, 0.2447, 0.6652]), tensor([0.0159, 0.1173, 0.8668]))
        >>> softmax(x, mask=torch.tensor([True, True, False]))
        tensor([0.2689, 0.7311, 0.0000])

    Source: eq-softmax-gradient in the chapter "Smooth maximum".
    """
    scaled, _, empty = over_temperature(input, dim, temperature, mask)
    return torch.softmax(scaled, dim).masked_fill(empty, 0).to(input.dtype)


def entropy(input: Tensor, *, dim: int = -1, temperature: float = 1.0, mask: Tensor | None = None) -> Tensor:
    """H(p) = -sum_i p_i log p_i of p = softmax(x / T), in nats, between 0 and log n up to rounding.

    Args:
        input: logits, any shape.
        dim: the dimension that p sums to 1 along.
        temperature: T, between 1e-18 and 1e18.
        mask: boolean, True = valid; a slice with none valid has entropy 0.

    Returns:
        A tensor without `dim`, in the dtype of `input`.

    Raises:
        TypeError, ValueError, IndexError: as `logsumexp`.

    Example:
        >>> entropy(torch.zeros(8))  # log 8
        tensor(2.0794)

    Source: eq-lse-entropy in the chapter "Smooth maximum".
    """
    scaled, _, empty = over_temperature(input, dim, temperature, mask)
    log_p = torch.log_softmax(scaled, dim)
    terms = log_p.exp() * log_p.masked_fill(log_p == -math.inf, 0)  # 0 log 0 = 0
    return -terms.masked_fill(empty, 0).sum(dim).to(input.dtype)


def logsumexp_bounds(
    input: Tensor, *, dim: int = -1, temperature: float = 1.0, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The interval [max(x), max(x) + T log n] that T logsumexp(x / T) lies in; n counts the valid entries.

    Args:
        input, dim, temperature, mask: as in `logsumexp`.

    Returns:
        (lower, upper), each without `dim` and without gradient, in the dtype of `input`; -inf where none is valid.

    Raises:
        TypeError, ValueError, IndexError: as `logsumexp`.

    Source: eq-lse-bounds in the chapter "Smooth maximum".
    """
    _, lower, _ = over_temperature(input, dim, temperature, mask)
    valid = torch.ones_like(input, dtype=torch.bool) if mask is None else mask.expand(input.shape)
    n = valid.sum(dim, keepdim=True).clamp(min=1)
    upper = lower + temperature * n.to(lower.dtype).log()
    return lower.squeeze(dim).to(input.dtype), upper.squeeze(dim).to(input.dtype)


def normalized_scale_bound(num_classes: int, scale: float) -> float:
    """Lowest softmax cross-entropy, in nats, that unit features and unit class weights can reach at a fixed scale.

    log(1 + (C - 1) exp(-s C / (C - 1))): the C weights can at best form a regular simplex.

    Args:
        num_classes: C >= 2.
        scale: s > 0, the factor on every cosine.

    Raises:
        ValueError: C < 2 or s <= 0.

    Source: Wang et al. 2017 (NormFace), proposition 2.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes}")
    if not scale > 0:
        raise ValueError(f"scale must be positive, got {scale}")
    c = num_classes
    return math.log1p((c - 1) * math.exp(-scale * c / (c - 1)))


def entropy_invariant_scale(n: int, kappa: float = 1.0) -> float:
    """lambda = kappa log n: the scale that keeps the entropy of softmax(lambda x) from drifting with the length n.

    Args:
        n: number of logits, n >= 2.
        kappa: the constant of proportion; kappa = 1/log(512) leaves lengths around 512 as they were.

    Raises:
        ValueError: n < 2.

    Source: Su 2021, "entropy-invariant softmax".
    """
    if n < 2:
        raise ValueError(f"n must be at least 2, got {n}")
    return kappa * math.log(n)
