"""The checks of the chapter "DDIM = DDPM from above": its objects, and beside them the samplers of its explorable."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import partial

import torch

from gpkl_lib import softmax, symmetric_kl
from gpkl_lib.chapters.formulas import ddim as proofs
from gpkl_lib.derivations import equation
from gpkl_lib.explore.one_noise_many_roads import LEVELS, Bump, Move, gaussian, guess, plan, roads, schedule

Tensor = torch.Tensor
SAMPLERS = list(itertools.product((1, 2, 10, 100, LEVELS), (0.0, 0.5, 1.0)))
BUMP = Bump(1.0, 1.5, 0.2)


def moves() -> Iterator[Move]:
    """The moves of samplers with few and many steps, without new noise and with DDPM's."""
    return (move for steps, eta in SAMPLERS for move in plan(steps, eta))


def close(one: float, other: float, size: float = 1.0) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12 * size)


@equation("eq-ddim-unknowns", shows=proofs.unknowns)
def unknowns() -> str:
    for a, b, low_a, low_b, kept, new in moves():
        kappa = kept / b
        lam = low_a - kappa * a
        assert close(kappa * a + lam, low_a)
        assert close((kappa * b) ** 2 + new**2, low_b**2)
    return f"{proofs.unknowns.check()}; kept by every step of {len(SAMPLERS)} samplers of the explorable"


@equation("eq-ddim-move", shows=proofs.move)
def move() -> str:
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)
    for a, b, low_a, low_b, kept, _ in moves():
        e = guess(x, a, b, (BUMP,))
        clean = (x - b * e) / a
        kappa = kept / b
        stepped = roads(x, [Move(a, b, low_a, low_b, kept, 0.0)], (BUMP,))[-1]
        torch.testing.assert_close(kappa * x + (low_a - kappa * a) * clean, stepped, rtol=0, atol=1e-9)
    return f"{proofs.move.check()}; the explorable steps so"


@equation("eq-ddim-posterior", shows=proofs.posterior)
def posterior() -> str:
    a, b = schedule()
    for k in (2, 10, 100, 500, LEVELS):
        step = plan(LEVELS, 1.0)[LEVELS - k]
        precision = 1 / b[k - 1] ** 2 + a[k] ** 2 / (a[k - 1] ** 2 - a[k] ** 2)
        assert math.isclose(1 / step.new**2, precision, rel_tol=1e-9)
    return f"{proofs.posterior.check()}; DDPM's noise in the explorable has this precision"


@equation("eq-ddim-kl", shows=proofs.cost)
def cost() -> str:
    x = torch.linspace(-12, 12, 400_001, dtype=torch.float64)
    worst = 0.0
    for m, m_hat, omega in ((0.3, -0.4, 0.5), (0.0, 1.0, 1.0), (2.0, 1.9, 0.2)):
        p, q = (torch.softmax(-((x - mean) ** 2) / (2 * omega**2), -1) for mean in (m, m_hat))
        on_grid = torch.nn.functional.kl_div(q.log().clamp(min=-800), p, reduction="sum").item()
        worst = max(worst, abs(on_grid - (m - m_hat) ** 2 / (2 * omega**2)))
    assert worst < 1e-9
    return f"{proofs.cost.check()}; torch's kl_div on a fine grid within {worst:.0e}"


@equation("eq-ddim-thread", shows=proofs.thread)
def thread() -> str:
    generator = torch.Generator().manual_seed(0)
    m, m_hat = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    for omega in (0.1, 1.0, 3.0):
        D = symmetric_kl(m / omega**2, m_hat / omega**2, activation=partial(torch.mul, omega**2))
        torch.testing.assert_close(D, (m - m_hat).square().sum() / omega**2, rtol=1e-12, atol=0)
    identity = symmetric_kl(m, m_hat, activation=lambda t: t)
    torch.testing.assert_close(identity, (m - m_hat).square().sum(), rtol=1e-12, atol=0)
    return f"{proofs.thread.check()}; so says gpkl_lib's symmetric_kl with this f"


@equation("eq-ddim-best", shows=proofs.best)
def best() -> str:
    e = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    for a, x in ((0.1, 0.4), (0.7, -1.0), (0.95, 2.0)):
        b = math.sqrt(1 - a * a)
        weight = torch.softmax(-(e**2) / 2 - (x - a * BUMP.mean - b * e) ** 2 / (2 * (a * BUMP.width) ** 2), -1)
        found = guess(torch.tensor([x], dtype=torch.float64), a, b, (BUMP,)).item()
        assert math.isclose((weight * e).sum().item(), found, abs_tol=1e-9)
    return f"{proofs.best.check()}; the explorable's guess is the mean by quadrature"


@equation("eq-ddim-recursion", shows=proofs.recursion)
def recursion() -> str:
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)
    for a, b, low_a, low_b, kept, _ in moves():
        ratio = (a * low_a * BUMP.width**2 + b * kept) / ((a * BUMP.width) ** 2 + b * b)
        stepped = roads(x, [Move(a, b, low_a, low_b, kept, 0.0)], (BUMP,))[-1]
        torch.testing.assert_close(stepped - low_a * BUMP.mean, ratio * (x - a * BUMP.mean), rtol=0, atol=1e-9)
    return f"{proofs.recursion.check()}; so the explorable steps"


@equation("eq-ddim-lost", shows=proofs.lost)
def lost() -> str:
    for steps in (1, 2, 10, 100, LEVELS):
        spreads = [gaussian(plan(steps, eta), BUMP)[1] for eta in (0.0, 0.25, 0.5, 0.75, 1.0)]
        assert BUMP.width > spreads[0]
        assert all(more > less for more, less in itertools.pairwise(spreads)) or steps == 1
    return f"{proofs.lost.check()}; the explorable's spread is too small, the more so the more new noise"


@equation("eq-ddim-euler", shows=proofs.euler)
def euler() -> str:
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)
    for step in plan(50):
        stepped = roads(x, [step], (BUMP,))[-1]
        slope = step.b_next / step.a_next - step.b / step.a
        e = guess(x, step.a, step.b, (BUMP,))
        torch.testing.assert_close(stepped / step.a_next - x / step.a, slope * e, rtol=1e-9, atol=1e-9)
    return f"{proofs.euler.check()}; so the explorable steps without new noise"


@equation("eq-ddim-attention", shows=proofs.attention)
def attention() -> str:
    points = torch.tensor([-1.0, 0.2, 0.5, 1.4], dtype=torch.float64)
    narrow = tuple(Bump(0.25, mean, 1e-9) for mean in points.tolist())
    x = torch.linspace(-3, 3, 13, dtype=torch.float64)
    for a in (0.1, 0.5, 0.9):
        b = math.sqrt(1 - a * a)
        scores = (a / b**2) * (x[:, None] * points - a * points**2 / 2)
        attended = softmax(scores) @ points
        torch.testing.assert_close((x - b * guess(x, a, b, narrow)) / a, attended, rtol=0, atol=1e-7)
    return f"{proofs.attention.check()}; so denoises the explorable, of bumps without width"
