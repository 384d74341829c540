r"""Derivations and statements of the chapter "Training the accuracy itself".

Points x with labels y, 1 or 0, and logits w(x - b). The three points are -1/4 and 0, labelled 0, and 1/4, labelled 1.
"""

from __future__ import annotations

import sympy as sp
from sympy import KroneckerDelta, exp, log

from gpkl_lib.derivations import Derivation, Statement, Step, Together, function, interval, vector
from gpkl_lib.derivations.notation import Partial, T, i, k, l, name, s, total
from gpkl_lib.derivations.vocabulary import sigma, sigma_slope, softmax

x, y, p = (sp.IndexedBase(letter, real=True) for letter in "xyp")
b, L = name("b"), name("L")
w, u, v, q, m, S, P, share = sp.symbols("w u v q m S P p", positive=True)
F = name("F")
ONE, QUARTER = sp.S.One, sp.Rational(1, 4)
LABELLED = {x: vector(-3, 3), y: vector(0, 1), b: interval(-3, 3), w: interval(0.1, 30, log=True)}
WARMTH = {T: interval(0.02, 20, log=True)}
MILD = ("mild", "close", "one-hot", "half precision")

with sp.evaluate(False):
    # ------------------------------------------------------------------ where cross-entropy puts b

    moment = Derivation(
        "Cross-entropy, by where the line stands",
        [
            Step(Partial(L, b), "move the line"),
            Step(
                total(Partial(log(1 + exp(w * (x[i] - b))) - y[i] * (w * (x[i] - b)), b)),
                "cross-entropy of a sigmoid, point by point",
            ),
            Step(total(w * (y[i] - sigma(w * (x[i] - b)))), "the slope of log(1 + e^z) is a sigmoid"),
            Step(w * (total(y[i]) - total(sigma(w * (x[i] - b)))), "two sums"),
        ],
        [(L, total(log(1 + exp(w * (x[i] - b))) - y[i] * (w * (x[i] - b))))],
        where=LABELLED,
    )

    at_the_point = sigma(-(w / 2)) + sigma(-(w / 4)) + sigma(sp.S.Zero)
    scale = Statement(
        at_the_point - 1, "=", (3 * u**3 + u**2 + u - 1) / (2 * (1 + u) * (1 + u**2)),
        given=[(u, exp(-w / 4))],
        where={w: interval(0.1, 30, log=True)}, proof=True,
    )  # fmt: skip

    # ------------------------------------------------------------------ accuracy, made smooth

    A = function("A_{#1}(#2)", (T, b), (sigma((b + QUARTER) / T) + sigma(b / T) + sigma((QUARTER - b) / T)) / 3)
    cold = Statement(
        sigma_slope(w / 2) + sigma_slope(w / 4) - sigma_slope(sp.S.Zero),
        "=", (u**3 + u**2 + 3 * u - 1) * (1 + u + 3 * u**2 - u**3) / (4 * (1 + u) ** 2 * (1 + u**2) ** 2),
        given=[(u, exp(-w / 4)), (w, 1 / T)],
        where=WARMTH, proof=True,
    )  # fmt: skip

    warm = Statement(
        3 * A(T, b) - 2, "=",
        q * ((v - 1 - 1 / v) - 2 * q / v - q**2) / ((1 + v * q) * (1 + q) * (1 + q / v)),
        given=[(v, exp(1 / (4 * T))), (q, exp(-b / T))],
        where={**WARMTH, b: interval(-2, 5)}, proof=True,
    )  # fmt: skip

    p_k = name("p_{k}")
    weight = Derivation(
        "The slope of a probability",
        [
            Step(Partial(p_k, s[l]), "the probability of the right class, by any score"),
            Step(p_k * Partial(log(p_k), s[l]), "derivative of a logarithm, turned round"),
            Step(p_k * (KroneckerDelta(k, l) - softmax(s)[l]), "the slope of the cross-entropy, with its sign changed"),
        ],
        [(p_k, softmax(s)[k])],
    )

    # ------------------------------------------------------------------ F1, made smooth

    soft = Statement(
        1 - 2 * total(p[i] * y[i]) / (total(p[i]) + total(y[i])), "=",
        (total((1 - y[i]) * p[i]) + total(y[i] * (1 - p[i]))) / (total(p[i]) + total(y[i])),
        where={p: vector(0, 1), y: vector(0, 1)}, proof=True,
    )  # fmt: skip

    threshold = Together(
        Statement(F, "=", 2 * S / (m + P), given=[(F, 2 * S / (m + P))], proof=True),
        Statement(
            2 * (S + share) / ((m + 1) + P) - F, "=", 2 * (share - F / 2) / ((m + 1) + P),
            given=[(F, 2 * S / (m + P))], proof=True,
        ),
    )  # fmt: skip

DERIVATIONS = (moment, weight)
