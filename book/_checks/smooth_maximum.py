"""The checks of the chapter "Smooth maximum": SymPy, 50 digits at random points and extremes, gpkl_lib."""

from __future__ import annotations

import random
from collections.abc import Iterator

import sympy as sp
import torch
from mpmath import MPContext

import gpkl_lib
from gpkl_lib.derivations import equation
from gpkl_lib.derivations import smooth_maximum as proofs
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


def furthest(a: Vector, b: Vector) -> mp.mpf:
    """The largest difference of two vectors."""
    return max(abs(v - w) for v, w in zip(a, b, strict=True))


def ulps(value: torch.Tensor, truth: mp.mpf, scale: mp.mpf) -> float:
    """Error of a double in units of double rounding at `scale`."""
    return float(abs(mp.mpf(value.item()) - truth) / (scale * mp.mpf(2) ** -52))


def tensor(x: Vector) -> torch.Tensor:
    """The same numbers as doubles (the points are doubles to begin with)."""
    return torch.tensor([float(v) for v in x], dtype=torch.float64)


@equation("eq-lse-temperature")
def lse_temperature() -> str:
    worst = 0.0
    for x, T in points():
        ours = gpkl_lib.logsumexp(tensor(x), temperature=float(T))
        worst = max(worst, ulps(ours, smooth_max(x, T), size(x, T)))
    assert worst <= 4
    return f"gpkl_lib.logsumexp within {worst:.1f} double roundings of the formula at 50 digits"


@equation("eq-softmax-gradient")
def softmax_gradient() -> str:
    proof = proofs.gradient.check()
    worst = 0.0
    for x, temperature in points():
        ours = gpkl_lib.softmax(tensor(x), temperature=float(temperature))
        spread = 1 + (max(x) - min(x)) / temperature
        truth = shares(x, temperature)
        worst = max(worst, *(ulps(a, b, spread * b + TINY) for a, b in zip(ours, truth, strict=True) if b > 1e-300))
    assert worst <= 4
    return f"{proof}; gpkl_lib.softmax within {worst:.1f} relative roundings times the spread"


@equation("eq-lse-shift")
def lse_shift() -> str:
    for k, (x, T) in enumerate(points()):
        c = mp.mpf(random.Random(k).gauss(0, 100))
        moved = [v - c for v in x]
        assert abs(smooth_max(x, T) - c - smooth_max(moved, T)) <= TINY * (size(x, T) + abs(c))
        assert furthest(shares(x, T), shares(moved, T)) <= TINY * size(x, T) / T + TINY
    return f"both identities hold to 45 digits at {POINTS} points, extremes included"


@equation("eq-lse-scale")
def lse_scale() -> str:
    for k, (x, T) in enumerate(points()):
        s = mp.mpf(10 ** random.Random(k).uniform(-2, 2))
        scaled = [s * v for v in x]
        assert abs(smooth_max(scaled, T) - s * smooth_max(x, T / s)) <= TINY * size(scaled, T)
        assert furthest(shares(scaled, T), shares(x, T / s)) <= TINY * size(scaled, T) / T
    return f"both identities hold to 45 digits at {POINTS} points, scales from 0.01 to 100"


@equation("eq-lse-cross-entropy")
def lse_cross_entropy() -> str:
    z = sp.symbols("z1:5", real=True)
    lse = sp.log(sum(sp.exp(v) for v in z))
    for v in z:
        for w in z:
            claimed = sp.exp(w) / sum(sp.exp(u) for u in z) - (1 if v == w else 0)
            assert sp.simplify(sp.diff(lse - v, w) - claimed) == 0
    worst = 0.0
    for x, _ in points():
        target = torch.tensor(len(x) - 1)
        truth = -mp.log(shares(x, mp.mpf(1))[-1])
        assert abs(smooth_max(x, mp.mpf(1)) - x[-1] - truth) <= TINY * size(x, mp.mpf(1))
        worst = max(worst, ulps(torch.nn.functional.cross_entropy(tensor(x), target), truth, size(x, mp.mpf(1))))
    assert worst <= 4
    return f"gradient exact by SymPy for n = 4; torch's cross_entropy within {worst:.1f} double roundings"


@equation("eq-lse-bounds")
def lse_bounds() -> str:
    closest = mp.inf
    for x, T in points():
        top = max(x)
        others = list(x)
        others.remove(top)
        gap = T * mp.log1p(mp.fsum(mp.exp((v - top) / T) for v in others))  # F - max without cancellation
        assert abs(smooth_max(x, T) - top - gap) <= TINY * size(x, T)
        assert 0 < gap <= T * mp.log(len(x)) * (1 + TINY)
        assert (gap >= T * mp.log(len(x)) * (1 - TINY)) == (len(set(x)) == 1)  # equality exactly when all are equal
        lower, upper = logsumexp_bounds(tensor(x), temperature=float(T))
        assert lower <= gpkl_lib.logsumexp(tensor(x), temperature=float(T)) <= upper * (1 + 4e-16) + 1e-300
        closest = min(closest, gap / T)
    return f"strict below, equality above exactly at ties, at {POINTS} points; smallest gap {mp.nstr(closest, 2)} T"


@equation("eq-lse-mean")
def lse_mean() -> str:
    for x, T in points():
        slack = smooth_max(x, T) - mp.fsum(x) / len(x) - T * mp.log(len(x))
        assert slack >= -TINY * size(x, T)
        assert (slack <= TINY * size(x, T)) == (len(set(x)) == 1)
    return f"holds at {POINTS} points, equality exactly where all logits are equal"


@equation("eq-lse-entropy")
def lse_entropy() -> str:
    worst = 0.0
    for k, (x, T) in enumerate(points()):
        F, best, p = smooth_max(x, T), shares(x, T), distribution(len(x), k)
        assert F - dot(p, x) - T * entropy(p) > TINY * size(x, T)  # strict away from softmax
        assert abs(F - dot(best, x) - T * entropy(best)) <= TINY * size(x, T)
        ours = gpkl_lib.entropy(tensor(x), temperature=float(T))
        worst = max(worst, ulps(ours, entropy(best), size(x, T) / min(T, 1)))
    assert worst <= 8
    return (
        f"strict at {POINTS} random p, equality at softmax to 45 digits; gpkl_lib.entropy within {worst:.1f} roundings"
    )


@equation("eq-lse-gap")
def lse_gap() -> str:
    proof = proofs.entropy_gap.check()
    for k, (x, T) in enumerate(points()):
        p, q = distribution(len(x), k), shares(x, T)
        kl = mp.fsum(a * mp.log(a / b) for a, b in zip(p, q, strict=True))
        assert kl >= 0
        assert abs(smooth_max(x, T) - dot(p, x) - T * entropy(p) - T * kl) <= TINY * size(x, T)
    return f"{proof}; not negative at {POINTS} random p"


@equation("eq-lse-cauchy")
def lse_cauchy() -> str:
    for k, (x, T) in enumerate(points()):
        n = len(x)
        for p in (distribution(n, k), shares(x, T), [mp.mpf(1) / n] * n, [mp.mpf(1), *[mp.mpf(0)] * (n - 1)]):
            squares = mp.fsum(v * v for v in p)
            assert smooth_max(x, T) >= dot(p, x) - T * mp.log(squares) - TINY * size(x, T)
            lost = entropy(p) + mp.log(squares)  # by how much the entropy bound is better
            assert lost >= -TINY
            if len({v for v in p if v > 0}) == 1:  # uniform on the classes it uses
                assert lost <= TINY
    return f"holds at {4 * POINTS} points, never above the entropy bound, equal to it for p uniform where positive"


@equation("eq-lse-convex")
def lse_convex() -> str:
    for k, (x, T) in enumerate(points()):
        rng = random.Random(k)
        y, theta = [mp.mpf(rng.gauss(0, 3)) for _ in x], mp.mpf(rng.uniform(0.05, 0.95))
        for other, straight in ((y, False), ([v + 2 for v in x], True)):
            middle = [theta * a + (1 - theta) * b for a, b in zip(x, other, strict=True)]
            slack = theta * smooth_max(x, T) + (1 - theta) * smooth_max(other, T) - smooth_max(middle, T)
            assert slack >= -TINY * size(x, T)
            assert not straight or slack <= TINY * size(x, T)
    return f"holds at {2 * POINTS} points, with equality along the diagonal to 45 digits"


@equation("eq-lse-lipschitz")
def lse_lipschitz() -> str:
    steepest = mp.mpf(0)
    for k, (x, T) in enumerate(points()):
        y = [v + random.Random(f"{k} {i}").gauss(0, 1) for i, v in enumerate(x)]
        largest = max(abs(a - b) for a, b in zip(x, y, strict=True))
        ratio = abs(smooth_max(x, T) - smooth_max(y, T)) / largest
        assert ratio <= 1 + TINY
        steepest = max(steepest, ratio)
        shifted = [v + 1 for v in x]
        assert abs(smooth_max(shifted, T) - smooth_max(x, T) - 1) <= TINY * size(x, T)  # the bound is reached
    return f"holds at {POINTS} pairs (largest ratio {mp.nstr(steepest, 4)}), reached by a common shift"


@equation("eq-lse-hessian")
def lse_hessian() -> str:
    proof = proofs.hessian.check()
    for k, (x, T) in enumerate(points()):
        p, v = shares(x, T), [mp.mpf(random.Random(k).gauss(0, 1)) + i for i in range(len(x))]
        form = dot(p, [a * a for a in v]) / T - dot(p, v) ** 2 / T  # v' (diag p - pp') v / T
        variance = dot(p, [(a - dot(p, v)) ** 2 for a in v])
        assert abs(form - variance / T) <= TINY * dot(v, v) / T
    return f"{proof}; the quadratic form is the variance at {POINTS} points"


@equation("eq-lse-curvature")
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
    return f"eigenvalues in [0, 1/(2T)] at {POINTS + len(ties)} points, the bound reached by two tied logits"
