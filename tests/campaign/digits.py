"""How many digits the divergences keep: the worst error by temperature, shift and number of classes.

    python tests/campaign/digits.py            a quarter of an hour, up to a million classes
    python tests/campaign/digits.py --short    some seconds

Every logit is taken as the number that the tensor holds, and the truth is the definition of the divergence in
arithmetic with more digits: 110 by mpmath, or float64 where the tensors are float32 and hold too many classes for
mpmath. Errors are in units in the last place of the truth: for sigmoid of each term, for softmax of each distribution's
sum over its classes (a single term is as small as one likes where p = q). Errors of a gradient are relative to its
largest entry for the symmetric form, and to (1 + distance / T) / T for the others; the unit is the dtype's epsilon.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import mpmath
import numpy as np
import torch
from torch import Tensor

from gpkl_lib import jensen_shannon, kl_divergence, symmetric_kl

DIVERGENCES = (symmetric_kl, kl_divergence, jensen_shannon)
TEMPERATURES = (0.05, 0.1, 0.11110446030598971, 0.4, 0.7, 1.0, 1.3, 2.0, 3.0, 7.0, 10.0, 20.0)
SHORT = (0.1, 0.4, 3.0)  # UDA's, a distillation's
SHIFTS = (0.0, 1.0, 10.0, 100.0, 1_000.0, 10_000.0)
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
DIGITS = 110  # of mpmath; 1 less a probability of e^-85, twice, and what differs in the sixteenth digit
FEW = 100  # classes that mpmath takes on
LEAST = 1e-36  # a divergence below it is a sum of subnormal numbers of float32


class Measured(NamedTuple):
    """The worst errors of one case, in units in the last place: of the values, of the gradients by either side."""

    activation: str
    function: str
    dtype: str
    temperature: float
    shift: float
    classes: int
    value: float
    gradient: float


# ---------------------------------------------------------------------------------------------------------------------
# The truth.


def numbers(x: Tensor) -> list[mpmath.mpf]:
    """The very numbers that a tensor holds."""
    return [mpmath.mpf(value) for value in x.double().tolist()]


def softmax(x: Iterable[mpmath.mpf], temperature: float) -> list[mpmath.mpf]:
    exponentials = [mpmath.exp(value / mpmath.mpf(temperature)) for value in x]
    total = mpmath.fsum(exponentials)
    return [value / total for value in exponentials]


def truth(function: Callable[..., Tensor], p: list[mpmath.mpf], q: list[mpmath.mpf]) -> mpmath.mpf:
    """The divergence of two distributions, by its definition."""
    pairs = list(zip(p, q, strict=True))
    if function is jensen_shannon:
        return mpmath.fsum(x * mpmath.log(2 * x / (x + y)) + y * mpmath.log(2 * y / (x + y)) for x, y in pairs) / 2
    return mpmath.fsum((x if function is kl_divergence else x - y) * mpmath.log(x / y) for x, y in pairs)


def slopes(function: Callable[..., Tensor], p: list[mpmath.mpf], q: list[mpmath.mpf]) -> tuple[list[mpmath.mpf], ...]:
    """T times the gradients by both sets of logits, p_k (h_k - sum p h) with h the gradient by the probabilities."""

    def by_logits(shares: list[mpmath.mpf], h: list[mpmath.mpf]) -> list[mpmath.mpf]:
        mean = mpmath.fsum(x * y for x, y in zip(shares, h, strict=True))
        return [x * (y - mean) for x, y in zip(shares, h, strict=True)]

    ratios = [x / y for x, y in zip(p, q, strict=True)]
    if function is symmetric_kl:
        by_p = [mpmath.log(r) - 1 / r for r in ratios]
        by_q = [-mpmath.log(r) - r for r in ratios]
    elif function is kl_divergence:
        by_p, by_q = [mpmath.log(r) for r in ratios], [-r for r in ratios]
    else:
        by_p = [mpmath.log(2 * r / (1 + r)) / 2 for r in ratios]
        by_q = [mpmath.log(2 / (1 + r)) / 2 for r in ratios]
    return by_logits(p, by_p), by_logits(q, by_q)


def truth_of_many(function: Callable[..., Tensor], s: Tensor, t: Tensor, temperature: float) -> float:
    """The divergence of two float32 rows in float64, where no step loses more than a few of 53 bits."""
    s, t = s.double(), t.double()
    weights_s, weights_t = (((x - x.max()) / temperature).exp() for x in (s, t))
    p, q = weights_s / math.fsum(weights_s.tolist()), weights_t / math.fsum(weights_t.tolist())
    u = (s - t - (s.max() - t.max())) / temperature + (p.max() / q.max()).log()
    if function is jensen_shannon:
        half = torch.expm1(-u) / 2  # (q - p) / 2p, that is m / p - 1
        return (math.fsum((-p * half.log1p()).tolist()) - math.fsum((q * (u + half.log1p())).tolist())) / 2
    if function is kl_divergence:
        return math.fsum((p * (torch.expm1(-u) + u)).tolist())
    return math.fsum((-p * torch.expm1(-u) * u).tolist())


# ---------------------------------------------------------------------------------------------------------------------
# What is measured.


def spacing(dtype: torch.dtype, at: float) -> float:
    """One unit in the last place of what is computed: float64 for float64, else float32."""
    real = np.float64 if dtype == torch.float64 else np.float32
    return float(np.spacing(real(abs(at))))


def sigmoid_points(dtype: torch.dtype, temperature: float, count: int) -> tuple[Tensor, Tensor]:
    """Pairs of logits up to 80, but over T up to 85, where float32's sigmoid ends; 1e-6 to 160 apart.

    Half of them are small, so that a T below 1 meets as many differences that it would round.
    """
    rng = np.random.default_rng(0)
    largest = min(80.0, 85 * temperature)
    s = rng.uniform(-1, 1, count) * np.where(rng.random(count) < 0.5, largest, min(largest, 10))
    t = s + rng.choice([-1, 1], count) * 10 ** rng.uniform(-6, math.log10(2 * largest), count)
    t = np.where(np.abs(t) > largest, -s, t)
    points = torch.tensor(np.stack([s, t]))
    points = points.clamp(-largest * (1 - 2**-7), largest * (1 - 2**-7)).to(dtype)  # bfloat16 may round up
    return tuple(points[:, points[0] != points[1]])


def softmax_rows(dtype: torch.dtype, shift: float, classes: int, rows: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of logits and others near them, moved by the shift: flat and steep, near and far."""
    generator = torch.Generator().manual_seed(0)
    for scale in (1.0, 10.0, 30.0):
        for apart in (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0):
            for _ in range(rows):
                s = torch.randn(classes, generator=generator, dtype=torch.float64) * scale
                t = s + torch.randn(classes, generator=generator, dtype=torch.float64) * apart + shift
                yield s.to(dtype), t.to(dtype)


def sigmoid_errors(dtype: torch.dtype, temperature: float, count: int) -> Iterator[Measured]:
    s, t = sigmoid_points(dtype, temperature, count)
    with mpmath.workdps(DIGITS):
        pairs = [
            [softmax([x, mpmath.mpf(0)], temperature) for x in pair] for pair in zip(*map(numbers, (s, t)), strict=True)
        ]
        for function in DIVERGENCES:
            options = {"activation": "sigmoid", "temperature": temperature, "reduction": "none"}
            terms = function(s, t, **options)
            a, b = (wide(x) for x in (s, t))
            gradients = torch.autograd.grad(function(a, b, **options).sum(), (a, b))
            rows = enumerate(pairs)
            value = max(error(dtype, terms[i].item(), truth(function, p, q)) for i, (p, q) in rows)
            gradient = max(
                slope_error(function, [x[i].item()], [by[0]], (s[i] - t[i]).abs().item(), dtype, temperature)
                for i, (p, q) in enumerate(pairs)
                for x, by in zip(gradients, slopes(function, p, q), strict=True)
            )
            yield Measured("sigmoid", function.__name__, str(dtype)[6:], temperature, 0.0, 2, value, gradient)


def softmax_errors(dtype: torch.dtype, temperature: float, shift: float, classes: int, rows: int) -> Iterator[Measured]:
    values, gradients = ({function: [0.0] for function in DIVERGENCES} for _ in range(2))
    with mpmath.workdps(DIGITS):
        for s, t in softmax_rows(dtype, shift, classes, rows):
            p, q = ([] if classes > FEW else softmax(numbers(x), temperature) for x in (s, t))
            for function in DIVERGENCES:
                a, b = (wide(x) for x in (s, t))
                found = function(s, t, temperature=temperature)
                true = truth(function, p, q) if p else truth_of_many(function, s, t, temperature)
                if true < LEAST:
                    continue
                values[function].append(error(dtype, found.item(), true))
                apart = s.double() - t.double()
                for x, by in zip(
                    torch.autograd.grad(function(a, b, temperature=temperature), (a, b)),
                    slopes(function, p, q) if p else (),
                    strict=bool(p),
                ):
                    spread = (apart.max() - apart.min()).item()
                    gradients[function].append(slope_error(function, x.tolist(), by, spread, dtype, temperature))
    for function in DIVERGENCES:
        worst = max(values[function]), max(gradients[function])
        yield Measured("softmax", function.__name__, str(dtype)[6:], temperature, shift, classes, *worst)


def wide(x: Tensor) -> Tensor:
    """A leaf of the same numbers in the dtype that is computed in, so that a gradient in it is not rounded again."""
    return x.detach().to(torch.promote_types(x.dtype, torch.float32)).clone().requires_grad_()


def error(dtype: torch.dtype, found: float, true: mpmath.mpf) -> float:
    return float(abs(found - true)) / spacing(dtype, float(true))


def slope_error(
    function: Callable[..., Tensor],
    found: list[float],
    slopes: list[mpmath.mpf],
    apart: float,
    dtype: torch.dtype,
    temperature: float,
) -> float:
    """Of the gradient of one distribution: of the symmetric form relative to its largest entry; of the others, which
    are sums with both signs, to (1 + the distance of the logits over T) / T."""
    t = mpmath.mpf(temperature)
    true = [x / t for x in slopes]
    off = max(abs(x - y) for x, y in zip(found, true, strict=True))
    scale = max(map(abs, true)) if function is symmetric_kl else (1 + apart / t) / t
    if scale < LEAST:  # as for a value: float32 has no digits there
        return 0.0
    return float(off / scale) / torch.finfo(torch.float64 if dtype == torch.float64 else torch.float32).eps


def campaign(*, short: bool) -> Iterator[Measured]:
    """Everything that the table shows, case by case."""
    for dtype in DTYPES:
        for temperature in SHORT if short else TEMPERATURES:
            yield from sigmoid_errors(dtype, temperature, 100 if short else 500)
            for shift in SHIFTS[::2] if short else SHIFTS:
                for classes in (2, 10) if short else (2, 10, 100):
                    rows = 1 if short else 100 // classes
                    yield from softmax_errors(dtype, temperature, shift, classes, rows)
    for classes in (20_000,) if short else (10_000, 100_000, 1_000_000):
        for temperature in (1.0,) if short else (0.4, 1.0):
            for shift in (0.0,) if short else (0.0, 10_000.0):
                yield from softmax_errors(torch.float32, temperature, shift, classes, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="fewer points, and no more than 20,000 classes")
    short = parser.parse_args().short
    print(f"{'':9} {'':16} {'dtype':9} {'T':>8} {'shift':>7} {'classes':>9} {'value':>8} {'gradient':>9}")
    found = []
    for one in campaign(short=short):
        found.append(one)
        print(
            f"{one.activation:9} {one.function:16} {one.dtype:9} {one.temperature:8.3g} {one.shift:7.0f} "
            f"{one.classes:9,} {one.value:8.1f} {one.gradient:9.1f}",
            flush=True,
        )
    print()
    for dtype in DTYPES:
        for activation in ("sigmoid", "softmax"):
            rows = [one for one in found if (one.dtype, one.activation) == (str(dtype)[6:], activation)]
            value, gradient = max(one.value for one in rows), max(one.gradient for one in rows)
            print(f"worst of {activation} in {str(dtype)[6:]}: value {value:.1f}, gradient {gradient:.1f}")


if __name__ == "__main__":
    main()
