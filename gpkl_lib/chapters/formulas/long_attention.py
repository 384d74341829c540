r"""Statements of the chapter "Attention on long inputs".

k of n keys lead all others by m; softmax at the scale \lambda gives them together the mass \pi. \rho is a share k/n,
\tau the width of normal scores, M the mean of e^{\lambda x} over those of width 1.
"""

from __future__ import annotations

import sympy as sp
from sympy import exp, log

from gpkl_lib.derivations import Statement, Together, function, interval
from gpkl_lib.derivations.notation import T, i, n, name
from gpkl_lib.derivations.vocabulary import F, softmax, x

k, m, lam, rho, tau = sp.symbols(r"k m \lambda \rho \tau", positive=True)
pi = name(r"\pi")
FEW = {k: interval(0.1, 1.9), m: interval(0.1, 5), lam: interval(0.1, 5)}  # fewer than n, which is 2 to 5
SHARE = interval(0.05, 0.95)

with sp.evaluate(False):
    mass = Statement(
        pi, "=", k * exp(lam * m) / (k * exp(lam * m) + (n - k)), "=", 1 / (1 + (n - k) / k * exp(-lam * m)),
        given=[(pi, k * exp(lam * m) / (k * exp(lam * m) + (n - k)))], where=FEW, proof=True,
    )  # fmt: skip

    scale = Statement(
        lam * m, "=", log(pi / (1 - pi)) + log((n - k) / k),
        given=[(pi, 1 / (1 + (n - k) / k * exp(-lam * m)))], where=FEW,
        proof=True,
    )  # fmt: skip

    rules = Together(
        Statement(log((n - k) / k), "=", log(n) - log(k) + log(1 - k / n), where=FEW, proof=True),
        Statement(log((n - k) / k), "=", log((1 - rho) / rho), given=[(k, rho * n)], where={rho: SHARE}, proof=True),
    )  # fmt: skip

    M = function("M(#1)", (lam,), exp(lam**2 / 2))
    keys = Statement(
        M(lam * tau) ** 2 / M(2 * lam * tau), "=", exp(-(lam**2) * tau**2),
        where={lam: interval(0.1, 5), tau: interval(0.05, 2)}, proof=True,
    )  # fmt: skip

    gap = Statement(F(T, x) - x[i], "=", -T * log(softmax(x / T)[i]), proof=True)
