"""The checks of the chapter "Smooth maximum": its statements, when their bounds are reached, and gpkl_lib."""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch
from mpmath import MPContext

import gpkl_lib
from gpkl_lib.chapters.formulas import smooth_maximum as proofs
from gpkl_lib.derivations import equation
from gpkl_lib.smoothing import logsumexp_bounds

DIGITS = 50
mp = MPContext()  # a context of its own, so that no other check changes these digits
mp.dps = DIGITS
Vector = list[mp.mpf]
TINY = mp.mpf(10) ** (5 - DIGITS)
EXTREMES = [
    ([0.0, 0.0], 1.0),
    ([3.0, 3.0, 3.0, 3.0], 0.25),
    ([1000.0, 999.0, -1000.0], 1.0),
    ([-1000.0, -1001.0], 1.0),
    ([1.0, 2.0, 3.0, 4.0], 1e-3),
    ([1.0, 2.0, 3.0, 4.0], 1e6),
    ([0.0, 1e-12, -1e-12], 1e-3),
]


def points(count: int = 40, seed: int = 0) -> Iterator[tuple[Vector, mp.mpf]]:
    """Pairs (x, T): the extremes, then random ones with 2 to 6 logits at sizes from 0.01 to 100."""
    rng = random.Random(seed)
    yield from (([mp.mpf(v) for v in x], mp.mpf(T)) for x, T in EXTREMES)
    for _ in range(count):
        size = 10 ** rng.uniform(-2, 2)
        x = [mp.mpf(rng.gauss(0, size)) for _ in range(rng.randint(2, 6))]
        yield x, mp.mpf(10 ** rng.uniform(-1, 1))


POINTS = sum(1 for _ in points())
TRUE_AS_WELL = {("eq-lse-shift", 2): (1, "the gradient is the same after a shift either way")}


def distribution(n: int, seed: int) -> Vector:
    """A random probability vector, some of them close to a corner."""
    rng = random.Random(seed)
    weights = [mp.exp(rng.gauss(0, 3)) for _ in range(n)]
    return [w / mp.fsum(weights) for w in weights]


def smooth_max(x: Vector, T: mp.mpf) -> mp.mpf:
    """T log sum e^(x/T), as printed; mpmath's exponents do not overflow."""
    return T * mp.log(mp.fsum(mp.exp(v / T) for v in x))


def shares(x: Vector, T: mp.mpf) -> Vector:
    """softmax(x/T), as printed."""
    e = [mp.exp(v / T) for v in x]
    return [v / mp.fsum(e) for v in e]


def dot(p: Vector, x: Vector) -> mp.mpf:
    """The inner product."""
    return mp.fsum(a * b for a, b in zip(p, x, strict=True))


def entropy(p: Vector) -> mp.mpf:
    """H(p) in nats, with 0 log 0 = 0."""
    return -mp.fsum(v * mp.log(v) for v in p if v > 0)


def size(x: Vector, T: mp.mpf) -> mp.mpf:
    """The scale that rounding errors are measured against."""
    return max(abs(v) for v in x) + T * mp.log(len(x)) + 1


def ulps(value: torch.Tensor, truth: mp.mpf, scale: mp.mpf) -> float:
    """Error of a double in units of double rounding at `scale`."""
    return float(abs(mp.mpf(value.item()) - truth) / (scale * mp.mpf(2) ** -52))


def tensor(x: Vector) -> torch.Tensor:
    """The same numbers as doubles (the points are doubles to begin with)."""
    return torch.tensor([float(v) for v in x], dtype=torch.float64)


@equation("eq-lse-temperature", shows=proofs.smooth_max)
def lse_temperature() -> str:
    worst = 0.0
    for x, T in points():
        ours = gpkl_lib.logsumexp(tensor(x), temperature=float(T))
        worst = max(worst, ulps(ours, smooth_max(x, T), size(x, T)))
    assert worst <= 4
    return f"{proofs.smooth_max.check()}; gpkl_lib.logsumexp within {worst:.1f} double roundings"


@equation("eq-softmax-gradient", shows=proofs.softmax_slope)
def softmax_gradient() -> str:
    proofs.gradient.check()
    worst = 0.0
    for x, temperature in points():
        ours = gpkl_lib.softmax(tensor(x), temperature=float(temperature))
        spread = 1 + (max(x) - min(x)) / temperature
        truth = shares(x, temperature)
        worst = max(worst, *(ulps(a, b, spread * b + TINY) for a, b in zip(ours, truth, strict=True) if b > 1e-300))
    assert worst <= 4
    return f"{proofs.softmax_slope.check()}; gpkl_lib.softmax within {worst:.1f} relative roundings times the spread"


@equation("eq-lse-shift", shows=proofs.shift)
def lse_shift() -> str:
    worst = 0.0
    for k, (x, T) in enumerate(points()):
        c = mp.mpf(random.Random(k).gauss(0, 100))
        moved = tensor([v - c for v in x])
        ours = c + mp.mpf(gpkl_lib.logsumexp(moved, temperature=float(T)).item())
        worst = max(worst, float(abs(ours - smooth_max(x, T)) / (size(x, T) + abs(c)) * mp.mpf(2) ** 52))
    assert worst <= 4
    return f"{proofs.shift.check()}; gpkl_lib.logsumexp within {worst:.1f} double roundings of it"


@equation("eq-lse-scale", shows=proofs.scaling)
def lse_scale() -> str:
    worst = 0.0
    for k, (x, T) in enumerate(points()):
        s = mp.mpf(2) ** random.Random(k).randint(-6, 6)  # a power of two scales doubles without rounding
        scaled = tensor([s * v for v in x])
        ours = gpkl_lib.logsumexp(scaled, temperature=float(T))
        worst = max(worst, ulps(ours, s * smooth_max(x, T / s), s * size(x, T / s)))
    assert worst <= 4
    return f"{proofs.scaling.check()}; gpkl_lib.logsumexp within {worst:.1f} double roundings of it"


@equation("eq-lse-cross-entropy", shows=proofs.cross_entropy)
def lse_cross_entropy() -> str:
    worst = 0.0
    for x, _ in points():
        target = torch.tensor(len(x) - 1)
        truth = -mp.log(shares(x, mp.mpf(1))[-1])
        worst = max(worst, ulps(torch.nn.functional.cross_entropy(tensor(x), target), truth, size(x, mp.mpf(1))))
    assert worst <= 4
    return f"{proofs.cross_entropy.check()}; torch's cross_entropy within {worst:.1f} double roundings"


@equation("eq-lse-bounds", shows=proofs.bounds)
def lse_bounds() -> str:
    for x, T in points():
        slack = max(x) + T * mp.log(len(x)) - smooth_max(x, T)
        assert (slack <= TINY * size(x, T)) == (len(set(x)) == 1)
        lower, upper = logsumexp_bounds(tensor(x), temperature=float(T))
        assert lower <= gpkl_lib.logsumexp(tensor(x), temperature=float(T)) <= upper * (1 + 4e-16) + 1e-300
    return f"{proofs.bounds.check()}; equality above exactly at ties, at {POINTS} points"


@equation("eq-lse-mean", shows=proofs.mean_bound)
def lse_mean() -> str:
    for x, T in points():
        slack = smooth_max(x, T) - mp.fsum(x) / len(x) - T * mp.log(len(x))
        assert slack >= -TINY * size(x, T)
        assert (slack <= TINY * size(x, T)) == (len(set(x)) == 1)
    return f"{proofs.mean_bound.check()}; equality exactly where all logits are equal, at {POINTS} points"


@equation("eq-lse-entropy", shows=proofs.entropy_bound)
def lse_entropy() -> str:
    worst = 0.0
    for k, (x, T) in enumerate(points()):
        best, p = shares(x, T), distribution(len(x), k)
        assert smooth_max(x, T) - dot(p, x) - T * entropy(p) > TINY * size(x, T)  # strict away from softmax
        ours = gpkl_lib.entropy(tensor(x), temperature=float(T))
        worst = max(worst, ulps(ours, entropy(best), size(x, T) / min(T, 1)))
    assert worst <= 8
    return f"{proofs.entropy_bound.check()}; gpkl_lib.entropy within {worst:.1f} roundings"


@equation("eq-lse-gap", shows=proofs.slack)
def lse_gap() -> str:
    proofs.entropy_gap.check()
    worst = 0.0
    for k, (x, T) in enumerate(points()):
        p = distribution(len(x), k)
        log_q = gpkl_lib.logsumexp(tensor(x), temperature=float(T))
        slack = smooth_max(x, T) - dot(p, x) - T * entropy(p)
        ours = float(T) * torch.nn.functional.kl_div(
            (tensor(x) - log_q) / float(T), tensor([mp.log(v) for v in p]), log_target=True, reduction="sum"
        )
        worst = max(worst, float(abs(mp.mpf(ours.item()) - slack) / size(x, T)) * 2**52)
    assert worst <= 16
    return f"{proofs.slack.check()}; torch's kl_div within {worst:.1f} double roundings of it"


@equation("eq-lse-cauchy", shows=proofs.squares_bound)
def lse_cauchy() -> str:
    for k, (x, T) in enumerate(points()):
        n = len(x)
        for p in (distribution(n, k), shares(x, T), [mp.mpf(1) / n] * n, [mp.mpf(1), *[mp.mpf(0)] * (n - 1)]):
            squares = mp.fsum(v * v for v in p)
            lost = entropy(p) + mp.log(squares)  # by how much the entropy bound is better
            assert lost >= -TINY
            if len({v for v in p if v > 0}) == 1:  # uniform on the classes it uses
                assert lost <= TINY
    return f"{proofs.squares_bound.check()}; never above the entropy bound, at {4 * POINTS} points"


@equation("eq-lse-convex", shows=proofs.convex)
def lse_convex() -> str:
    lowest = 0.0
    for k, (x, T) in enumerate(points()):
        rng = random.Random(k)
        ends, theta = (tensor(x), tensor([mp.mpf(rng.gauss(0, 3)) for _ in x])), rng.uniform(0.05, 0.95)
        first, other = (gpkl_lib.logsumexp(end, temperature=float(T)) for end in ends)
        middle = gpkl_lib.logsumexp(theta * ends[0] + (1 - theta) * ends[1], temperature=float(T))
        lowest = min(lowest, float((theta * first + (1 - theta) * other - middle) / float(size(x, T))) * 2**52)
    assert lowest >= -4
    return f"{proofs.convex.check()}; gpkl_lib.logsumexp above its chord by rounding alone"


@equation("eq-lse-lipschitz", shows=proofs.lipschitz)
def lse_lipschitz() -> str:
    steepest = mp.mpf(0)
    for k, (x, T) in enumerate(points()):
        y = [v + random.Random(f"{k} {i}").gauss(0, 1) for i, v in enumerate(x)]
        largest = max(abs(a - b) for a, b in zip(x, y, strict=True))
        ratio = abs(smooth_max(x, T) - smooth_max(y, T)) / largest
        assert ratio <= 1 + TINY
        steepest = max(steepest, ratio)
    return f"{proofs.lipschitz.check()}; largest ratio at {POINTS} random pairs {mp.nstr(steepest, 4)}"


@equation("eq-lse-hessian", shows=proofs.curvature)
def lse_hessian() -> str:
    worst = 0.0
    for x, T in points():
        if max(x) - min(x) > 100 * T:
            continue  # autograd's second derivative needs all terms
        p = shares(x, T)
        ours = torch.autograd.functional.hessian(lambda v, T=T: gpkl_lib.logsumexp(v, temperature=float(T)), tensor(x))
        for k, a in enumerate(p):
            for l, b in enumerate(p):  # noqa: E741
                truth = (a * (k == l) - a * b) / T
                worst = max(worst, float(abs(ours[k, l].item() - truth) * T))
    assert worst <= 1e-14
    return f"{proofs.curvature.check()}; autograd within {worst:.0e} of it"


@equation("eq-lse-curvature", shows=proofs.curvature_bound)
def lse_curvature() -> str:
    closest = mp.mpf(0)
    ties = [([mp.mpf(0), mp.mpf(0), mp.mpf(-100)], mp.mpf("0.5")), ([mp.mpf(7), mp.mpf(7)], mp.mpf(2))]
    for x, T in [*points(), *ties]:
        p, n = shares(x, T), len(x)
        matrix = mp.matrix(n, n)
        for i in range(n):
            for j in range(n):
                matrix[i, j] = ((p[i] if i == j else 0) - p[i] * p[j]) / T
        eigenvalues = mp.eigsy(matrix, eigvals_only=True)
        assert min(eigenvalues) >= -TINY / T
        assert max(eigenvalues) <= (1 + TINY) / (2 * T)
        closest = max(closest, max(eigenvalues) * 2 * T)
    assert closest > 1 - TINY
    return f"{proofs.curvature_bound.check()}; eigenvalues in [0, 1/(2T)] at {POINTS + len(ties)} points"
