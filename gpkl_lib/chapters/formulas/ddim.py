r"""Derivations and statements of the chapter "DDIM = DDPM from above".

A level of noise is x = a x_0 + b \varepsilon with a^2 + b^2 = 1; a', b' and x' belong to the next lower one. Data are
one number, or, in the comparison with D, n of them.
"""

from __future__ import annotations

import sympy as sp
from sympy import sqrt

from gpkl_lib.chapters.formulas.kl_divergence import KL_normal
from gpkl_lib.derivations import Inner, Norm, Statement, Together, function, interval, vector
from gpkl_lib.derivations.notation import c, i
from gpkl_lib.derivations.vocabulary import softmax

a, b, low_a, low_b = sp.symbols("a b a' b'", positive=True)
omega, width = sp.symbols(r"\omega v", positive=True)
shrink = sp.Symbol("r", real=True)
x, x0, lower, x0_hat, noise, noise_hat, mean = sp.symbols(
    r"x x_{0} x' \hat{x}_{0} \varepsilon \hat{\varepsilon} \mu", real=True
)
kappa, lam, gap, m, m_hat = sp.symbols(r"\kappa \lambda g m \hat{m}", real=True)
points, theta, theta_hat, ms, ms_hat = (
    sp.IndexedBase(letter, real=True) for letter in (r"\mu", r"\theta", r"\hat{\theta}", "m", r"\hat{m}")
)
MILD = ("mild", "close", "one-hot", "half precision")
APART = ("mild", "close", "wide", "opposite")  # at the other kinds two numbers of one interval are equal
# a below a', so that b is above b'; and omega below every b'
LEVELS = {a: interval(0.05, 0.5), low_a: interval(0.6, 0.95), omega: interval(0.02, 0.3)}
CIRCLE = [(b, sqrt(1 - a**2)), (low_b, sqrt(1 - low_a**2))]

with sp.evaluate(False):
    # ------------------------------------------------------------------ two equations, three unknowns

    kept = sqrt(low_b**2 - omega**2)
    SOLUTION = [(lam, low_a - kappa * a), (kappa, kept / b), *CIRCLE]
    unknowns = Together(
        Statement(kappa * a + lam, "=", low_a, given=SOLUTION, where=LEVELS, kinds=MILD),
        Statement(kappa**2 * b**2 + omega**2, "=", low_b**2, given=SOLUTION, where=LEVELS, kinds=MILD),
    )
    move = Statement(
        kappa * x + lam * x0, "=", low_a * x0 + kept * noise,
        given=[(x, a * x0 + b * noise), *SOLUTION], where=LEVELS, kinds=MILD,
    )  # fmt: skip
    posterior = Statement(
        1 / low_b**2 + a**2 / (low_a**2 - a**2), "=", b**2 / (low_b**2 * (1 - a**2 / low_a**2)),
        given=CIRCLE, where=LEVELS, kinds=MILD,
    )  # fmt: skip

    # ------------------------------------------------------------------ KL, and D

    FREE = {x0: interval(-2, 2), noise: interval(-1, 1), noise_hat: interval(-1, 1)}
    cost = Together(
        Statement(
            KL_normal(m, omega, m_hat, omega), "=", (m - m_hat) ** 2 / (2 * omega**2),
            where={m: interval(-2, 2), m_hat: interval(-2, 2), omega: interval(0.3, 2)}, kinds=APART,
            words="Two Gaussians of one width differ in their means alone",
        ),
        Statement(
            m_hat - m, "=", gap * (noise - noise_hat),
            given=[
                (m, kappa * x + lam * x0), (m_hat, kappa * x + lam * x0_hat), (gap, low_a * b / a - kept),
                (x0_hat, (x - b * noise_hat) / a), (x, a * x0 + b * noise), *SOLUTION,
            ],
            where={**LEVELS, **FREE}, kinds=APART,
        ),
        Statement(gap, "=", low_a * b / a - kept, given=[(gap, lam * b / a), *SOLUTION], where=LEVELS, kinds=APART),
    )  # fmt: skip
    f = function("f(#1)", (c,), omega**2 * c)
    thread = Statement(
        Inner(f(theta) - f(theta_hat), theta - theta_hat), "=", Norm(ms - ms_hat) ** 2 / omega**2,
        given=[(theta[i], ms[i] / omega**2), (theta_hat[i], ms_hat[i] / omega**2)],
        where={omega: interval(0.1, 3), ms: vector(-3, 3), ms_hat: vector(-3, 3)}, kinds=MILD,
    )  # fmt: skip

    # ------------------------------------------------------------------ Gaussian data: everything exact

    spread = a**2 * width**2 + b**2
    best = Together(
        Statement(
            noise**2 / 2 + (x - a * mean - b * noise) ** 2 / (2 * a**2 * width**2), "=",
            spread / (2 * a**2 * width**2) * (noise - noise_hat) ** 2 + (x - a * mean) ** 2 / (2 * spread),
            given=[(noise_hat, b * (x - a * mean) / spread), *CIRCLE[:1]],
            where={**LEVELS, width: interval(0.1, 2)}, kinds=MILD,
        ),
        Statement(
            noise_hat, "=", b * (x - a * mean) / spread,
            given=[(noise_hat, b / spread * x - a * b / spread * mean), *CIRCLE[:1]],
            where={**LEVELS, width: interval(0.1, 2)}, kinds=MILD,
        ),
    )  # fmt: skip
    ratio = (a * low_a * width**2 + b * kept) / spread
    recursion = Together(
        Statement(
            low_a * x0_hat + kept * noise_hat - low_a * mean, "=", shrink * (x - a * mean),
            given=[
                (x0_hat, (x - b * noise_hat) / a), (noise_hat, b * (x - a * mean) / spread), (shrink, ratio), *CIRCLE,
            ],
            where={**LEVELS, width: interval(0.1, 2)}, kinds=MILD,
        ),
        Statement(
            shrink, "=", ratio,
            given=[(shrink, low_a / a * (1 - b**2 / spread) + kept * b / spread), *CIRCLE],
            where={**LEVELS, width: interval(0.1, 2)}, kinds=MILD,
        ),
    )  # fmt: skip
    lost = Statement(
        low_a**2 * width**2 + low_b**2 - (shrink**2 * spread + omega**2), "=",
        width**2 / spread * (low_a * b - a * kept) ** 2,
        given=[(shrink, ratio), *CIRCLE],
        where={**LEVELS, width: interval(0.1, 2)}, kinds=MILD,
    )  # fmt: skip

    # ------------------------------------------------------------------ the road, and the softmax

    euler = Statement(
        lower / low_a - x / a, "=", (low_b / low_a - b / a) * noise_hat,
        given=[(lower, low_a * x0_hat + low_b * noise_hat), (x0_hat, (x - b * noise_hat) / a), *CIRCLE],
        where=LEVELS, kinds=MILD,
    )  # fmt: skip
    attention = Statement(
        Inner(softmax(-((x - a * points) ** 2 / (2 * b**2))), points), "=",
        Inner(softmax((x * points - a * points**2 / 2) * (a / b**2)), points),
        given=CIRCLE[:1], where={a: interval(0.1, 0.95), x: interval(-3, 3), points: vector(-3, 3)}, kinds=MILD,
        words="A term that all exponents share",
    )  # fmt: skip
