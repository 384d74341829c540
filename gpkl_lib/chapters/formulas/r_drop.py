"""Statements of the chapter "R-Drop": the loss, its gradient, what it measures, and where it starts badly.

Two views s and t of one example with n classes, y the right one; p = softmax(s), q = softmax(t). In the statements on
GlobalPointer f is the sigmoid and s, t are scores of spans.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp
from mpmath import mp
from sympy import exp, log

from gpkl_lib.derivations import BigO, Inner, Numeric, Statement, Together, function, interval
from gpkl_lib.derivations.notation import Partial, i, j, n, name, s, t, total
from gpkl_lib.derivations.vocabulary import KL, sigma, sigma_slope, softmax

p, q, x = (sp.IndexedBase(letter, real=True) for letter in "pqx")
y = sp.Symbol("y", integer=True, positive=True)
alpha = sp.Symbol(r"\alpha", positive=True)
a, b, g, m, c = sp.symbols("s t g m c", real=True)  # one score in two views, their difference, their mean; a constant
P, N = sp.symbols("P N", positive=True)
best = name(r"c^{\ast}")
SPANS = {P: interval(1, 30), N: interval(55, 1e6, log=True)}

with sp.evaluate(False):
    VIEWS = ((p[i], softmax(s)[i]), (q[i], softmax(t)[i]))
    CE = function(r"\mathrm{CE}(#1)", (x,), log(total(exp(x[j]), j)) - x[y])
    f = function("f(#1)", (x,), exp(x[i]) / total(exp(x[j]), j), index=i)
    D = function(
        "D(#1, #2)", (s, t), total((softmax(s)[i] - softmax(t)[i]) * (log(softmax(s)[i]) - log(softmax(t)[i])))
    )
    LOSS, PAPER = name(r"\mathcal{L}"), name(r"\mathcal{L}_{\text{paper}}")
    BY_HAND = -log(p[y]) - log(q[y]) + alpha / 2 * total((p[i] - q[i]) * (log(p[i]) - log(q[i])))

    paper = Statement(
        PAPER, "=", CE(s) + CE(t) + alpha / 2 * (KL(p, q) + KL(q, p)),
        given=[(PAPER, BY_HAND), *VIEWS],
    )  # fmt: skip
    loss = Together(
        Statement(LOSS, "=", (CE(s) + CE(t)) / 2 + alpha / 4 * D(s, t), given=[(LOSS, BY_HAND / 2), *VIEWS]),
        Statement(D(s, t), "=", Inner(f(s) - f(t), s - t)),
    )

    D_SIGMA = function("D(#1, #2)", (s, t), total((sigma(s[j]) - sigma(t[j])) * (s[j] - t[j]), j))
    gradient = Statement(
        Partial(D_SIGMA(s, t), s[i]), "=", sigma(s[i]) - sigma(t[i]) + sigma_slope(s[i]) * (s[i] - t[i])
    )

    D_ONE = function("D(#1, #2)", (a, b), (sigma(a) - sigma(b)) * (a - b))
    SQUARE = name(r"\mathbb{E} \, (s - t)^{2}")
    Var = function(r"\operatorname{Var}(s)", (x,), total((x[i] - total(x[j], j) / n) ** 2) / n)
    variance = Together(
        Statement(
            D_ONE(a, b), "=", sigma_slope(m) * g**2 + BigO(g**4),
            given=[(a, m + g / 2), (b, m - g / 2)], where={g: interval(1e-12, 1e-9), m: interval(-8, 8)},
            words="The first one has no odd powers, for $D$ is the same",
        ),
        Statement(SQUARE, "=", 2 * Var(x), given=[(SQUARE, total(total((x[i] - x[j]) ** 2, j)) / n**2)]),
    )  # fmt: skip


def _lowest(value: Callable[[sp.Expr], Any]) -> Any:
    """The place where the slope of the loss of a constant changes its sign, found without the closed form."""
    others, gold = value(N - P), value(P)
    return mp.findroot(lambda v: others / (others + mp.exp(-v)) - gold / (gold + mp.exp(v)), (-1, 1))


with sp.evaluate(False):
    plateau = Together(
        Statement(
            log(1 + (N - P) * exp(c)) + log(1 + P * exp(-c)), ">=", 2 * log(1 + sp.sqrt(P * (N - P))),
            where=SPANS, tight={1: [(c, log(P / (N - P)) / 2)]}, words="Setting the derivative to zero gives",
        ),
        Statement(best, "=", log(P / (N - P)) / 2, given=[(best, Numeric(_lowest, [N, P]))], where=SPANS,
                  words="Setting the derivative to zero gives"),
    )  # fmt: skip
