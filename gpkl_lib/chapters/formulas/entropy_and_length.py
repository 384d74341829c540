"""Derivations and statements of the chapter "Entropy against length": n scores x, a scale lambda, its softmax p."""

from __future__ import annotations

from typing import Any

import sympy as sp
from mpmath import mp
from sympy import exp, log

from gpkl_lib.derivations import Derivation, Over, Statement, Step
from gpkl_lib.derivations.notation import Partial, c, i, j, n, name, total

x, p = sp.IndexedBase("x", real=True), sp.IndexedBase("p", positive=True)
lam, kappa = sp.symbols(r"\lambda \kappa", positive=True)
H, top, average = name("H"), name(r"x_{\max}"), name(r"\bar{x}")

with sp.evaluate(False):
    SPREAD = ((top, Over("max", x[i], i)), (average, total(x[i]) / n))
    ENTROPY = (
        (p[i], exp(lam * x[i]) / total(exp(lam * x[j]), j)),
        (H, -total(p[i] * log(p[i]))),
    )
    J, G = name("J"), name("G")
    entropy_split = Derivation(
        "Entropy, the mean and the maximum",
        [
            Step(H, "entropy of softmax at the scale lambda"),
            Step(log(total(exp(lam * x[i]))) - lam * total(p[i] * x[i]), "log p is lambda x less log Z"),
            Step(
                log(n) + log(total(exp(lam * x[i])) / n) - lam * total(p[i] * x[i]),
                "the mean of the exponentials in the place of their sum",
            ),
            Step(
                sp.Add(log(n), lam * (average - top), J, lam * G, evaluate=False),
                "mean and maximum put in and taken out again",
            ),
        ],
        [
            *ENTROPY,
            SPREAD[1],
            (J, log(total(exp(lam * x[i])) / n) - lam * average),
            (G, top - total(p[i] * x[i])),
        ],
    )  # fmt: skip

    estimate = Statement(
        H, ">=", log(n) - lam * (top - average),
        given=[*ENTROPY, *SPREAD],
        tight={1: [(x[i], c)]},
        words="Neither $J$ nor $G$ is negative",
    )  # fmt: skip

    balanced = Statement(
        H, ">=", (1 - kappa * (top - average)) * log(n),
        given=[(lam, kappa * log(n)), *ENTROPY, *SPREAD],
        tight={1: [(x[i], c)]},
        words="proposed for attention. Put into {eq}`eq-entropy-estimate`",
    )  # fmt: skip

    M, many = name(r"M(\lambda)"), name(r"H_{\lambda}")
    normal_scores = Derivation(
        "Many normal scores",
        [
            Step(many, "sums over the scores become n times a mean"),
            Step(log(n) + log(M) - lam * Partial(log(M), lam), "log Z, and lambda times its slope"),
            Step(log(n) + lam**2 / 2 - lam * Partial(lam**2 / 2, lam), "M of a normal score of variance 1"),
            Step(log(n) - lam**2 / 2, "the slope is lambda"),
        ],
        [(many, log(n) + log(M) - lam * Partial(log(M), lam)), (M, exp(lam**2 / 2))],
    )

DERIVATIONS = (entropy_split, normal_scores)


def moment(scale: float) -> Any:
    """The mean of e^(scale x) over a normal density, by quadrature."""
    return mp.quad(lambda y: mp.exp(scale * y - y * y / 2), [-mp.inf, 0, scale, mp.inf]) / mp.sqrt(2 * mp.pi)
