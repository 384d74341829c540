"""Divergences between two outputs of a model, taken at the logits.

Notation: s, t are two sets of logits over a temperature, f the smooth decision (softmax: one-hot of argmax; sigmoid:
"greater than 0"), p = f(s), q = f(t).

    D(s, t) = <f(s) - f(t), s - t>                                   the symmetric divergence
            = KL(p || q) + KL(q || p)                 f = softmax
            = sum of the binary symmetric KLs         f = sigmoid

Differences of probabilities are never formed by subtraction, which loses every digit once p and q agree to float
precision. Two positive numbers a, b with u = log(a / b) differ by

    a - b = (a + b) tanh(u / 2),                                     and here no term cancels.

Nor is a logit over T rounded before anything is taken from it: differences are taken first and divided then, and what
the division leaves out goes into the exponential. So float32 is exact to a few units in its last place at every
temperature and under every shift; `tests/campaign/digits.py` measures how many.

All values are in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from gpkl_lib._checks import (
    Reduction,
    at_least_float32,
    check_class_dims,
    check_floating,
    check_reduction,
    check_same_shape,
    check_temperature,
    expand_mask,
)

Decision = Literal["softmax", "sigmoid"]
Activation = Decision | Callable[[Tensor], Tensor]


def symmetric_kl(
    input: Tensor,
    target: Tensor,
    *,
    activation: Activation = "softmax",
    class_dims: int | None = None,
    temperature: float = 1.0,
    mask: Tensor | None = None,
    reduction: Reduction = "sum",
) -> Tensor:
    """D(s, t) = <f(s) - f(t), s - t> at the logits, the symmetric KL divergence: of softmax and summed unless said.

    At s = input/T and t = target/T. With f = softmax it is KL(p||q) + KL(q||p) of the two distributions of each row;
    with f = sigmoid it is what suits GlobalPointer, the sum of one binary symmetric KL per logit. Both sides receive
    gradient; detach one for a fixed target. No factor (1/2, 1/4, T^2) is applied.

    Args:
        input: logits of shape (*rows, *classes), for GlobalPointer (batch, types, L, L) with class_dims=2.
        target: the other logits, of the shape of `input`.
        activation: "softmax", "sigmoid", or any elementwise non-decreasing function of a tensor (then D >= 0).
        class_dims: how many trailing dimensions are the classes of one row: those that softmax runs over, and that
            "rowmean" sums over. One where it is left out, which four-dimensional square logits do not allow: they may
            be scores of spans. If you do mean one, say 1.
        temperature: T, between 1e-18 and 1e18, divides both sets of logits.
        mask: boolean, True = valid, broadcast to `input`. A masked cell adds 0 and gets gradient 0 whatever it holds.
        reduction: "none" gives the terms, shape of `input`, each >= 0; "sum" adds them; "mean" divides by the number of
            distributions (softmax: rows with a valid class; else: valid cells); "rowmean" by the number of rows, as the
            cross-entropies of `gpkl_lib.losses` do; "batchmean" by the size of dimension 0, as torch does. An empty or
            fully masked input gives 0.

    Returns:
        A scalar, or the terms. Half precision is computed and returned in float32, as torch's losses under autocast.
        With softmax and sigmoid, value and gradient are finite for every finite input: logits stop at
        max * min(T, 1)^2 / (4 * number of elements), max the dtype's largest number, beyond which a sum could overflow.
        (Only a gradient handed back in float16 may do so, at a temperature below 1.)

        Against 110 digits on the very numbers given, for T from 0.05 to 20, float32 is right to 8 units in the last
        place for each term of sigmoid, and to 16 for each distribution of softmax, under shifts up to 10^4 and with up
        to 10^6 classes; gradients are to 10^-5 and 2 * 10^-4 of their largest entry. (Sigmoid runs out of digits where
        the smaller side of the surer view is subnormal, at logits over T beyond 87 of one sign in both views, and a
        term below 10^-37 may come out as 0; softmax at a sum below 10^-36. A function's difference f(s) - f(t) is taken
        as it stands.)

    Raises:
        TypeError: logits not floating point, mask not boolean, temperature no number, class_dims no int.
        ValueError: shapes differ, mask does not broadcast, unknown activation or reduction, temperature or class_dims
            out of range, and class_dims left out for four-dimensional square logits.

    Example:
        >>> s, t = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([[1.0, 0.5, -1.0]])
        >>> symmetric_kl(s, t)
        tensor(0.3867)
        >>> symmetric_kl(s, t, activation="sigmoid")  # of three spans, each by itself
        tensor(0.2110)
        >>> board = torch.zeros(2, 4, 5, 5)  # GlobalPointer's scores: 2 sentences, 4 types
        >>> symmetric_kl(board + 1, board, activation="sigmoid", class_dims=2, reduction="rowmean")
        tensor(5.7765)

    Source: eq-symmetric-kl-logits and eq-symmetric-kl-sigmoid, computed as eq-symmetric-kl-tanh, in the chapter
    "Symmetric KL at the logits"; the sigmoid form for GlobalPointer is Su's (2022).
    """
    s, t, mask = _prepare(input, target, activation, class_dims, temperature, mask, reduction)
    if activation == "softmax":
        p, q, u = distributions(s, t, temperature)
        terms = (p + q) * torch.tanh(u / 2) * u
        return reduce_terms(terms, mask, True, input.shape, reduction)
    gap = (s - t) / temperature
    if activation == "sigmoid":  # p - q is p(1 - q) less q(1 - p), and the log of their ratio is the gap
        (p, not_p), (q, not_q) = _sigmoids(s, temperature), _sigmoids(t, temperature)
        terms = (p * not_q + not_p * q) * torch.tanh(gap / 2) * gap
    elif callable(activation):
        terms = (activation(s / temperature) - activation(t / temperature)) * gap
    else:
        raise _unknown(activation, or_function=True)
    return reduce_terms(terms, mask, False, input.shape, reduction)


def kl_divergence(
    input: Tensor,
    target: Tensor,
    *,
    activation: Decision = "softmax",
    class_dims: int | None = None,
    temperature: float = 1.0,
    mask: Tensor | None = None,
    reduction: Reduction = "sum",
) -> Tensor:
    """KL(p || q) = sum_i p_i log(p_i / q_i), p and q given as logits: of softmax and summed unless said.

    p comes from `input`, q from `target`, and the expectation is under `input`. (torch.nn.functional.kl_div takes them
    the other way round: it computes KL(target || input), from a log-probability and a probability.) Arguments,
    reductions and errors are those of `symmetric_kl`, without a function for `activation`; each term of "none" is
    p log(p/q) - p + q >= 0, for sigmoid the KL of two Bernoullis. So are the digits of the value; the gradient, a sum
    with both signs, is right to 10^-6 (1 + |s - t| / T) / T in float32.

    Example:
        >>> p, q = torch.tensor([0.5, 0.5]), torch.tensor([0.75, 0.25])
        >>> kl_divergence(p.log(), q.log())  # any logits of p and q will do, also their logarithms
        tensor(0.1438)
        >>> kl_divergence(q.log(), p.log())
        tensor(0.1308)

    Source: Kullback and Leibler 1951.
    """
    return _pairwise(kl_terms, input, target, activation, class_dims, temperature, mask, reduction)


def jensen_shannon(
    input: Tensor,
    target: Tensor,
    *,
    activation: Decision = "softmax",
    class_dims: int | None = None,
    temperature: float = 1.0,
    mask: Tensor | None = None,
    reduction: Reduction = "sum",
) -> Tensor:
    """(KL(p || m) + KL(q || m)) / 2 with m = (p + q) / 2: of softmax and summed unless said.

    Symmetric, and at most log 2 for each pair of distributions. Arguments, reductions and errors are those of
    `symmetric_kl`, without a function for `activation`; digits are those of `kl_divergence`.

    Example:
        >>> s = torch.tensor([3.0, -3.0])
        >>> jensen_shannon(s, -s)
        tensor(0.6758)
        >>> jensen_shannon(100 * s, -100 * s)  # log 2: nothing in common
        tensor(0.6931)

    Source: Lin 1991.
    """
    return _pairwise(jensen_shannon_terms, input, target, activation, class_dims, temperature, mask, reduction)


def _pairwise(
    term: Callable[[Tensor, Tensor, Tensor], Tensor],
    input: Tensor,
    target: Tensor,
    activation: Decision,
    class_dims: int | None,
    temperature: float,
    mask: Tensor | None,
    reduction: Reduction,
) -> Tensor:
    """Sum `term(p, q, log(p / q))` over the classes of each pair of distributions, then reduce."""
    s, t, mask = _prepare(input, target, activation, class_dims, temperature, mask, reduction)
    if activation == "softmax":
        return reduce_terms(term(*distributions(s, t, temperature)), mask, True, input.shape, reduction)
    if activation == "sigmoid":
        terms = term(*distributions(_two_classes(s), _two_classes(t), temperature)).sum(-1)
        return reduce_terms(terms, mask, False, input.shape, reduction)
    raise _unknown(activation)


def _prepare(
    input: Tensor,
    target: Tensor,
    activation: Activation,
    class_dims: int | None,
    temperature: float,
    mask: Tensor | None,
    reduction: Reduction,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Check the arguments; return both logits, not yet over T, and the full mask, each (*rows, classes).

    Masked cells are made equal in both, for softmax below every valid logit: their terms are 0 by the formulas.
    """
    check_floating("input", input)
    check_floating("target", target)
    check_same_shape("target", target, input)
    check_temperature(temperature)
    check_reduction(reduction)
    class_dims = check_class_dims(input, class_dims, per_row=False)
    mask = expand_mask(mask, input)

    def ready(x: Tensor) -> Tensor:
        x = at_least_float32(x)
        largest = torch.finfo(x.dtype).max
        cold = min(temperature, 1)
        # terms grow like |s - t| / T: no sum of all of them overflows, nor a gradient once it is divided by T
        limit = largest * cold**2 / (4 * max(x.numel(), 1))
        x = x.clamp(-limit, limit)
        x = x if mask is None else x.masked_fill(~mask, -largest * cold / 2 if activation == "softmax" else 0)
        return x.flatten(-class_dims)

    return ready(input), ready(target), None if mask is None else mask.flatten(-class_dims)


def distributions(s: Tensor, t: Tensor, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """p = softmax(s / T), q = softmax(t / T) of each row and u = log(p / q), u to all its digits even near p = q.

    u is (s - t) / T less a constant, the difference of two logsumexp. That of their maxima is taken off before anything
    is rounded, since one view may lie far above the other. What rounds in the rest is the same for every class. The
    differences p - q must add up to 0; what they add up to instead is that error, to first order, and is taken off.
    """
    if not s.numel():
        return s, t, s - t
    top_s, weights_s = _exponentials(s, temperature)
    top_t, weights_t = _exponentials(t, temperature)
    # not torch.softmax, which on a CPU adds up a million classes one by one; sum adds them in a tree
    total_s, total_t = weights_s.sum(-1, keepdim=True), weights_t.sum(-1, keepdim=True)
    p, q = weights_s / total_s, weights_t / total_t
    gap, gap_rest = _difference(s, t)
    top, top_rest = _difference(top_s, top_t)
    near = (gap - top + (gap_rest - top_rest)) / temperature - (total_s.log() - total_t.log())
    excess = ((p + q) * torch.tanh(near / 2)).sum(-1, keepdim=True)
    return p, q, near - excess.detach()


def _exponentials(x: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The largest m of each row, without gradient, and exp((x - m) / T)."""
    m = x.detach().amax(-1, keepdim=True)
    below, below_rest = _difference(x, m)
    quotient, rest = _quotient(below, temperature)
    return m, quotient.exp() * (1 + _small(below_rest / temperature + rest))


def _sigmoids(x: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """sigmoid(x / T) and sigmoid(-x / T), the small one of them to all its digits."""
    quotient, rest = _quotient(x, temperature)
    yes, no = torch.sigmoid(quotient), torch.sigmoid(-quotient)
    if isinstance(rest, float):
        return yes, no
    rest = _small(rest)
    return yes * (1 + rest * no.detach()), no * (1 - rest * yes.detach())


def _difference(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """a - b exactly, in two parts: as it rounds, and what the rounding left out.

    Source: Knuth, The Art of Computer Programming, volume 2, section 4.2.2, theorem B.
    """
    difference = a - b
    a, b, rounded = a.detach(), b.detach(), difference.detach()
    minus_b = rounded - a
    return difference, (a - (rounded - minus_b)) - (b + minus_b)


def _quotient(x: Tensor, temperature: float) -> tuple[Tensor, Tensor | float]:
    """x / T in two parts: as it rounds, and what the rounding left out, which is 0.0 for a power of 2.

    An exponential turns the rounding error of a logit of 80 into 32 units in the last place. The rest is
    (x - quotient * T) / T, where a product of two numbers of half the digits is exact.

    Source: Dekker 1971.
    """
    quotient = x / temperature
    mantissa, exponent = math.frexp(temperature)
    if mantissa == 0.5:
        return quotient, 0.0
    integer, digits, half = (torch.int64, 53, 27) if x.dtype == torch.float64 else (torch.int32, 24, 12)
    rounded = quotient.detach()
    head = (rounded.view(integer) & -(1 << half)).view(x.dtype)  # its lower half is cut off
    head_of_t = math.ldexp(math.floor(mantissa * 2 ** (digits - half)), exponent - (digits - half))
    rest = x.detach() - head * head_of_t - head * (temperature - head_of_t) - (rounded - head) * temperature
    return quotient, rest / temperature


def _small(rest: Tensor) -> Tensor:
    """The rests that count; a larger one is that of a logit of millions, whose exp and sigmoid are 0 or 1."""
    return rest.masked_fill(rest.square() > 1, 0)


def _two_classes(x: Tensor) -> Tensor:
    """[x, 0] on a new last dimension: softmax of it is [sigmoid(x), 1 - sigmoid(x)]."""
    return torch.stack([x, torch.zeros_like(x)], -1)


def kl_terms(p: Tensor, q: Tensor, u: Tensor) -> Tensor:
    """p log(p/q) - p + q for each class: p (e^v - 1 - v) with v = -u, as a series where that would cancel."""
    small = u.detach().square() <= 1
    v = -u.masked_fill(~small, 0)
    last = 18 if u.dtype == torch.float64 else 11  # at v = -1 the rest is below half a unit in the last place
    series = torch.full_like(v, 1 / math.factorial(last))
    for k in range(last - 1, 1, -1):  # 1/2! + v/3! + v^2/4! + ... by Horner's rule
        series = 1 / math.factorial(k) + v * series
    return torch.where(small, p * v.square() * series, p * u - p + q)


def jensen_shannon_terms(p: Tensor, q: Tensor, u: Tensor) -> Tensor:
    """(p log(p/m) + q log(q/m)) / 2 for each class, which is m (h tanh h - log cosh h) with h = u / 2."""
    small = u.detach().square() <= 4
    h = (u / 2).masked_fill(~small, 0)
    near = h * torch.tanh(h) - torch.log1p(2 * torch.sinh(h / 2).square())
    size = u * u.detach().sign()  # the formula is even in u; here h tanh h and log cosh h would cancel
    far = math.log(2) - size * torch.sigmoid(-size) - torch.nn.functional.softplus(-size)
    return (p + q) / 2 * torch.where(small, near, far)


def reduce_terms(terms: Tensor, mask: Tensor | None, softmax: bool, shape: torch.Size, reduction: Reduction) -> Tensor:
    """Reduce the terms (*rows, classes) of logits of that shape; a distribution is a row (softmax) or a cell."""
    if reduction == "none":
        return terms.reshape(shape)
    total = terms.sum()
    if reduction == "sum":
        return total
    if reduction == "mean":
        valid = torch.ones_like(terms, dtype=torch.bool) if mask is None else mask
        return total / (valid.any(-1) if softmax else valid).sum().clamp(min=1)
    of = shape[:1] if reduction == "batchmean" else terms.shape[:-1]
    return total / max(of.numel(), 1)


def _unknown(activation: object, *, or_function: bool = False) -> ValueError:
    wanted = '"softmax", "sigmoid" or a function of a tensor' if or_function else '"softmax" or "sigmoid"'
    return ValueError(f"activation must be {wanted}, got {activation!r}")
