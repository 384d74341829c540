"""Derivations of the chapter "Symmetric KL at the logits": its forms, and why it is never negative.

Two sets of n logits s and t, p = softmax(s), q = softmax(t), Z their normalisers:

    D(s, t) = KL(p || q) + KL(q || p) = sum_i (p_i - q_i)(s_i - t_i)
"""

from __future__ import annotations

import sympy as sp
from sympy import exp, log, tanh

from gpkl_lib.derivations import Derivation, Step
from gpkl_lib.derivations.notation import Partial, c, i, j, k, name, s, t, tau, total

p, q = (sp.IndexedBase(letter, positive=True) for letter in "pq")
Z_s, Z_t = sp.symbols("Z_s Z_t", positive=True)
D = name("D(s, t)")

with sp.evaluate(False):
    SOFTMAX = (
        (p[i], exp(s[i]) / Z_s),
        (Z_s, total(exp(s[j]), j)),
        (q[i], exp(t[i]) / Z_t),
        (Z_t, total(exp(t[j]), j)),
    )
    D_LOGITS = total((p[i] - q[i]) * (s[i] - t[i]))

    KL_pq, KL_qp = name(r"\mathrm{KL}(p \,\|\, q)"), name(r"\mathrm{KL}(q \,\|\, p)")
    at_the_logits = Derivation(
        "From two KL divergences to an inner product of differences",
        [
            Step(D, "the divergence of two views, from their logits"),
            Step(KL_pq + KL_qp, "by definition: both directions, added"),
            Step(total(p[i] * log(p[i] / q[i])) + total(q[i] * log(q[i] / p[i])), "definition of KL"),
            Step(total((p[i] - q[i]) * (log(p[i]) - log(q[i]))), "log of a ratio; collect the two sums"),
            Step(
                total((p[i] - q[i]) * ((s[i] - log(Z_s)) - (t[i] - log(Z_t)))),
                "log softmax is the logit less its logsumexp",
            ),
            Step(
                D_LOGITS + (log(Z_t) - log(Z_s)) * total(p[i] - q[i]),
                "the two logsumexps do not depend on i",
            ),
            Step(D_LOGITS, "p and q both sum to 1, so the last sum is 0"),
        ],
        [
            (D, KL_pq + KL_qp),
            (KL_pq, total(p[i] * log(p[i] / q[i]))),
            (KL_qp, total(q[i] * log(q[i] / p[i]))),
            *SOFTMAX,
        ],
    )

    shifted = exp(s[i] + c) / total(exp(s[j] + c), j)
    shift_invariance = Derivation(
        "A constant added to all of s changes nothing",
        [
            Step(name("D(s + c, t)"), "s moved by c, t left alone"),
            Step(total((shifted - q[i]) * ((s[i] + c) - t[i])), "the inner product, with s + c for s"),
            Step(total((p[i] - q[i]) * ((s[i] + c) - t[i])), "e to the c cancels in the softmax"),
            Step(D_LOGITS + c * total(p[i] - q[i]), "c does not depend on i"),
            Step(D, "p and q both sum to 1"),
        ],
        [(name("D(s + c, t)"), total((shifted - q[i]) * ((s[i] + c) - t[i]))), (D, D_LOGITS), *SOFTMAX],
    )

    F_s, F_t = name("F(s)"), name("F(t)")
    F = ((F_s, log(Z_s)), (F_t, log(Z_t)))
    B_st, B_ts = name("B(s, t)"), name("B(t, s)")
    bregman = Derivation(
        "The same number as a Bregman divergence of logsumexp, taken both ways",
        [
            Step(B_st + B_ts, "how far F lies above its tangent, both ways"),
            Step(
                (F_s - F_t - total(Partial(F_t, t[i]) * (s[i] - t[i])))
                + (F_t - F_s - total(Partial(F_s, s[i]) * (t[i] - s[i]))),
                "definition of the Bregman divergence of F = logsumexp",
            ),
            Step(
                total((Partial(F_s, s[i]) - Partial(F_t, t[i])) * (s[i] - t[i])),
                "the values of F cancel, the gradients stay",
            ),
            Step(D_LOGITS, "the gradient of logsumexp is softmax"),
        ],
        [
            (B_st, F_s - F_t - total(Partial(F_t, t[i]) * (s[i] - t[i]))),
            (B_ts, F_t - F_s - total(Partial(F_s, s[i]) * (t[i] - s[i]))),
            *F,
            *SOFTMAX,
        ],
    )

    r = sp.IndexedBase("r", positive=True)
    mean_g = total(r[j] * (s[j] - t[j]), j)
    slope = Derivation(
        "Along the line from t to s the inner product never falls",
        [
            Step(Partial(total(r[i] * (s[i] - t[i])), tau), "r is the softmax at the point t + τ(s - t)"),
            Step(total(r[i] * ((s[i] - t[i]) - mean_g) * (s[i] - t[i])), "derivative of softmax along s - t"),
            Step(total(r[i] * ((s[i] - t[i]) - mean_g) ** 2), "deviations from the mean have mean 0: a variance"),
            Step(sp.S.Zero, "r is positive, squares are not negative", ">="),
        ],
        [(r[i], exp(t[i] + tau * (s[i] - t[i])) / total(exp(t[j] + tau * (s[j] - t[j])), j))],
    )

    half_ratio = (log(p[k]) - log(q[k])) / 2
    tanh_form = Derivation(
        "A difference of probabilities without a subtraction of probabilities",
        [
            Step(p[k] - q[k], "what loses its digits when p and q are close"),
            Step((p[k] + q[k]) * ((p[k] / q[k] - 1) / (p[k] / q[k] + 1)), "multiply and divide by the sum"),
            Step((p[k] + q[k]) * tanh(half_ratio), "tanh x is (e^2x - 1)/(e^2x + 1)"),
        ],
        SOFTMAX,
    )

    u, v, not_u, not_v = (sp.IndexedBase(letter, positive=True) for letter in ("u", "v", r"\bar{u}", r"\bar{v}"))
    D_sigmoid = name(r"D_{\sigma}(s, t)")
    binary = total(u[i] * log(u[i] / v[i]) + not_u[i] * log(not_u[i] / not_v[i])) + total(
        v[i] * log(v[i] / u[i]) + not_v[i] * log(not_v[i] / not_u[i])
    )
    sigmoid = Derivation(
        "With sigmoid for softmax: one binary divergence for each logit",
        [
            Step(D_sigmoid, "each logit decides on its own between two outcomes"),
            Step(binary, "KL both ways for each pair of Bernoullis, u = σ(s) and v = σ(t)"),
            Step(
                total((u[i] - v[i]) * (log(u[i] / not_u[i]) - log(v[i] / not_v[i]))),
                "collect the sums; the complements differ by v - u",
            ),
            Step(total((u[i] - v[i]) * (s[i] - t[i])), "the log odds of a sigmoid are its logit"),
        ],
        [
            (D_sigmoid, binary),
            (u[i], 1 / (1 + exp(-s[i]))),
            (not_u[i], 1 / (1 + exp(s[i]))),
            (v[i], 1 / (1 + exp(-t[i]))),
            (not_v[i], 1 / (1 + exp(t[i]))),
        ],
    )

DERIVATIONS = (at_the_logits, shift_invariance, bregman, slope, tanh_form, sigmoid)
