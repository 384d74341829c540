"""Derivations of the chapter "Unsupervised data augmentation": a target that is fixed, sharpened, and counted or not.

A sentence has the scores t, its augmented copy the scores s, n of each; u = sigmoid(s), v = sigmoid(t / T), with a bar
for what is left of 1, and H the entropy of v and what is left. C is the set of spans that the model is sure of.
"""

from __future__ import annotations

import sympy as sp
from sympy import Limit, exp, log

from gpkl_lib.derivations import (
    Derivation,
    IndexSet,
    Over,
    Statement,
    Step,
    Together,
    count,
    function,
    integers,
    interval,
    subset,
)
from gpkl_lib.derivations.notation import Partial, T, i, j, k, n, name, s, t, tau, total
from gpkl_lib.derivations.vocabulary import sigma, sigma_slope, softplus

u, v, p, q, not_u, not_v, H = (
    sp.IndexedBase(letter, positive=True) for letter in ("u", "v", "p", "q", r"\bar{u}", r"\bar{v}", "H")
)
KL_vu = sp.IndexedBase(r"\mathrm{KL}^{v \| u}", real=True)
a, b, x = sp.symbols("s t x", real=True)  # the two scores of one span; one score for both
Z_s, Z_t, c, w, K = sp.symbols("Z_s Z_t |t| w K", positive=True)
C = IndexSet(r"\mathcal{C}")

with sp.evaluate(False):
    BINARY = (
        (KL_vu[i], v[i] * log(v[i] / u[i]) + not_v[i] * log(not_v[i] / not_u[i])),
        (H[i], -(v[i] * log(v[i])) - not_v[i] * log(not_v[i])),
        (u[i], 1 / (1 + exp(-s[i]))),
        (not_u[i], 1 / (1 + exp(s[i]))),
        (v[i], 1 / (1 + exp(-(t[i] / T)))),
        (not_v[i], 1 / (1 + exp(t[i] / T))),
    )
    one_sided = Derivation(
        "One side of the divergence, the target first",
        [
            Step(KL_vu[k], "what the copy's score costs"),
            Step(v[k] * log(v[k] / u[k]) + not_v[k] * log(not_v[k] / not_u[k]), "definition of KL for yes and no"),
            Step(
                -(v[k] * log(u[k])) - not_v[k] * log(not_u[k]) - H[k],
                "logarithms of ratios: a cross-entropy with the soft label v, less its entropy",
            ),
            Step(
                v[k] * (softplus(s[k]) - s[k]) + not_v[k] * softplus(s[k]) - H[k],
                "minus log σ(s) is softplus(s) - s, minus log σ(-s) is softplus(s)",
            ),
            Step(softplus(s[k]) - v[k] * s[k] - H[k], "v and 1 - v add up to 1"),
        ],
        BINARY,
    )
    gradient = Derivation(
        "Its gradient by the copy's score",
        [
            Step(Partial(KL_vu[k], s[k]), "the target stays where it is"),
            Step(Partial(softplus(s[k]) - v[k] * s[k], s[k]), "the form found above; the entropy holds no s"),
            Step(u[k] - v[k], "the slope of softplus is the sigmoid"),
        ],
        BINARY,
    )

    pseudo = Derivation(
        "A cold target is a label",
        [
            Step(Limit(softplus(a) - (1 - w) * a, w, 0), "the part that learns, for a yes of which w is still missing"),
            Step(
                Limit((1 - w) * softplus(-a) + w * softplus(a), w, 0),
                "s is softplus(s) - softplus(-s): a cross-entropy with the labels 1 - w and w",
            ),
            Step(softplus(-a), "only the yes is left: what a binary cross-entropy charges a positive"),
        ],
    )

    CLASSES = (
        (name(r"\mathrm{KL}(q \,\|\, p)"), total(q[i] * log(q[i] / p[i]))),
        (p[i], exp(s[i]) / Z_s),
        (Z_s, total(exp(s[j]), j)),
        (q[i], exp(t[i] / T) / Z_t),
        (Z_t, total(exp(t[j] / T), j)),
    )
    classes = Derivation(
        "The same for a choice among n classes",
        [
            Step(Partial(CLASSES[0][0], s[k]), "p = softmax(s) learns, q = softmax(t/T) is fixed"),
            Step(Partial(log(Z_s) - total(q[i] * s[i]), s[k]), "log p is s - log Z; what holds no s falls out"),
            Step(p[k] - q[k], "the gradient of logsumexp is softmax"),
        ],
        CLASSES,
    )

    KL = function(
        r"\mathrm{KL}(\sigma(#1) \| \sigma(#2))",
        (b, a),
        sigma(b) * log(sigma(b) / sigma(a)) + sigma(-b) * log(sigma(-b) / sigma(-a)),
    )
    both = Statement(KL(b, a) + KL(a, b), "=", (sigma(a) - sigma(b)) * (a - b))
    sharp = Statement(
        sp.S.Zero, "<", sigma(-(c / T)), "<", exp(-(c / T)),
        where={c: interval(1e-3, 1e3, log=True), T: interval(1e-3, 1e3, log=True)}, tight={2: [(T, c / 1000)]},
        words="For $\\sigma(-x) = 1/(1 + e^{x})$ is positive and below",
    )  # fmt: skip
    wrong_side = Together(
        Statement(Partial(KL(b / T, a), a), "=", sigma(a) - sigma(b / T)),
        Statement(Partial(KL(b, a / T), a), "=", (sigma(a / T) - sigma(b)) / T),
    )
    both_learn = Statement(
        Partial(KL(x / T, x), x), "=", sigma(x) - sigma(x / T) + sigma_slope(x / T) / T * (x / T - x)
    )

    ALL, SURE = name(r"\mathcal{L}_{\text{all}}"), name(r"\mathcal{L}_{\text{sure}}")
    COUNTED = Over("sum", KL_vu[i], i, C)
    division = Statement(
        ALL, "=", COUNTED / n, "=", count(C) / n * SURE,
        given=[(ALL, COUNTED / n), (SURE, COUNTED / count(C)), *BINARY], where={C: subset(1)},
    )  # fmt: skip

    LOG, LINEAR, LATE = (name(rf"\eta_{{\text{{{which}}}}}") for which in ("log", "linear", "exp"))
    ANNEALED = {tau: interval(0, 1), K: integers(2, 1000)}
    annealing = Together(
        *(
            Statement(left, "=", rise * (1 - 1 / K) + 1 / K, given=[(left, by_hand)], where=ANNEALED)
            for left, rise, by_hand in (
                (LOG, 1 - exp(-5 * tau), 1 - (K - 1) / K * exp(-5 * tau)),
                (LINEAR, tau, tau + (1 - tau) / K),
                (LATE, exp(5 * (tau - 1)), (1 + (K - 1) * exp(5 * tau) / exp(sp.Integer(5))) / K),
            )
        )
    )

DERIVATIONS = (one_sided, gradient, pseudo, classes)
