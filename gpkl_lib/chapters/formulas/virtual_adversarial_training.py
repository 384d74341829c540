r"""Derivations of the chapter "Virtual adversarial training": why the slope says nothing, and what decides instead.

The embeddings move by r = \varepsilon d; to first order the n logits move from s to t = s + \varepsilon h with h = J d,
J the Jacobian of the logits; u = sigmoid(s), v = sigmoid(t), and what is left of 1 with a bar. For the softmax p and q.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp
from mpmath import mp
from sympy import Limit, exp, log

from gpkl_lib.derivations import (
    BigO,
    Derivation,
    Integral,
    Numeric,
    Over,
    Statement,
    Step,
    Together,
    function,
    integers,
    interval,
    vector,
    vocabulary,
)
from gpkl_lib.derivations.notation import c, epsilon, h, i, k, n, name, s, total
from gpkl_lib.derivations.vocabulary import sigma

u, v, not_u, not_v = (sp.IndexedBase(letter, positive=True) for letter in ("u", "v", r"\bar{u}", r"\bar{v}"))
p, q, a, b = (sp.IndexedBase(letter, real=True) for letter in "pquv")
xi = sp.Symbol(r"\xi", real=True)
D, pull = name("D(s, t)"), name(r"\frac{\partial D(s, t)}{\partial t_{k}}")
SMALL = {epsilon: interval(1e-14, 1e-11), s: vector(-6, 6), h: vector(-2, 2)}

with sp.evaluate(False):

    def _views(step: sp.Symbol) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
        moved = s[i] + step * h[i]
        return (
            (u[i], 1 / (1 + exp(-s[i]))),
            (not_u[i], 1 / (1 + exp(s[i]))),
            (v[i], 1 / (1 + exp(-moved))),
            (not_v[i], 1 / (1 + exp(moved))),
        )

    D_STEP = total((v[i] - u[i]) * (epsilon * h[i]))
    flat = Derivation(
        "At the point itself there is no slope",
        [
            Step(Limit(1 / epsilon * D, epsilon, 0), "the slope of D along d, where t is s"),
            Step(Limit(1 / epsilon * D_STEP, epsilon, 0), "the logits differ by ε h"),
            Step(Limit(total((v[i] - u[i]) * h[i]), epsilon, 0), "ε cancels"),
            Step(sp.S.Zero, "and v becomes u"),
        ],
        [(D, D_STEP), *_views(epsilon)],
    )

    metric = Derivation(
        "What decides instead: a square, weighted by how undecided each span is",
        [
            Step(Limit(1 / epsilon**2 * D, epsilon, 0), "D in units of the square of the step"),
            Step(Limit(1 / epsilon**2 * D_STEP, epsilon, 0), "the logits differ by ε h"),
            Step(Limit(1 / epsilon * total((v[i] - u[i]) * h[i]), epsilon, 0), "one ε cancels"),
            Step(total(u[i] * not_u[i] * h[i] ** 2), "the slope of a sigmoid is σ(s) σ(-s), along h times h"),
        ],
        [(D, D_STEP), *_views(epsilon)],
    )

    force = (v[k] - u[k]) + v[k] * not_v[k] * (xi * h[k])
    feel = Derivation(
        "The gradient a little way off is the curvature times the direction",
        [
            Step(Limit(1 / xi * pull, xi, 0), "the gradient at a step of length ξ, in units of ξ"),
            Step(Limit(1 / xi * force, xi, 0), "its two forces, with t - s = ξ h"),
            Step(u[k] * not_u[k] * h[k] + u[k] * not_u[k] * h[k], "each force gives one slope of the sigmoid"),
            Step(2 * (u[k] * not_u[k]) * h[k], "collect"),
        ],
        [(pull, force), *_views(xi)],
    )

DERIVATIONS = (flat, metric, feel)

one, two = sp.symbols(r"\lambda_1 \lambda_2", positive=True)
steps = sp.Symbol("m", integer=True, positive=True)
theta, after, phi = sp.symbols(r"\theta_0 \theta_{m} \varphi", real=True)
quotient = name(r"d_{m}^{\top} G d_{m}")
spread = sp.IndexedBase(r"\lambda", real=True)
TILT = mp.mpf("0.7")  # of the axes of G against those of the embedding; the result must not depend on it


def _iterate(value: Callable[[sp.Expr], Any]) -> tuple[Any, Any]:
    """Angle and quotient after power iteration as it is run: multiply by a 2 x 2 matrix, divide by the length."""
    turn = mp.matrix([[mp.cos(TILT), -mp.sin(TILT)], [mp.sin(TILT), mp.cos(TILT)]])
    G = turn * mp.diag([value(one), value(two)]) * turn.T
    d = turn * mp.matrix([mp.cos(value(theta)), mp.sin(value(theta))])
    for _ in range(int(value(steps))):
        d = G * d
        d = d / mp.norm(d)
    along = turn.T * d
    return mp.atan2(along[1], along[0]), (d.T * G * d)[0]


EIGENVALUES = {one: interval(2, 9), two: interval(0.01, 2), theta: interval(-1.5, 1.5), steps: integers(1, 9)}
NEEDS = [one, two, theta, steps]

with sp.evaluate(False):
    BINARY = function(
        r"\mathrm{KL}(#1 \,\|\, #2)", (a, b), total(a[i] * log(a[i] / b[i]) + (1 - a[i]) * log((1 - a[i]) / (1 - b[i])))
    )
    moved = s + epsilon * h
    one_sided = Statement(
        BINARY(a, b), "=", epsilon**2 / 2 * total(a[i] * (1 - a[i]) * h[i] ** 2) + BigO(epsilon**3),
        given=[(a[i], sigma(s)[i]), (b[i], sigma(moved)[i])], where=SMALL, proof=False,
        words="For its slope in $t$ is $v - u$",
    )  # fmt: skip
    softmax = Statement(
        vocabulary.KL(p, q), "=", epsilon**2 / 2 * vocabulary.Var(p, h) + BigO(epsilon**3),
        given=[(p[i], vocabulary.softmax(s)[i]), (q[i], vocabulary.softmax(moved)[i])], where=SMALL, proof=False,
        words="the slope with respect to the second logits is",
    )  # fmt: skip
    tan = function(r"\tan #1", (c,), sp.sin(c) / sp.cos(c))
    rate = Together(
        Statement(
            tan(after), "=", (two / one) ** steps * tan(theta),
            given=[(after, Numeric(lambda value: _iterate(value)[0], NEEDS))], where=EIGENVALUES, proof=False,
            words="every step multiplies each component",
        ),
        Statement(
            one - quotient, "=", (one - two) * sp.sin(after) ** 2,
            given=[
                (after, Numeric(lambda value: _iterate(value)[0], NEEDS)),
                (quotient, Numeric(lambda value: _iterate(value)[1], NEEDS)),
            ],
            where=EIGENVALUES, proof=False, words="every step multiplies each component",
        ),
    )  # fmt: skip
    noise = Statement(
        1 / (2 * sp.pi) * Integral(one * sp.cos(phi) ** 2 + two * sp.sin(phi) ** 2, phi, sp.S.Zero, 2 * sp.pi),
        "=", (one + two) / 2,
    )  # fmt: skip
    gain = Statement(
        1, "<=", n * Over("max", spread[i], i) / total(spread[i]), "<=", n,
        where={spread: vector(0.001, 50)},
        tight={1: [(spread[i], sp.Abs(c) + 1)], 2: [(spread[i], sp.KroneckerDelta(i, 1))]},
        words="for the largest is at least the mean, and at most the sum",
    )  # fmt: skip
