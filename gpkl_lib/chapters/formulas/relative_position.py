r"""Statements of the chapter "What relative position cannot see".

n tokens with values v, one number of each: what holds for a number holds for every feature. A row of weights a mixes
them; s (and t, of another row) are its scores. P_i positives and N_i negatives are what a head cannot tell apart.
"""

from __future__ import annotations

import sympy as sp
from sympy import KroneckerDelta, exp, log

from gpkl_lib.derivations import Inner, Statement, Together, function, vector
from gpkl_lib.derivations.notation import c, i, j, n, name, s, t, total
from gpkl_lib.derivations.vocabulary import sigma, softmax

a, v = (sp.IndexedBase(letter, real=True) for letter in "av")
P, N = (sp.IndexedBase(letter, positive=True) for letter in "PN")
r = name("r")
CALM = {s: vector(-8, 8), t: vector(-8, 8), v: vector(-3, 3)}

with sp.evaluate(False):
    # ------------------------------------------------------------------ rows that sum to 1, and others

    output = Statement(
        total(a[j] * v[j], j), "=", r * c + total(a[j] * (v[j] - c), j),
        given=[(r, total(a[j], j))], proof=True,
    )  # fmt: skip

    ell = function(r"\ell_{2}(#1)", (s,), exp(s[i]) / sp.sqrt(total(exp(s[j]) ** 2, j)), index=i)
    rows = Together(
        Statement(total(softmax(s)[j], j), "=", sp.S.One, proof=True),
        Statement(
            total(ell(s)[j], j), "<=", sp.sqrt(n),
            where=CALM, tight={1: [(s[i], c)]}, words="Cauchy-Schwarz for the numbers $e^{s_j}$",
        ),
    )  # fmt: skip

    common = Together(
        Statement(
            Inner(softmax(s) - softmax(t), v + c), "=", Inner(softmax(s) - softmax(t), v), where=CALM, proof=True,
        ),
        Statement(
            Inner(sigma(s) - sigma(t), v + c), "=",
            Inner(sigma(s) - sigma(t), v) + c * total(sigma(s[j]) - sigma(t[j]), j), where=CALM, proof=True,
        ),
    )  # fmt: skip

    # ------------------------------------------------------------------ one token that differs

    m = sp.Symbol("m", positive=True)
    share = function("o_{#1}", (m,), c + (v[1] - c) / m)
    first = Together(
        Statement(
            total((c + (v[1] - c) * KroneckerDelta(j, 1)) / n, j), "=", share(n),
            "=", c + (v[1] - c) / n, proof=True,
        ),
        Statement(share(n) - share(n + 1), "=", (v[1] - c) / (n * (n + 1)), proof=True),
    )  # fmt: skip

    # ------------------------------------------------------------------ what it costs a head

    plateau = Statement(
        log(1 + total(N[i] * exp(s[i]))) + log(1 + total(P[i] * exp(-s[i]))),
        ">=", 2 * log(1 + total(sp.sqrt(P[i] * N[i]))),
        where={P: vector(1, 30), N: vector(1, 1000), s: vector(-8, 8)},
        tight={1: [(s[i], log(P[i] / N[i]) / 2)]}, words="Cauchy-Schwarz for the two vectors",
    )  # fmt: skip
