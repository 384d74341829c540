"""Derivations and statements of the chapter "Smooth maximum": gradient, curvature, and the bounds.

n logits x, F = T log Z with Z = sum_i e^(x_i / T), q = softmax(x / T), and any distribution p (in a derivation,
p = softmax(w)).
"""

from __future__ import annotations

import sympy as sp
from sympy import KroneckerDelta, exp, log

from gpkl_lib.derivations import (
    Derivation,
    Inner,
    Nabla,
    Norm,
    Over,
    Statement,
    Step,
    Together,
    distribution,
    function,
    interval,
    vocabulary,
)
from gpkl_lib.derivations.notation import Partial, T, c, i, j, k, l, n, name, total
from gpkl_lib.derivations.vocabulary import Var, logsumexp, mean, one_hot, softmax

x, y, z, v, w = (sp.IndexedBase(letter, real=True) for letter in "xyzvw")
p, q = (sp.IndexedBase(letter, positive=True) for letter in "pq")
Z = sp.Symbol("Z", positive=True)
F, H, KL = name("F_{T}(x)"), name("H(p)"), name(r"\mathrm{KL}(p \,\|\, q)")

with sp.evaluate(False):
    SMOOTH_MAXIMUM = ((F, T * log(Z)), (Z, total(exp(x[j] / T), j)), (q[i], exp(x[i] / T) / Z))

    gradient = Derivation(
        "Softmax is the gradient of the smooth maximum",
        [
            Step(Partial(F, x[k]), "change one logit"),
            Step(T / Z * Partial(Z, x[k]), "derivative of the logarithm"),
            Step(T / Z * (exp(x[k] / T) / T), "only the term j = k depends on it"),
            Step(q[k], "T cancels 1/T"),
        ],
        SMOOTH_MAXIMUM,
    )

    hessian = Derivation(
        "How fast the gradient turns",
        [
            Step(Partial(F, x[k], x[l]), "change two logits"),
            Step(Partial(q[k], x[l]), "the gradient found above"),
            Step(q[k] * Partial(log(q[k]), x[l]), "derivative of a logarithm, read backwards"),
            Step(q[k] * (1 / T * KroneckerDelta(k, l) - 1 / T * q[l]), "log q is x/T - log Z, and T log Z is F"),
            Step(1 / T * (q[k] * KroneckerDelta(k, l) - q[k] * q[l]), "collect"),
        ],
        SMOOTH_MAXIMUM,
    )

    entropy_gap = Derivation(
        "What the entropy bound misses",
        [
            Step(F - total(p[i] * x[i]) - T * H, "the smooth maximum less the bound"),
            Step(total(p[i] * (F - x[i])) - T * H, "p sums to 1"),
            Step(-T * total(p[i] * log(q[i])) - T * H, "T log q is x less F"),
            Step(T * total(p[i] * (log(p[i]) - log(q[i]))), "definition of H; collect the two sums"),
            Step(T * KL, "definition of KL"),
        ],
        [
            *SMOOTH_MAXIMUM,
            (p[i], exp(w[i]) / total(exp(w[j]), j)),
            (H, -total(p[i] * log(p[i]))),
            (KL, total(p[i] * log(p[i] / q[i]))),
        ],
    )

DERIVATIONS = (gradient, hessian, entropy_gap)

label = sp.Symbol("y", integer=True, positive=True)
scale, theta = sp.Symbol("s", positive=True), sp.Symbol(r"\theta", positive=True)
PROBABILITIES = {p: distribution(zeros=True)}

with sp.evaluate(False):
    LSE, entropy, divergence = vocabulary.F, vocabulary.H, vocabulary.KL
    top = function(r"\max(#1)", (x,), Over("max", x[i], i))
    slope = function(r"\nabla F_{#1}(#2)", (T, x), exp(x[i] / T) / total(exp(x[j] / T), j), index=i)
    bend = function(
        r"#3^{\top} \nabla^{2} F_{#1}(#2) \, #3",
        (T, x, v),
        total(total(v[k] * v[l] * Partial(LSE(T, x), x[k], x[l]), l), k),
    )
    ALL_EQUAL, AT_SOFTMAX = [(x[i], c)], [(p[i], softmax(x / T)[i])]
    ONE, TWO = KroneckerDelta(i, 1), KroneckerDelta(i, 2)

    smooth_max = Statement(LSE(T, x), "=", T * logsumexp(x / T), "=", T * log(total(exp(x[i] / T))))
    softmax_slope = Statement(
        Partial(LSE(T, x), x[i]), "=", exp(x[i] / T) / total(exp(x[j] / T), j), "=", softmax(x / T)[i]
    )
    shift = Together(
        Statement(LSE(T, x), "=", c + LSE(T, x - c)),
        Statement(slope(T, x), "=", slope(T, x - c)),
    )
    scaling = Together(
        Statement(LSE(T, scale * x), "=", scale * LSE(T / scale, x)),
        Statement(slope(T, scale * x), "=", slope(T / scale, x)),
    )
    cross_entropy = Together(
        Statement(LSE(1, z) - z[label], "=", -log(p[label]), given=[(p[i], softmax(z)[i])]),
        Statement(Nabla(LSE(1, z) - z[label], z), "=", p - one_hot(label), given=[(p[i], softmax(z)[i])]),
    )
    bounds = Statement(
        top(x), "<", LSE(T, x), "<=", top(x) + T * log(n),
        tight={1: [(x[i], c - 1000 * T * (1 - ONE))], 2: ALL_EQUAL},
        words="the term $e^{m/T}$ and something positive besides",
    )  # fmt: skip
    mean_bound = Statement(
        LSE(T, x),
        ">=",
        mean(x) + T * log(n),
        tight={1: ALL_EQUAL},
        words="The arithmetic mean of the $e^{x_i/T}$ is at least",
    )
    entropy_bound = Statement(
        LSE(T, x),
        ">=",
        Inner(p, x) + T * entropy(p),
        where=PROBABILITIES,
        tight={1: AT_SOFTMAX},
        words="The proof is a subtraction.",
    )
    slack = Statement(
        LSE(T, x) - Inner(p, x) - T * entropy(p),
        "=", T * total(p[i] * log(p[i] / q[i])),
        "=", T * divergence(p, q),
        ">=", 0,
        given=[(q[i], softmax(x / T)[i])], where=PROBABILITIES, tight={3: AT_SOFTMAX},
        words="never negative is Gibbs' inequality",
    )  # fmt: skip
    squares_bound = Statement(
        LSE(T, x), ">=", Inner(p, x) - T * log(total(p[i] ** 2)),
        where=PROBABILITIES, tight={1: [(p[i], 1 / n), *ALL_EQUAL]},
        words="Cauchy-Schwarz inequality for the vectors with entries",
    )  # fmt: skip
    convex = Statement(
        LSE(T, theta * x + (1 - theta) * y), "<=", theta * LSE(T, x) + (1 - theta) * LSE(T, y),
        where={theta: interval(0, 1)}, tight={1: [(y[i], x[i] + c)]},
        words="Hölder's inequality needs no more than the concave logarithm",
    )  # fmt: skip
    lipschitz = Statement(
        sp.Abs(LSE(T, x) - LSE(T, y)),
        "<=",
        Over("max", sp.Abs(x[i] - y[i]), i),
        tight={1: [(y[i], x[i] + c)]},
        words=r"Then $x_i \le y_i + d$ for every $i$",
    )
    curvature = Together(
        hessian.claim(0, -1),
        Statement(bend(T, x, v), "=", 1 / T * Var(q, v), given=[(q[i], softmax(x / T)[i])]),
    )
    curvature_bound = Statement(
        0, "<=", bend(T, x, v), "<=", 1 / (2 * T) * Norm(v) ** 2,
        tight={1: [(v[i], c)], 2: [(x[i], -1000 * T * (1 - ONE - TWO)), (v[i], c * (ONE - TWO))]},
        words=r"A variable between $\min v$ and $\max v$",
    )  # fmt: skip
