"""Derivations and statements of the chapter "Controlling smoothness".

n logits x, a scale s; C classes of unit features and unit weights.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp
from mpmath import mp, mpf
from sympy import KroneckerDelta, exp, log

from gpkl_lib.derivations import Derivation, Norm, Numeric, Over, Statement, Step, interval, matrix
from gpkl_lib.derivations.notation import Partial, T, i, j, k, l, n, name, total
from gpkl_lib.derivations.vocabulary import logsumexp, softmax

x, w, f = (sp.IndexedBase(letter, real=True) for letter in "xwf")
v, p = sp.IndexedBase("v", real=True), sp.IndexedBase("p", positive=True)
W, features = sp.IndexedBase("W", real=True), sp.IndexedBase("f", real=True)
s, m, a, C, R, eta, eps = sp.symbols(r"s m a C R \eta \varepsilon", positive=True)
loss, L = name("L"), name("L")
lowest, top = name(r"x_{\min}"), name(r"x_{\max}")
EXTREMES = ((top, Over("max", x[i], i)), (lowest, Over("min", x[i], i)))

Rows = list[list[mpf]]


def unit_rows(rows: Rows) -> Rows:
    """Rows divided by their length."""
    return [[entry / mp.sqrt(mp.fsum(y * y for y in row)) for entry in row] for row in rows]


def simplex(size: int) -> Rows:
    """`size` unit vectors, the same angle between any two: the corners of a regular simplex about 0."""
    return unit_rows([[mpf(row == column) - mpf(1) / size for column in range(size)] for row in range(size)])


def cosines(weights: Rows, points: Rows) -> Rows:
    """The cosines [y][j] of the feature of class y and the weight of class j."""
    directions, unit = unit_rows(weights), unit_rows(points)
    return [[mp.fdot(feature, weight) for weight in directions] for feature in unit]


def mean_loss(cos: Rows, scale: mpf) -> mpf:
    """The mean over the classes of the cross-entropy of scale * cos."""
    return mp.fsum(
        mp.log(mp.fsum(mp.exp(scale * (other - row[y])) for other in row)) for y, row in enumerate(cos)
    ) / len(cos)


def mean_lead(cos: Rows) -> mpf:
    """The lead of the own class's cosine over the mean of the others', on average over the classes."""
    size = len(cos)
    return mp.fsum(row[y] - (mp.fsum(row) - row[y]) / (size - 1) for y, row in enumerate(cos)) / size


def _of_cosines(measure: Callable[..., mpf], *more: sp.Expr) -> Numeric:
    def f(value: Callable[[sp.Expr], mpf]) -> mpf:
        places = range(1, 1 + int(value(n)))
        given = ([[value(rows[row, column]) for column in places] for row in places] for rows in (W, features))
        return measure(cosines(*given), *map(value, more))

    return Numeric(f, [W, features, *more])


def _of_simplex(measure: Callable[..., mpf], *more: sp.Expr) -> Numeric:
    return Numeric(
        lambda value: measure(cosines(simplex(int(value(n))), simplex(int(value(n)))), *map(value, more)), [*more]
    )


with sp.evaluate(False):
    # ------------------------------------------------------------------ too small, too large

    lead = Derivation(
        "What a lead of m costs",
        [
            Step(log(total(exp(s * x[j]), j)) - s * x[k], "cross-entropy at the scale s, target k"),
            Step(log(total(exp(s * (x[j] - x[k])), j)), "take the target's score into the logarithm"),
            Step(log(1 + (n - 1) * exp(-s * m)), "the target itself, and n - 1 rivals m below it"),
        ],
        [(x[j], m * KroneckerDelta(j, k))],
    )

    margin = Statement(
        m, "=", log((n - 1) / (exp(eps) - 1)) / s,
        given=[(eps, log(1 + (n - 1) * exp(-s * m)))],
        where={s: interval(0.1, 30, log=True), m: interval(0.01, 3, log=True)},
        proof=True,
    )  # fmt: skip

    small = Statement(
        logsumexp(s * x) - s * top, ">=", log(1 + (n - 1) * exp(-s * R)),
        given=[*EXTREMES, (R, top - lowest)],
        tight={1: [(x[i], m * KroneckerDelta(i, 1))]},
        words="No rival is more than $R$ below the winner",
    )  # fmt: skip

    # ------------------------------------------------------------------ a temperature that is absorbed

    absorbed = Derivation(
        "One step of gradient descent at temperature T",
        [
            Step((w[k] - eta * T**2 * Partial(loss, w[k])) / T, "a step of eta T², then divided by T"),
            Step(v[k] - eta * T * Partial(loss, w[k]), "v = w/T"),
            Step(v[k] - eta * a * (p[k] - KroneckerDelta(k, l)), "the gradient of cross-entropy, over T"),
        ],
        [
            (loss, log(total(exp(a * w[j] / T), j)) - a * w[l] / T),
            (v[k], w[k] / T),
            (p[k], exp(a * v[k]) / total(exp(a * v[j]), j)),
        ],
    )

    # ------------------------------------------------------------------ what does control

    follows = Statement(
        softmax(a * x / Norm(a * x)), "=", softmax(x / Norm(x)),
        proof=True,
    )  # fmt: skip

    penalty = name(r"\Omega")
    incay = Derivation(
        "Which way the reciprocal norm pushes",
        [
            Step(-1 * Partial(penalty, f[k]), "downhill on the penalty"),
            Step(Partial(total(f[i] ** 2), f[k]) / total(f[i] ** 2) ** 2, "derivative of a reciprocal"),
            Step(2 * f[k] / total(f[i] ** 2) ** 2, "only the term i = k depends on it"),
        ],
        [(penalty, 1 / total(f[i] ** 2))],
    )

    w_bar, f_bar = name(r"\bar{w}"), name(r"\bar{f}")
    pairing = Derivation(
        "Own pairs against all pairs",
        [
            Step(total((w[i] - w_bar) * (f[i] - f_bar)), "one coordinate: deviations of weights and features"),
            Step(total(w[i] * (f[i] - f_bar)) - w_bar * total(f[i] - f_bar), "multiply out the first bracket"),
            Step(total(w[i] * (f[i] - f_bar)), "deviations from the mean add up to 0"),
            Step(total(w[i] * f[i]) - n * w_bar * f_bar, "the sum of the weights is n times their mean"),
        ],
        [(w_bar, total(w[i]) / n), (f_bar, total(f[i]) / n)],
    )

    Delta = name(r"\Delta")
    normface = Statement(
        L, ">=", log(1 + (C - 1) * exp(-s * Delta)), ">=", log(1 + (C - 1) * exp(-(s * (C / (C - 1))))),
        given=[(L, _of_cosines(mean_loss, s)), (Delta, _of_cosines(mean_lead)), (C, n)],
        where={W: matrix(-1, 1), features: matrix(-1, 1)},
        tight={
            1: [(L, _of_simplex(mean_loss, s)), (Delta, _of_simplex(mean_lead))],
            2: [(Delta, _of_simplex(mean_lead))],
        },
        words="The sum of $C - 1$ exponentials is at least",
    )  # fmt: skip

    needed = Statement(
        s, "=", (C - 1) / C * log((C - 1) / (exp(eps) - 1)),
        given=[(eps, log(1 + (C - 1) * exp(-(s * (C / (C - 1)))))), (C, n)],
        proof=True,
    )  # fmt: skip

DERIVATIONS = (lead, absorbed, incay, pairing)
