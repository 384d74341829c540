r"""Statements of the chapter "Whitening with two exponents".

n variances \Lambda along the axes of a cloud, its mean \mu along the same axes; a rotation changes nothing here.
\gamma says how far the variances are evened out. In the last formula x are n points of n numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp
from mpmath import mp, mpf
from sympy import KroneckerDelta, exp, log

from gpkl_lib.derivations import Inner, Numeric, Statement, Together, function, interval, matrix, vector
from gpkl_lib.derivations.notation import Partial, i, j, n, name, total
from gpkl_lib.derivations.vocabulary import softmax

Lambda, V = (sp.IndexedBase(letter, positive=True) for letter in (r"\Lambda", "V"))
mu, u, v, x = (sp.IndexedBase(letter, real=True) for letter in (r"\mu", "u", "v", "x"))
gamma, m = sp.Symbol(r"\gamma", real=True), sp.Symbol("m", positive=True)
SPECTRUM = {Lambda: vector(0.05, 20), gamma: interval(0, 1)}
MILD = ("mild", "close", "opposite", "shifted")


def _whitened(value: Callable[[sp.Expr], Any]) -> Any:
    """The points x without their mean, turned to their axes and divided by their widths there; the width 0 left out."""
    size = int(value(n))
    rows = mp.matrix([[value(x[a, b]) for b in range(1, size + 1)] for a in range(1, size + 1)])
    centred = rows - mp.ones(size, 1) * (mp.ones(1, size) * rows) / size
    spectrum, directions = mp.eigsy(centred.T * centred / size)  # the smallest first, which is 0
    turned = centred * directions
    return [[turned[a, b] / mp.sqrt(spectrum[b]) for b in range(1, size)] for a in range(size)]


def _inner(value: Callable[[sp.Expr], Any], a: int, b: int) -> mpf:
    rows = _whitened(value)
    return mp.fsum(p * q for p, q in zip(rows[a - 1], rows[b - 1], strict=True))


def _cosine(value: Callable[[sp.Expr], Any]) -> mpf:
    return _inner(value, 1, 2) / mp.sqrt(_inner(value, 1, 1) * _inner(value, 2, 2))


with sp.evaluate(False):
    # ------------------------------------------------------------------ a temperature on the spectrum

    logs = function(r"\log \Lambda", (), log(Lambda[i]), index=i)
    spectrum = Together(
        Statement(
            Lambda[i] * (1 / sp.sqrt(Lambda[i] ** gamma)) ** 2, "=", Lambda[i] ** (1 - gamma),
            where=SPECTRUM, proof=True,
        ),
        Statement(
            Lambda[i] ** (1 - gamma) / total(Lambda[j] ** (1 - gamma), j), "=", softmax((1 - gamma) * logs())[i],
            where=SPECTRUM, words="The exponential of $(1 - \\gamma) \\log \\Lambda_i$ is",
        ),
    )  # fmt: skip
    ratio = Statement(
        total(V[i]) ** 2 / total(V[i] ** 2), "=", 1 / total((V[i] / total(V[j], j)) ** 2), "<=", n,
        where={V: vector(0.05, 20)}, tight={2: [(V[i], m)]}, words="Cauchy-Schwarz for the numbers $V_i$",
    )  # fmt: skip

    # ------------------------------------------------------------------ how far from round, in nats

    nats = function("K(#1)", (gamma,), total(Lambda[i] ** (1 - gamma) - 1 - (1 - gamma) * log(Lambda[i])) / 2)
    roundness = Together(
        Statement(
            nats(gamma), "=", total(log(1 / sp.sqrt(V[i])) + V[i] / 2 - sp.Rational(1, 2)),
            "=", total(exp(v[i]) - 1 - v[i]) / 2, ">=", sp.S.Zero,
            given=[(v[i], (1 - gamma) * log(Lambda[i])), (V[i], Lambda[i] ** (1 - gamma))],
            where=SPECTRUM, tight={3: [(Lambda[i], sp.S.One)]}, words="The line $1 + v$",
        ),
        Statement(
            Partial(nats(gamma), gamma),
            "=", total((1 - Lambda[i] ** (1 - gamma)) * log(Lambda[i])) / 2, "<=", sp.S.Zero,
            where=SPECTRUM, tight={2: [(Lambda[i], sp.S.One)]}, words="The two factors never have the same sign",
        ),
    )  # fmt: skip

    # ------------------------------------------------------------------ with the mean left in

    solved = [(u[i], mu[i] / (Lambda[i] * (1 + m))), (m, total(mu[j] ** 2 / Lambda[j], j))]
    places = {Lambda: vector(0.05, 20), mu: vector(-3, 3)}
    known: dict[str, Any] = {"given": solved, "where": places, "words": "Put $u$ into the first line"}
    mean = Together(
        Statement(Lambda[i] * u[i] + mu[i] * Inner(mu, u), "=", mu[i], **known),
        Statement(Inner(mu, u), "=", m / (1 + m), "<", sp.S.One, **known),
    )

    # ------------------------------------------------------------------ too few points

    product, cosine = name(r"\langle \tilde{x}_{i}, \tilde{x}_{j} \rangle"), name(r"\cos(\tilde{x}_{1}, \tilde{x}_{2})")
    simplex = Together(
        Statement(
            product, "=", n * KroneckerDelta(i, j) - 1,
            given=[(product, Numeric(lambda value: _inner(value, int(value(i)), int(value(j))), [x, i, j]))],
            where={x: matrix(-3, 3)}, kinds=MILD, words="Let $A$ have the left singular vectors",
        ),
        Statement(
            cosine, "=", -1 / (n - 1),
            given=[(cosine, Numeric(_cosine, [x]))],
            where={x: matrix(-3, 3)}, kinds=MILD, words="Let $A$ have the left singular vectors",
        ),
    )  # fmt: skip
