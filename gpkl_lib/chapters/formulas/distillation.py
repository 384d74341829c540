"""Derivations of the chapter "Distillation": a teacher's scores and a student's, both divided by a temperature.

s are the student's n scores, t the teacher's; u = sigma(s/T), v = sigma(t/T), and what is left of 1 with a bar:

    L_T(s, t) = T^2 sum_i KL(v_i || u_i)
"""

from __future__ import annotations

import sympy as sp
from sympy import Limit, Max, exp, log, sign

from gpkl_lib.derivations import BigO, Derivation, Statement, Step, function, interval
from gpkl_lib.derivations.notation import Partial, T, c, epsilon, i, j, k, n, name, s, t, total
from gpkl_lib.derivations.vocabulary import KL, sigma, softmax, softplus

u, v, not_u, not_v = (sp.IndexedBase(letter, positive=True) for letter in ("u", "v", r"\bar{u}", r"\bar{v}"))
p, q = (sp.IndexedBase(letter, positive=True) for letter in "pq")
KL_vu, CE_vu, H_v = (
    sp.IndexedBase(shown, real=True) for shown in (r"\mathrm{KL}^{v \| u}", r"\mathrm{CE}^{v, u}", "H^{v}")
)
L_T, K_T = name(r"\mathcal{L}_{T}"), name(r"\mathcal{K}_{T}")

with sp.evaluate(False):
    TEMPERED = (
        (u[i], 1 / (1 + exp(-(s[i] / T)))),
        (not_u[i], 1 / (1 + exp(s[i] / T))),
        (v[i], 1 / (1 + exp(-(t[i] / T)))),
        (not_v[i], 1 / (1 + exp(t[i] / T))),
    )
    BINARY = v[i] * log(v[i] / u[i]) + not_v[i] * log(not_v[i] / not_u[i])
    LOSS = (L_T, T**2 * total(BINARY))
    F = function("F(#1)", (c,), log(1 + exp(c)))  # softplus, under a name that leaves room on a phone
    SOFTPLUS = F(s[i] / T) - F(t[i] / T)

    bregman = Derivation(
        "The loss without a logarithm of a probability",
        [
            Step(L_T, "the loss at the temperature T"),
            Step(T**2 * total(KL_vu[i]), "for each span the KL divergence of two decisions, the teacher's first"),
            Step(T**2 * total(BINARY), "KL of two yes-or-no distributions"),
            Step(
                T**2 * total(SOFTPLUS - v[i] * (s[i] / T - t[i] / T)),
                "-log(1 - σ(x)) is F(x), softplus, and the log odds of a sigmoid are its logit",
            ),
            Step(T**2 * total(SOFTPLUS) - T * total(v[i] * (s[i] - t[i])), "the sum splits, and 1/T leaves it"),
        ],
        [LOSS, (KL_vu[i], BINARY), *TEMPERED],
    )

    hinton = Derivation(
        "Hinton's form: what the teacher is unsure of comes on top",
        [
            Step(T**2 * total(CE_vu[i]), "cross-entropy with the teacher's soft decisions as labels"),
            Step(T**2 * total(KL_vu[i] + H_v[i]), "log(v/u) is log v less log u; add and take off v log v"),
            Step(L_T + T**2 * total(H_v[i]), "the sum splits: the divergence, and the teacher's entropy"),
        ],
        [
            LOSS,
            (CE_vu[i], -v[i] * log(u[i]) - not_v[i] * log(not_u[i])),
            (KL_vu[i], BINARY),
            (H_v[i], -v[i] * log(v[i]) - not_v[i] * log(not_v[i])),
            *TEMPERED,
        ],
    )

    gradient = Derivation(
        "The pull on one score of the student",
        [
            Step(Partial(L_T, s[k]), "change one score of the student; the teacher stays"),
            Step(
                T**2 * Partial(log(1 + exp(s[k] / T)) - v[k] * (s[k] / T), s[k]),
                "of the form without probabilities only these terms contain it",
            ),
            Step(T**2 * ((1 / T) * u[k] - (1 / T) * v[k]), "the slope of log(1 + e to the x) is σ(x)"),
            Step(T * (u[k] - v[k]), "one T is left"),
        ],
        [LOSS, *TEMPERED],
    )

    hot = Derivation(
        "Great heat: an eighth of the squared error",
        [
            Step(Limit(L_T, T, sp.oo), "both divided by ever larger T"),
            Step(
                Limit(
                    1 / epsilon**2
                    * total(
                        F(epsilon * s[i]) - F(epsilon * t[i]) - sigma(epsilon * t[i]) * (epsilon * (s[i] - t[i]))
                    ),
                    epsilon,
                    0,
                ),
                "ε = 1/T in the form without probabilities",
            ),
            Step(
                total(s[i] ** 2 / 8 - t[i] ** 2 / 8 - (s[i] - t[i]) * (t[i] / 4)),
                "F(x) starts with log 2 + x/2 + x²/8, and its slope σ(x) with 1/2 + x/4",
            ),
            Step(total((s[i] - t[i]) ** 2) / 8, "a square is complete"),
        ],
        [LOSS, *TEMPERED],
    )  # fmt: skip

    pull_hot = Derivation(
        "Great heat: the pull is a quarter of the distance",
        [
            Step(Limit(T * (u[k] - v[k]), T, sp.oo), "the gradient found above"),
            Step(
                Limit(1 / epsilon * (1 / (1 + exp(-(epsilon * s[k]))) - 1 / (1 + exp(-(epsilon * t[k])))), epsilon, 0),
                "ε = 1/T",
            ),
            Step((s[k] - t[k]) / 4, "the slope of a sigmoid at 0 is 1/4"),
        ],
        TEMPERED,
    )

    def _soft(x: sp.IndexedBase) -> sp.Expr:
        return exp(x[i] / T) / total(exp(x[j] / T), j)

    mean_gap = total(s[j] - t[j], j) / n
    hot_softmax = Derivation(
        "The same with softmax: a variance",
        [
            Step(Limit(K_T, T, sp.oo), "both divided by ever larger T"),
            Step(
                Limit(1 / epsilon**2 * total(q[i] * (log(q[i]) - log(p[i]))), epsilon, 0),
                "ε = 1/T, and p = softmax(ε s), q = softmax(ε t)",
            ),
            Step(
                (total((s[i] - t[i]) ** 2) / n - (total(s[i] - t[i]) / n) ** 2) / 2,
                "to second order KL is half a variance, and q starts from 1/n",
            ),
            Step(total((s[i] - t[i] - mean_gap) ** 2) / (2 * n), "mean square less squared mean"),
        ],
        [
            (K_T, T**2 * total(_soft(t) * log(_soft(t) / _soft(s)))),
            (p[i], exp(epsilon * s[i]) / total(exp(epsilon * s[j]), j)),
            (q[i], exp(epsilon * t[i]) / total(exp(epsilon * t[j]), j)),
        ],
    )

    L_of = function(
        r"\mathcal{L}_{#1}(#2, #3)",
        (T, s, t),
        T**2 * total(softplus(s[i] / T) - softplus(t[i] / T) - sigma(t[i] / T) * (s[i] / T - t[i] / T)),
    )
    loss = Statement(
        L_of(T, s, t), "=", T**2 * total(KL_vu[i]), given=[(KL_vu[i], BINARY), *TEMPERED],
        words="No logarithm of a probability is needed, for",
    )  # fmt: skip
    rise = Statement(
        (s[k] - t[k]) * Partial(T * (sigma(s[k] / T) - sigma(t[k] / T)), T), ">=", sp.S.Zero,
        tight={1: [(t[i], s[i])]},
        words="The reason is one line",
    )  # fmt: skip
    ONE = function(
        r"\ell_{#1}(#2, #3)", (T, c, epsilon), T**2 * (softplus(c / T) - softplus(epsilon / T))
        - T * sigma(epsilon / T) * (c - epsilon),
    )  # fmt: skip
    series = Statement(
        8 * ONE(T, s[k], t[k]) / (s[k] - t[k]) ** 2, "=",
        1 - (s[k] ** 2 + 2 * (s[k] * t[k]) + 3 * t[k] ** 2) / (24 * T**2) + BigO(1 / T**4),
        where={T: interval(1e9, 1e12)}, kinds=("mild", "close"), words="The next term of $F$ is $-x^4/192$",
    )  # fmt: skip
    cold = Statement(
        Limit(L_of(T, s, t) / T, T, 0, "+"), "=", total(Max(0, -s[i] * sign(t[i]))),
        words=r"$T \operatorname{softplus}(x/T)$ falls to $\max(0, x)$",
    )  # fmt: skip
    shift = Statement(KL(softmax(t), softmax(s + c)), "=", KL(softmax(t), softmax(s)))

DERIVATIONS = (bregman, hinton, gradient, hot, pull_hot, hot_softmax)
