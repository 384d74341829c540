r"""Derivations and statements of the chapter "Probabilities from a noisy argmax".

n scores s (and t, of a second view), noise \varepsilon with the distribution function \Phi and the density \varphi.
Where a formula holds for every noise, its object takes logistic noise, and its check the library's seven.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp
from sympy import exp, log

from gpkl_lib.derivations import (
    Derivation,
    Inner,
    Integral,
    Numeric,
    Over,
    Statement,
    Step,
    Together,
    function,
    interval,
    matrix,
    vector,
)
from gpkl_lib.derivations.notation import Partial, c, i, j, k, n, s, t, total
from gpkl_lib.derivations.vocabulary import logsumexp, sigma, sigma_slope, softmax

noise = sp.IndexedBase(r"\varepsilon", real=True)
p, q, rho, P = (sp.IndexedBase(letter, real=True) for letter in ("p", "q", r"\rho", "P"))
I, J = sp.symbols("I J", integer=True, positive=True)  # noqa: E741  (who wins, in one view and in the other)
x = sp.Symbol("x", real=True)
m, u = sp.symbols("m u", positive=True)
ZERO, ONE = sp.S.Zero, sp.S.One
MILD = ("mild", "close", "one-hot", "half precision")
SCORES = {s: vector(-3, 3), t: vector(-3, 3)}
LEAD = {m: interval(0.1, 5)}


def winner(scores: sp.IndexedBase) -> Numeric:
    """The index of the largest of the scores with their noise."""

    def find(value: Callable[[sp.Expr], Any]) -> int:
        return max(range(1, int(value(n)) + 1), key=lambda place: value(scores[place] + noise[place]))

    return Numeric(find, [scores, noise])


with sp.evaluate(False):
    # ------------------------------------------------------------------ one integral for every noise

    Phi = function(r"\Phi(#1)", (c,), 1 / (1 + exp(-c)))
    inverse = function(r"\Phi^{-1}(#1)", (c,), log(c) - log(1 - c))
    phi = function(r"\varphi(#1)", (c,), 1 / ((1 + exp(-c)) * (1 + exp(c))))
    probability = Statement(
        Integral(phi(x - s[k]) / Phi(x - s[k]) * Over("prod", Phi(x - s[j]), j), x, -sp.oo, ZERO, sp.oo),
        "=", Integral(1 / u * Over("prod", Phi(inverse(u) + s[k] - s[j]), j), u, ZERO, ONE),
        where=SCORES, kinds=MILD,
        words="Fix where it stands, at $x$; all others must stay below",
    )  # fmt: skip

    def _curve(mark: str, body: sp.Expr) -> sp.Expr:
        return function(rf"P_{{\mathrm{{{mark}}}}}(#1)", (m,), body)(m)

    normal = exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)
    arctan = function(r"\arctan(#1)", (c,), sp.atan(c))
    two = Together(
        Statement(
            _curve("uni", Integral((x + m), x, ZERO, 1 - m) + m), "=", 1 - (1 - m) ** 2 / 2,
            where={m: interval(0, 1)}, kinds=MILD, words="For a uniform pair the noises fill a square",
        ),
        Statement(
            _curve("exp", Integral(exp(-x) * (1 - exp(-(x + m))), x, ZERO, sp.oo)), "=", 1 - exp(-m) / 2,
            where=LEAD, kinds=MILD, words="Exponential noise has no memory: half of the time",
        ),
        Statement(
            _curve("norm", Integral(normal * (1 + sp.erf((x + m) / sp.sqrt(2))) / 2, x, -sp.oo, ZERO, sp.oo)), "=",
            (1 + sp.erf(m / 2)) / 2,
            where=LEAD, kinds=MILD, words="The difference of two normal or Cauchy noises",
        ),
        Statement(
            _curve(
                "lap",
                Integral(exp(-x) / 2 * (1 - exp(-(x + m)) / 2), x, ZERO, sp.oo)
                + Integral(exp(x) / 2 * (1 - exp(-(x + m)) / 2), x, -m, ZERO)
                + Integral(exp(x) / 2 * exp(x + m) / 2, x, -sp.oo, -m),
            ),
            "=", 1 - (1 + m / 2) * exp(-m) / 2,
            where=LEAD, kinds=MILD, words="For Laplace and logistic noise",
        ),
        Statement(
            _curve("log", Integral(phi(x) * Phi(x + m), x, -sp.oo, ZERO, sp.oo)), "=",
            exp(m) * (exp(m) - 1 - m) / (exp(m) - 1) ** 2,
            where=LEAD, kinds=MILD, words="For Laplace and logistic noise",
        ),
        Statement(
            _curve(
                "cau", Integral((sp.Rational(1, 2) + arctan(m + sp.sin(x) / sp.cos(x)) / sp.pi) / sp.pi,
                                x, -sp.pi / 2, ZERO, sp.pi / 2)
            ),
            "=", sp.Rational(1, 2) + arctan(m / 2) / sp.pi,
            where=LEAD, kinds=MILD, words="The difference of two normal or Cauchy noises",
        ),
    )  # fmt: skip

    # ------------------------------------------------------------------ Gumbel noise

    double = function(r"\Phi(#1)", (c,), exp(-exp(-c)))
    maximum = Derivation(
        "The largest of scores with Gumbel noise",
        [
            Step(total(log(double(x - s[j])), j), "log of the probability that all noisy scores stay below x"),
            Step(total(-exp(-(x - s[j])), j), "Gumbel noise: a double exponential"),
            Step(-exp(-x) * total(exp(s[j]), j), "x is the same in every term"),
            Step(-exp(-(x - logsumexp(s))), "a factor is a shift of the exponent"),
            Step(log(double(x - logsumexp(s))), "Gumbel noise again, on one score"),
        ],
    )

    power = function(r"\Phi(\Phi^{-1}(#1) + #2)", (u, c), exp(-exp(-(-log(-log(u)) + c))))
    gumbel = Together(
        Statement(
            power(u, m), "=", u ** exp(-m),
            where={u: interval(0, 1), **LEAD}, kinds=MILD, words="A shift of the noise by $m$ is a power of the rank",
        ),
        Statement(
            Integral(1 / u * Over("prod", power(u, s[k] - s[j]), j), u, ZERO, ONE),
            "=", Integral(u ** (total(exp(s[j] - s[k]), j) - 1), u, ZERO, ONE),
            "=", 1 / total(exp(s[j] - s[k]), j),
            "=", softmax(s)[k],
            where=SCORES, kinds=MILD, words="A shift of the noise by $m$ is a power of the rank",
        ),
    )  # fmt: skip

    # ------------------------------------------------------------------ the same noise on both views

    largest = function(r"\max(#1)", (s,), Over("max", s[i], i))
    WINNERS = [(I, winner(s)), (J, winner(t))]
    subgradient = Statement(
        largest(t + noise), ">=", largest(s + noise) + t[I] - s[I],
        given=WINNERS, tight={1: [(t[i], s[i] + c)]},
        words=r"the right side is $t_I + \varepsilon_I$, one of those",
    )  # fmt: skip
    sample = Statement(
        (s[I] - t[I]) - (s[J] - t[J]), ">=", ZERO,
        given=WINNERS, tight={1: [(t[i], s[i] + c)]},
        words="The proof takes two inequalities. $I$ wins",
    )  # fmt: skip
    coupling = Statement(
        Inner(p - q, s - t), "=", total(total(rho[i, j] * ((s[i] - t[i]) - (s[j] - t[j])), j), i),
        given=[(p[i], total(rho[i, j], j)), (q[i], total(rho[j, i], j))],
        where={rho: matrix(0, 1)}, proof=True,
        words="Sum each bracket below over the index",
    )  # fmt: skip

    # ------------------------------------------------------------------ one threshold a span

    D_sigma = function(r"D_{\sigma}(#1, #2)", (s, t), total((sigma(s[i]) - sigma(t[i])) * (s[i] - t[i])))
    between = Integral(sigma_slope(x), x, -sp.Max(s[i], t[i]), ZERO, -sp.Min(s[i], t[i]))
    span = Statement(
        D_sigma(s, t), "=", total(sp.Abs(s[i] - t[i]) * P[i]),
        given=[(P[i], between)],
        where=SCORES, kinds=MILD,
        words=r"exactly when $-\varepsilon$ falls between their",
    )  # fmt: skip

    # ------------------------------------------------------------------ a gradient through a sample

    logistic_curve = function(r"P_{\mathrm{log}}(#1)", (c,), exp(c) * (exp(c) - 1 - c) / (exp(c) - 1) ** 2)
    straight = Statement(
        Integral(sigma_slope(x) * sigma_slope(x + m), x, -sp.oo, ZERO, sp.oo), "=", Partial(logistic_curve(m), m),
        where=LEAD, kinds=MILD,
    )  # fmt: skip

DERIVATIONS = (maximum,)
