"""Derivations of the chapter "Smooth maximum": the gradient, the curvature, and what the entropy bound misses.

n logits x, F = T log Z with Z = sum_i e^(x_i / T), q = softmax(x / T), and any distribution p = softmax(w).
"""

from __future__ import annotations

import sympy as sp
from sympy import KroneckerDelta, exp, log

from gpkl_lib.derivations.derivation import Derivation, Step
from gpkl_lib.derivations.notation import Partial, T, i, j, k, l, name, total

x, w = (sp.IndexedBase(letter, real=True) for letter in "xw")
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
