r"""Derivations and statements of the chapter "GlobalPointer": what is counted, what is rotated, what is scored.

L tokens, H types, queries and keys of d features, hidden states of w features:

    s_ij = <R_i q_i, R_j k_j> / sqrt(d),  R_i the rotation by i theta_m of the m-th pair of features
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import sympy as sp
from mpmath import mp
from sympy import cos, sin

from gpkl_lib.derivations import Derivation, Numeric, Statement, Step, Together, integers
from gpkl_lib.derivations.notation import i, j, name, total
from gpkl_lib.derivations.notation import n as size

L = sp.Symbol("L", integer=True, positive=True)
H, d, w = sp.symbols("H d w", positive=True)
theta = sp.Symbol(r"\theta", real=True)
q_1, q_2, k_1, k_2 = map(name, ("q_{1}", "q_{2}", "k_{1}", "k_{2}"))
a, b = (sp.IndexedBase(letter, real=True) for letter in "ab")
right, decided, true = (sp.Symbol(rf"\mathrm{{{word}}}", positive=True) for word in ("right", "decided", "true"))
COUNTS = {H: integers(1, 50), d: integers(1, 128), w: integers(1, 1024)}


def _variance(value: Callable[[sp.Expr], Any]) -> Any:
    """The variance of <q, k> for independent q_i = +-a_i and k_i = +-b_i, every sign with chance 1/2."""
    entries = [value(a[m]) * value(b[m]) for m in range(1, int(value(size)) + 1)]
    signs = list(product((-1, 1), repeat=2 * len(entries)))
    totals = (mp.fsum(x * s * t for x, s, t in zip(entries, draw[::2], draw[1::2], strict=True)) for draw in signs)
    return mp.fsum(x**2 for x in totals) / len(signs)


with sp.evaluate(False):
    rows = sp.Expr.__new__(sp.Sum, L - i + 1, sp.Tuple(i, sp.S.One, L))
    rows.is_commutative = True
    candidates = Statement(rows, "=", L * (L + 1) / 2, where={L: integers(1, 60)})

    rotated = name(r"\langle R_{i} q, R_{j} k \rangle")
    x_1, x_2, y_1, y_2 = map(name, ("x_{1}", "x_{2}", "y_{1}", "y_{2}"))
    alpha, beta, mu, nu, C, S = map(name, (r"\alpha", r"\beta", r"\mu", r"\nu", "C", "S"))
    MU, NU = (mu, q_1 * k_1 + q_2 * k_2), (nu, q_2 * k_1 - q_1 * k_2)
    rotary = Derivation(
        "Two rotations leave one: what remains of the positions is their difference",
        [
            Step(rotated, "one pair of features, q turned by the angle α and k by β"),
            Step(x_1 * y_1 + x_2 * y_2, "x is q turned, y is k turned"),
            Step(mu * C + nu * S, "multiply out and collect: μ and ν hold what the tokens are, C and S where"),
            Step(mu * cos(beta - alpha) + nu * sin(beta - alpha), "addition theorems of cosine and sine"),
            Step(mu * cos((j - i) * theta) + nu * sin((j - i) * theta), "the angles are iθ and jθ"),
        ],
        [
            (rotated, x_1 * y_1 + x_2 * y_2),
            (x_1, q_1 * cos(alpha) - q_2 * sin(alpha)),
            (x_2, q_1 * sin(alpha) + q_2 * cos(alpha)),
            (y_1, k_1 * cos(beta) - k_2 * sin(beta)),
            (y_2, k_1 * sin(beta) + k_2 * cos(beta)),
            MU,
            NU,
            (C, cos(beta) * cos(alpha) + sin(beta) * sin(alpha)),
            (S, sin(beta) * cos(alpha) - cos(beta) * sin(alpha)),
            (alpha, i * theta),
            (beta, j * theta),
        ],
    )
    relative = Together(
        rotary.claim(0, -1),
        Statement(mu, "=", q_1 * k_1 + q_2 * k_2, given=[MU]),
        Statement(nu, "=", q_2 * k_1 - q_1 * k_2, given=[NU]),
    )

    V = name(r"\operatorname{Var} \langle q, k \rangle")
    variance = Statement(
        V,
        "=",
        total(a[i] ** 2 * b[i] ** 2),
        given=[(V, Numeric(_variance, [a, b]))],
        words="since the products $q_i k_i$ are uncorrelated",
    )

    N, N_E = name(r"N_{\mathrm{GP}}"), name(r"N_{\mathrm{E}}")
    parameters = Derivation(
        "Parameters of GlobalPointer: a query and a key for each type",
        [
            Step(N, "one linear layer"),
            Step(2 * H * d * w + 2 * H * d, "from w features to 2 d of each type: weights, and biases"),
            Step(2 * H * d * (w + 1), "collect"),
        ],
        [(N, 2 * H * d * w + 2 * H * d)],
    )
    efficient = Derivation(
        "Parameters of EfficientGlobalPointer: one query and key for all types",
        [
            Step(N_E, "two linear layers"),
            Step(
                (2 * d * w + 2 * d) + (4 * H * d + 2 * H),
                "from w features to 2 d; from these to a start and an end score of each type",
            ),
            Step(2 * d * (w + 1) + 2 * H * (2 * d + 1), "collect"),
        ],
        [(N_E, (2 * d * w + 2 * d) + (4 * H * d + 2 * H))],
    )

    s_h, s_g, c_ij = name("s_{hij}"), name("s_{gij}"), name("c_{ij}")
    a_h, a_g, b_h, b_g = map(name, ("a_{hi}", "a_{gi}", "b_{hj}", "b_{gj}"))
    types_differ = Derivation(
        "What two types of EfficientGlobalPointer may differ by",
        [
            Step(s_h - s_g, "one span, two types"),
            Step((c_ij + a_h + b_h) - (c_ij + a_g + b_g), "c for the product of query and key, which all types share"),
            Step((a_h - a_g) + (b_h - b_g), "it cancels: a term of the start and a term of the end"),
        ],
        [(s_h, c_ij + a_h + b_h), (s_g, c_ij + a_g + b_g)],
    )

    P, R, F = name("P"), name("R"), name("F_{1}")
    f1 = Derivation(
        "F1 from the counts",
        [
            Step(F, "the harmonic mean of precision and recall"),
            Step(2 * P * R / (P + R), "definition"),
            Step(
                2 * (right / decided) * (right / true) / (right / decided + right / true),
                "P is the right share of the decided spans, R the right share of the true ones",
            ),
            Step(2 * right / (decided + true), "multiply above and below by decided times true, divide by right"),
        ],
        [(F, 2 * P * R / (P + R)), (P, right / decided), (R, right / true)],
    )

DERIVATIONS = (rotary, parameters, efficient, types_differ, f1)
