"""Derivations of the chapter "Symmetric KL at the logits": gradient, curvature, and the limits of the temperature.

Two sets of n logits s and t, p = softmax(s), q = softmax(t), D(s, t) = sum_i (p_i - q_i)(s_i - t_i).
"""

from __future__ import annotations

import sympy as sp
from sympy import KroneckerDelta, Limit, exp, log

from gpkl_lib.chapters.formulas.symmetric_kl import D_LOGITS, SOFTMAX, D, p, q
from gpkl_lib.derivations import Derivation, Step
from gpkl_lib.derivations.notation import AtEqual, Partial, T, Winner, epsilon, h, i, j, k, l, n, name, s, t, total

with sp.evaluate(False):
    mean_p = total(p[i] * (s[i] - t[i]))
    gradient = Derivation(
        "The gradient in one logit",
        [
            Step(Partial(D, s[k]), "change one logit of s"),
            Step(total(Partial(p[i], s[k]) * (s[i] - t[i])) + (p[k] - q[k]), "product rule; t and q stay"),
            Step(
                total(p[i] * (KroneckerDelta(i, k) - p[k]) * (s[i] - t[i])) + (p[k] - q[k]),
                "derivative of softmax",
            ),
            Step((p[k] - q[k]) + p[k] * ((s[k] - t[k]) - mean_p), "the delta picks the term i = k"),
        ],
        [(D, D_LOGITS), *SOFTMAX],
    )

    hessian = Derivation(
        "The curvature where the two views agree",
        [
            Step(AtEqual(Partial(D, s[k], s[l]), t, s), "second derivative by s, then t = s"),
            Step(
                AtEqual(Partial((p[k] - q[k]) + p[k] * ((s[k] - t[k]) - mean_p), s[l]), t, s),
                "the gradient found above",
            ),
            Step(2 * AtEqual(Partial(p[k], s[l]), t, s), "p - q and s - t vanish there, and each gives one half"),
            Step(2 * (p[k] * KroneckerDelta(k, l) - p[k] * p[l]), "derivative of softmax"),
        ],
        [(D, D_LOGITS), *SOFTMAX],
    )

    fisher = Derivation(
        "Half of that curvature is the Fisher information",
        [
            Step(
                total(p[i] * Partial(log(p[i]), s[k]) * Partial(log(p[i]), s[l])),
                "Fisher information of p = softmax(s): the mean product of two scores",
            ),
            Step(
                total(p[i] * (KroneckerDelta(i, k) - p[k]) * (KroneckerDelta(i, l) - p[l])),
                "derivative of log softmax",
            ),
            Step(p[k] * KroneckerDelta(k, l) - p[k] * p[l], "multiply out; p sums to 1"),
        ],
        SOFTMAX[:2],
    )

    near = exp(s[i] + epsilon * h[i]) / total(exp(s[j] + epsilon * h[j]), j)
    nearby = Derivation(
        "For a small difference the divergence is a variance",
        [
            Step(Limit(1 / epsilon**2 * name(r"D(s + \varepsilon h, s)"), epsilon, 0), "a step of size ε along h"),
            Step(
                Limit(1 / epsilon**2 * total((near - p[i]) * (epsilon * h[i])), epsilon, 0),
                "the difference of the logits is ε h",
            ),
            Step(total(p[i] * (h[i] - total(p[j] * h[j], j)) * h[i]), "derivative of softmax along h"),
            Step(total(p[i] * (h[i] - total(p[j] * h[j], j)) ** 2), "the variance of h under p"),
        ],
        [(name(r"D(s + \varepsilon h, s)"), total((near - p[i]) * (epsilon * h[i]))), *SOFTMAX[:2]],
    )

    def _tempered(x: sp.IndexedBase) -> sp.Expr:
        return exp(x[i] / T) / total(exp(x[j] / T), j)

    D_T = name("D(s/T, t/T)")
    TEMPERED = (D_T, total((_tempered(s) - _tempered(t)) * (s[i] / T - t[i] / T)))
    uniform_mean = total(s[j] - t[j], j) / n
    hot = Derivation(
        "Great heat: the variance of s - t over the classes",
        [
            Step(Limit(T**2 * D_T, T, sp.oo), "both views divided by T"),
            Step(
                Limit(1 / epsilon * total((s[i] - t[i]) * (p[i] - q[i])), epsilon, 0),
                "ε = 1/T, and p = softmax(ε s), q = softmax(ε t)",
            ),
            Step(
                total((s[i] - t[i]) * (s[i] / n - total(s[j], j) / n**2))
                - total((s[i] - t[i]) * (t[i] / n - total(t[j], j) / n**2)),
                "p and q start from 1/n; derivative of softmax there",
            ),
            Step(total((s[i] - t[i] - uniform_mean) ** 2) / n, "the variance of s - t with equal weights"),
        ],
        [
            TEMPERED,
            (p[i], exp(epsilon * s[i]) / total(exp(epsilon * s[j]), j)),
            (q[i], exp(epsilon * t[i]) / total(exp(epsilon * t[j]), j)),
        ],
    )

    a, b = sp.symbols("a b", integer=True, positive=True)
    cold = Derivation(
        "Great cold: the gap between the winners",
        [
            Step(Limit(T * D_T, T, 0, "+"), "a is the winner of s, b of t"),
            Step(
                total((KroneckerDelta(i, a) - KroneckerDelta(i, b)) * (s[i] - t[i])),
                "each softmax becomes the one-hot of its winner",
            ),
            Step((s[a] - t[a]) - (s[b] - t[b]), "each delta picks one term"),
            Step((s[a] - s[b]) + (t[b] - t[a]), "how far each winner leads the other's, in its own view"),
        ],
        [TEMPERED, (a, Winner(s)), (b, Winner(t))],
        words="Since $T D_T$ is the inner product of",
    )

DERIVATIONS = (gradient, hessian, fisher, nearby, hot, cold)
