"""Functions that several chapters name: softmax and logsumexp, sigmoid and softplus, entropy and its relatives.

    Statement(CE(p, q), "=", H(p) + KL(p, q), where={p: distribution(zeros=True), q: distribution()})

In nats. The vectors x, p, q, v here are only their parameters; call them with any others.
"""

from __future__ import annotations

import sympy as sp
from sympy import KroneckerDelta, exp, log

from gpkl_lib.derivations.functions import function
from gpkl_lib.derivations.notation import T, c, i, j, k, n, total

x, p, q, v = (sp.IndexedBase(letter, real=True) for letter in "xpqv")
mu, width = sp.Symbol(r"\mu", real=True), sp.Symbol(r"\sigma", positive=True)

with sp.evaluate(False):
    softmax = function(r"\operatorname{softmax}(#1)", (x,), exp(x[i]) / total(exp(x[j]), j), index=i)
    logsumexp = function(r"\operatorname{logsumexp}(#1)", (x,), log(total(exp(x[j]), j)))
    F = function("F_{#1}(#2)", (T, x), T * log(total(exp(x[j] / T), j)))
    one_hot = function("e_{#1}", (k,), KroneckerDelta(i, k), index=i)
    uniform = function("u", (), 1 / n, index=i)
    mean = function(r"\bar{#1}", (x,), total(x[i]) / n)

    sigma = function(r"\sigma(#1)", (c,), 1 / (1 + exp(-c)))
    sigma_slope = function(r"\sigma'(#1)", (c,), 1 / ((1 + exp(-c)) * (1 + exp(c))))
    softplus = function(r"\operatorname{softplus}(#1)", (c,), log(1 + exp(c)))

    H = function("H(#1)", (p,), -total(p[i] * log(p[i])))
    CE = function(r"\mathrm{CE}(#1, #2)", (p, q), -total(p[i] * log(q[i])))
    KL = function(r"\mathrm{KL}(#1 \,\|\, #2)", (p, q), total(p[i] * log(p[i] / q[i])))
    Var = function(
        r"\operatorname{Var}_{#1}(#2)", (p, v), total(p[i] * (v[i] - total(p[j] * v[j], j)) ** 2)
    )  # of v under the probabilities p
    normal = function(
        r"\mathcal{N}(#1; #2, #3^{2})",
        (c, mu, width),
        exp(-((c - mu) ** 2) / (2 * width**2)) / (sp.sqrt(2 * sp.pi) * width),
    )
