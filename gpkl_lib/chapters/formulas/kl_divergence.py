"""Derivations and statements of the chapter "Entropy, cross-entropy, KL".

p and q are distributions over n symbols, m = (p + q) / 2 their mean, all in nats. KL between densities is an integral,
so that a closed form is compared with quadrature at 30 digits.
"""

from __future__ import annotations

import sympy as sp
from sympy import KroneckerDelta, digamma, exp, log

from gpkl_lib.derivations import (
    Derivation,
    IndexSet,
    Integral,
    Over,
    Statement,
    Step,
    distribution,
    function,
    interval,
    subset,
    vector,
)
from gpkl_lib.derivations.notation import Partial, c, i, j, n, name, total
from gpkl_lib.derivations.vocabulary import KL, H

w, x = (sp.IndexedBase(letter, real=True) for letter in "wx")
p, q = (sp.IndexedBase(letter, positive=True) for letter in "pq")
a, b, r, s, t = sp.symbols("a b r s t", positive=True)
CE_pq, H_p, KL_pq = name(r"\mathrm{CE}(p, q)"), name("H(p)"), name(r"\mathrm{KL}(p \,\|\, q)")
ONE, TWO = KroneckerDelta(i, 1), KroneckerDelta(i, 2)  # all mass on the first symbol, all on the second

with sp.evaluate(False):
    DISTRIBUTIONS = (
        (p[i], exp(w[i]) / total(exp(w[j]), j)),
        (q[i], exp(x[i]) / total(exp(x[j]), j)),
    )
    COSTS = (
        (CE_pq, -total(p[i] * log(q[i]))),
        (H_p, -total(p[i] * log(p[i]))),
        (KL_pq, total(p[i] * log(p[i] / q[i]))),
    )

    entropy_bounds = Statement(
        0, "<=", H(p), "=", -total(p[i] * log(p[i])), "<=", log(n),
        where={p: distribution(zeros=True)},
        tight={1: [(p[i], ONE)], 3: [(p[i], 1 / n)]},
        words="the lower end is plain",
    )  # fmt: skip

    split = Derivation(
        "What a code made for q costs, and what of it is waste",
        [
            Step(CE_pq, "the mean length of the words of q, under p"),
            Step(-total(p[i] * log(q[i])), "a symbol of probability q has a word of -log q"),
            Step(-total(p[i] * log(p[i])) + total(p[i] * log(p[i] / q[i])), "-log q is -log p and log p/q"),
            Step(H_p + KL_pq, "what is best, and what is waste"),
        ],
        [*COSTS, *DISTRIBUTIONS],
    )

    terms = Derivation(
        "KL with terms that are never negative",
        [
            Step(KL_pq, "some terms are negative: q may be above p"),
            Step(total(p[i] * log(p[i] / q[i])), "definition"),
            Step(total(p[i] * log(p[i] / q[i])) - total(p[i]) + total(q[i]), "both add up to 1"),
            Step(total(p[i] * log(p[i] / q[i]) - p[i] + q[i]), "one sum"),
        ],
        [*COSTS, *DISTRIBUTIONS],
    )

    tangent = Statement(
        log(r),
        "<=",
        r - 1,
        tight={1: [(r, sp.S.One)]},
        words=r"the difference $r - 1 - \log r$ has the slope",
    )

    gibbs = Statement(
        KL(p, q), ">=", 0,
        where={p: distribution(zeros=True), q: distribution()},
        tight={1: [(p[i], q[i])]},
        words="Put $r = q_i / p_i$, multiply by $p_i$",
    )  # fmt: skip

    S, P_S = IndexSet("S"), sp.Symbol("P", positive=True)
    missed = Statement(
        Over("sum", p[i] / P_S * (log(p[i] / P_S) - log(p[i])), i, S), "=", -log(P_S),
        given=[(P_S, Over("sum", p[i], i, S))],
        where={p: distribution(), S: subset(least=1)},
    )  # fmt: skip

    # ------------------------------------------------------------------ densities

    mu, nu = sp.symbols(r"\mu \nu", real=True)
    sigma, tau = sp.symbols(r"\sigma \tau", positive=True)
    log_normal = function(
        r"\log \mathcal{N}(#1; #2, #3^{2})", (c, mu, sigma), -((c - mu) ** 2) / (2 * sigma**2) - log(sigma)
    )  # less log sqrt(2 pi), which no difference of two notices
    density = exp(log_normal(c, mu, sigma)) / sp.sqrt(2 * sp.pi)
    KL_normal = function(
        r"\mathrm{KL}\bigl(\mathcal{N}(#1, #2^2) \,\|\, \mathcal{N}(#3, #4^2)\bigr)",
        (mu, sigma, nu, tau),
        Integral(
            density * (log_normal(c, mu, sigma) - log_normal(c, nu, tau)),
            c, -sp.oo, mu, sp.oo,
        ),
    )  # fmt: skip
    GAUSSIAN = log(tau / sigma) + (sigma**2 + (mu - nu) ** 2) / (2 * tau**2) - sp.Rational(1, 2)
    MILD = ("mild", "close", "one-hot", "half precision")
    gaussian = Statement(
        KL_normal(mu, sigma, nu, tau), "=", GAUSSIAN,
        where={mu: interval(-3, 3), nu: interval(-3, 3), sigma: interval(0.3, 3), tau: interval(0.3, 3)},
        kinds=MILD,
    )  # fmt: skip

    psi = function(r"\psi(#1)", (r,), digamma(r))
    B = function(r"\mathrm{B}(#1, #2)", (a, b), sp.beta(a, b))
    log_beta = (a - 1) * log(c) + (b - 1) * log(1 - c) - log(B(a, b))
    KL_beta = function(
        r"\mathrm{KL}(\beta_{#1, #2} \,\|\, \beta_{#3, #4})",
        (a, b, s, t),
        Integral(
            exp(log_beta) * (log_beta - ((s - 1) * log(c) + (t - 1) * log(1 - c) - log(B(s, t)))),
            c, sp.S.Zero, sp.Rational(1, 2), sp.S.One,
        ),
    )  # fmt: skip
    beta = Statement(
        KL_beta(a, b, s, t), "=",
        log(B(s, t) / B(a, b)) + (a - s) * psi(a) + (b - t) * psi(b) + (s - a + t - b) * psi(a + b),
        where={symbol: interval(1, 6) for symbol in (a, b, s, t)},
        kinds=MILD,
        words=r"Differentiate $\int_0^1 x^{a-1} (1-x)^{b-1} dx",
    )  # fmt: skip

    # ------------------------------------------------------------------ fitting

    theta, N = sp.Symbol(r"\theta", positive=True), sp.Symbol("N", positive=True)
    heads, ways = sp.IndexedBase("k", real=True), sp.IndexedBase("C", positive=True)
    KL_binomial = function(
        r"\mathrm{KL}(p \,\|\, q_{#1})",
        (theta,),
        total(p[i] * log(p[i] / (ways[i] * theta ** heads[i] * (1 - theta) ** (N - heads[i])))),
    )
    binomial_slope = Statement(
        Partial(KL_binomial(theta), theta), "=", (N * theta - total(p[i] * heads[i])) / (theta * (1 - theta)),
        where={p: distribution(), theta: interval(0, 1), ways: vector(1, 20), heads: vector(0, 10)},
        words=r"Only $k \log \theta + (N - k) \log(1 - \theta)$ depends on",
    )  # fmt: skip

    mean, spread = sp.Symbol("m", real=True), sp.Symbol("v", positive=True)
    CE_normal = function(
        r"\mathrm{CE}\bigl(p, \mathcal{N}(#1, #2^2)\bigr)", (mu, sigma), -total(p[i] * log_normal(x[i], mu, sigma))
    )
    moments = Statement(
        CE_normal(mu, sigma) - CE_normal(mean, spread), "=",
        log(sigma / spread) + (spread**2 + (mean - mu) ** 2) / (2 * sigma**2) - sp.Rational(1, 2), ">=", 0,
        given=[(mean, total(p[i] * x[i])), (spread, sp.sqrt(total(p[i] * (x[i] - mean) ** 2)))],
        where={p: distribution(), x: vector(-5, 5), mu: interval(-3, 3), sigma: interval(0.3, 3)},
        tight={2: [(mu, mean), (sigma, spread)]},
        words="The log density of a Gaussian is a quadratic",
    )  # fmt: skip

    # ------------------------------------------------------------------ symmetric ones

    middle = sp.IndexedBase("m", positive=True)
    JS = function(
        r"\mathrm{JS}(#1, #2)",
        (p, q),
        (total(p[i] * (log(p[i]) - log((p[i] + q[i]) / 2))) + total(q[i] * (log(q[i]) - log((p[i] + q[i]) / 2)))) / 2,
    )
    jensen_shannon = Statement(
        0, "<=", JS(p, q), "=", H(middle) - (H(p) + H(q)) / 2, "<=", log(2),
        given=[(middle[i], (p[i] + q[i]) / 2)],
        where={p: distribution(zeros=True), q: distribution(zeros=True)},
        tight={1: [(p[i], q[i])], 3: [(p[i], ONE), (q[i], TWO)]},
        words=r"The bound is a line: $m_i \ge p_i / 2$",
    )  # fmt: skip

DERIVATIONS = (split, terms)
STATEMENTS = (entropy_bounds, tangent, gibbs, missed, gaussian, beta, binomial_slope, moments, jensen_shannon)
