"""Derivations of the chapter "The KL divergence of GlobalPointer": sigmoid in the place of softmax.

Two sets of n logits s and t, u = sigmoid(s), v = sigmoid(t), and what is left of 1 with a bar:

    D_sigma(s, t) = sum_i (u_i - v_i)(s_i - t_i)
"""

from __future__ import annotations

import sympy as sp
from sympy import Limit, exp, log, tanh

from gpkl_lib.derivations import Derivation, Inner, Norm, Statement, Step, function
from gpkl_lib.derivations.notation import Partial, T, c, epsilon, i, k, name, s, t, total
from gpkl_lib.derivations.vocabulary import sigma

u, v, w, not_u, not_v = (sp.IndexedBase(letter, positive=True) for letter in ("u", "v", "w", r"\bar{u}", r"\bar{v}"))
D = name(r"D_{\sigma}(s, t)")
first = name(r"\operatorname{softmax}([s_{k}, 0])_{1}")

with sp.evaluate(False):
    SIGMOID = (
        (u[i], 1 / (1 + exp(-s[i]))),
        (not_u[i], 1 / (1 + exp(s[i]))),
        (v[i], 1 / (1 + exp(-t[i]))),
        (not_v[i], 1 / (1 + exp(t[i]))),
    )
    D_SIGMOID = total((u[i] - v[i]) * (s[i] - t[i]))

    pair = Derivation(
        "A sigmoid is a softmax over two logits, one of which is 0",
        [
            Step(u[k], "the sigmoid of one logit"),
            Step(1 / (1 + exp(-s[k])), "definition of the sigmoid"),
            Step(exp(s[k]) / (exp(s[k]) + exp(sp.S.Zero)), "multiply above and below by e to the s"),
            Step(first, "definition of softmax"),
        ],
        [SIGMOID[0], (first, exp(s[k]) / (exp(s[k]) + exp(sp.S.Zero)))],
    )

    KL_uv, KL_vu = (sp.IndexedBase(rf"\mathrm{{KL}}^{{{which}}}", real=True) for which in (r"u \| v", r"v \| u"))
    binary = Derivation(
        "The surprise: one binary divergence for each logit",
        [
            Step(D, "keep the form, exchange the function"),
            Step(D_SIGMOID, "the inner product with f = σ"),
            Step(
                total((u[i] - v[i]) * (s[i] - t[i]) + sp.Mul(0, not_u[i] - not_v[i])),
                "nothing added: the second logit of each pair, 0 in both views, differs by 0",
            ),
            Step(
                total(KL_uv[i] + KL_vu[i]),
                "so it is the inner product for (s, 0) and (t, 0): KL both ways of (u, 1 - u) and (v, 1 - v)",
            ),
        ],
        [
            (D, D_SIGMOID),
            (KL_uv[i], u[i] * log(u[i] / v[i]) + not_u[i] * log(not_u[i] / not_v[i])),
            (KL_vu[i], v[i] * log(v[i] / u[i]) + not_v[i] * log(not_v[i] / not_u[i])),
            *SIGMOID,
        ],
    )

    moved = name(r"D_{\sigma}(s + c, s)")
    shift = Derivation(
        "What a shift of one view costs",
        [
            Step(moved, "the same view twice, one of them moved by c"),
            Step(total((w[i] - u[i]) * ((s[i] + c) - s[i])), "the inner product, with w = σ(s + c)"),
            Step(c * total(w[i] - u[i]), "c does not depend on i"),
        ],
        [(moved, total((w[i] - u[i]) * ((s[i] + c) - s[i]))), (w[i], 1 / (1 + exp(-(s[i] + c)))), SIGMOID[0]],
    )

    doubled = name(r"D_{\sigma}(2 s, 2 t)")
    D_TANH = total((tanh(s[i]) - tanh(t[i])) * (s[i] - t[i]))
    hyperbolic = Derivation(
        "tanh is a sigmoid at half the temperature",
        [
            Step(D_TANH, "the inner product with f = tanh"),
            Step(
                total((2 / (1 + exp(-2 * s[i])) - 2 / (1 + exp(-2 * t[i]))) * (s[i] - t[i])),
                "tanh x is 2 σ(2x) - 1, and the ones cancel",
            ),
            Step(
                total((1 / (1 + exp(-2 * s[i])) - 1 / (1 + exp(-2 * t[i]))) * (2 * s[i] - 2 * t[i])),
                "the 2 moves to the other factor",
            ),
            Step(doubled, "the sigmoid's divergence at T = 1/2"),
        ],
        [(doubled, total((1 / (1 + exp(-2 * s[i])) - 1 / (1 + exp(-2 * t[i]))) * (2 * s[i] - 2 * t[i])))],
    )

    gradient = Derivation(
        "The gradient in one logit: two forces",
        [
            Step(Partial(D, s[k]), "change one logit of s"),
            Step((u[k] - v[k]) + Partial(u[k], s[k]) * (s[k] - t[k]), "product rule; every other term stays"),
            Step((u[k] - v[k]) + u[k] * not_u[k] * (s[k] - t[k]), "the slope of a sigmoid is σ(s) σ(-s)"),
        ],
        [(D, D_SIGMOID), *SIGMOID],
    )

    curvature = Derivation(
        "The curvature in one logit",
        [
            Step(Partial(D, s[k], s[k]), "change the same logit twice"),
            Step(Partial((u[k] - v[k]) + u[k] * not_u[k] * (s[k] - t[k]), s[k]), "the gradient found above"),
            Step(
                2 * (u[k] * not_u[k]) + u[k] * not_u[k] * (not_u[k] - u[k]) * (s[k] - t[k]),
                "slopes of u, of 1 - u and of s",
            ),
            Step(u[k] * not_u[k] * (2 + (not_u[k] - u[k]) * (s[k] - t[k])), "take out the common factor"),
        ],
        [(D, D_SIGMOID), *SIGMOID],
    )

    net = Derivation(
        "What pulls both views the same way",
        [
            Step(Partial(D, s[k]) + Partial(D, t[k]), "the force on s and the force on t, added"),
            Step(
                u[k] * not_u[k] * (s[k] - t[k]) + v[k] * not_v[k] * (t[k] - s[k]),
                "the gradient found above, and the same with s and t exchanged: u - v and v - u cancel",
            ),
            Step((u[k] * not_u[k] - v[k] * not_v[k]) * (s[k] - t[k]), "collect"),
        ],
        [(D, D_SIGMOID), *SIGMOID],
    )

    def _tempered(x: sp.IndexedBase) -> sp.Expr:
        return 1 / (1 + exp(-(x[i] / T)))

    D_T = name(r"D_{\sigma}(s/T, t/T)")
    hot = Derivation(
        "Great heat: the squared error of the logits",
        [
            Step(Limit(T**2 * D_T, T, sp.oo), "both views divided by T"),
            Step(
                Limit(1 / epsilon * total((s[i] - t[i]) * (u[i] - v[i])), epsilon, 0),
                "ε = 1/T, and u = σ(ε s), v = σ(ε t)",
            ),
            Step(total((s[i] - t[i]) * (s[i] / 4 - t[i] / 4)), "the slope of a sigmoid at 0 is 1/4"),
            Step(total((s[i] - t[i]) ** 2) / 4, "collect"),
        ],
        [
            (D_T, total((_tempered(s) - _tempered(t)) * (s[i] / T - t[i] / T))),
            (u[i], 1 / (1 + exp(-(epsilon * s[i])))),
            (v[i], 1 / (1 + exp(-(epsilon * t[i])))),
        ],
    )

    digits = Derivation(
        "A difference of sigmoids to its last digit",
        [
            Step(u[k] - v[k], "what loses its digits when both are near 1"),
            Step(u[k] * not_v[k] - not_u[k] * v[k], "u (1 - v) less (1 - u) v"),
            Step(
                (u[k] * not_v[k] + not_u[k] * v[k])
                * ((u[k] * not_v[k] / (not_u[k] * v[k]) - 1) / (u[k] * not_v[k] / (not_u[k] * v[k]) + 1)),
                "multiply and divide by the sum of both",
            ),
            Step(
                (u[k] * not_v[k] + not_u[k] * v[k]) * tanh((s[k] - t[k]) / 2),
                "the ratio of both is e to the s - t",
            ),
        ],
        SIGMOID,
    )

    D_of = function(r"D_{\sigma}(#1, #2)", (s, t), total((sigma(s[i]) - sigma(t[i])) * (s[i] - t[i])))
    inner = Statement(D_of(s, t), "=", Inner(sigma(s) - sigma(t), s - t))
    bounds = Statement(
        sp.S.Zero,
        "<=",
        D_of(s, t),
        "<=",
        Norm(s - t) ** 2 / 4,
        tight={1: [(t[i], s[i])], 2: [(t[i], s[i])]},
        words="Along the straight way from $t$ to $s$ the sigmoid climbs",
    )
    pull = Statement(
        (s[k] - t[k]) * Partial(D_of(s, t), s[k]),
        ">=",
        (s[k] - t[k]) * (sigma(s[k]) - sigma(t[k])),
        ">=",
        sp.S.Zero,
        tight={1: [(t[i], s[i])], 2: [(t[i], s[i])]},
        words="Both forces have the sign of $s - t$",
    )

DERIVATIONS = (pair, binary, shift, hyperbolic, gradient, curvature, net, hot, digits)
