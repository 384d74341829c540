r"""Derivations and statements of the chapter "Multi-label cross-entropy".

n scores s; the positives are a set of indices, the negatives all others, y_k is 1 for a positive and 0 for a negative:

    L(s) = log(1 + sum_neg e^s) + log(1 + sum_pos e^-s)
"""

from __future__ import annotations

import random

import sympy as sp
from sympy import KroneckerDelta, exp, log

from gpkl_lib.derivations import Derivation, Over, Statement, Step, count, function, partition, subset
from gpkl_lib.derivations.notation import Partial, T, c, i, j, k, name, s, total

pos, neg = partition(r"\mathrm{pos}", r"\mathrm{neg}")


def with_1_without_2(rng: random.Random, kind: str, length: int) -> tuple[int, ...]:
    """A set of positives that holds 1 and not 2."""
    return (1, *(place for place in range(3, length + 1) if rng.random() < 0.5))


SOME_OF_EACH = {pos: subset(1, -1)}  # at least one positive and one negative: a maximum over none has no value
s_0 = name("s_{0}")
p, y = sp.IndexedBase("p", positive=True), sp.IndexedBase("y", real=True)
Z = sp.Symbol("Z", positive=True)
E_neg, E_pos = (sp.Symbol(rf"E_{{\mathrm{{{which}}}}}", positive=True) for which in ("neg", "pos"))
F_neg, F_pos = (sp.Symbol(rf"F_{{\mathrm{{{which}}}}}", positive=True) for which in ("neg", "pos"))
fp, fn = name(r"\mathrm{fp}"), name(r"\mathrm{fn}")
a, b = name("a"), name("b")
L_0 = name("L_{0}")


def negatives(term: sp.Expr) -> Over:
    """The sum of a term over the negatives, index i."""
    return Over("sum", term, i, neg)


def positives(term: sp.Expr) -> Over:
    """The sum of a term over the positives, index j."""
    return Over("sum", term, j, pos)


with sp.evaluate(False):
    LABELS = ((y[k], positives(KroneckerDelta(k, j))),)
    SUMS = ((E_neg, negatives(exp(s[i]))), (E_pos, positives(exp(-s[j]))))
    FROM_THRESHOLD = ((F_neg, negatives(exp(s[i] - s_0))), (F_pos, positives(exp(s_0 - s[j]))))
    false_alarms, misses = log(1 + negatives(exp(s[i]))), log(1 + positives(exp(-s[j])))
    L = function("L(#1)", (s,), false_alarms + misses)
    binary_sum = negatives(log(1 + exp(s[i]))) + positives(log(1 + exp(-s[j])))
    sigma = function(r"\sigma(#1)", (c,), 1 / (1 + exp(-c)))
    B = function("B(#1)", (s,), binary_sum)
    M = function("M(#1)", (s,), sp.Max(0, Over("max", s[i], i, neg)) + sp.Max(0, Over("max", -s[j], j, pos)))
    far_and_right = [(s[k], -1000 + 2000 * positives(KroneckerDelta(k, j))), (T, sp.S.One)]

    one_target = Derivation(
        "Cross-entropy of one target is a smooth maximum of differences",
        [
            Step(-log(p[k]), "the target is class k"),
            Step(log(Z) - s[k], "log softmax is the score less the logsumexp"),
            Step(log(Z * exp(-s[k])), "one logarithm"),
            Step(log(total(exp(s[i] - s[k]))), "the sum, term by term; the term i = k is 1"),
        ],
        [(p[i], exp(s[i]) / Z), (Z, total(exp(s[j]), j))],
    )

    ranking = Statement(
        log(1 + negatives(positives(exp(s[i] - s[j])))),
        "=",
        log(1 + negatives(exp(s[i])) * positives(exp(-s[j]))),
    )

    pairs = 1 + negatives(exp(s[i] - s_0)) + positives(exp(s_0 - s[j])) + negatives(positives(exp(s[i] - s[j])))
    threshold = Statement(
        exp(L_0), "=", pairs, given=[(L_0, log(1 + F_neg) + log(1 + F_pos)), *FROM_THRESHOLD], proof=True
    )

    at_zero = name("L(s)")
    all_pairs = log(1 + negatives(positives(exp(s[i] - s[j]))) + negatives(exp(s[i])) + positives(exp(-s[j])))
    loss = Statement(at_zero, "=", false_alarms + misses, given=[(at_zero, all_pairs)], proof=True)
    falls_apart = Derivation(
        "With the threshold at 0 the loss falls apart into false alarms and misses",
        [
            Step(at_zero, "the loss, with the double sum as the product of the two single ones"),
            Step(log((1 + E_neg) * (1 + E_pos)), "multiply out to see it"),
            Step(log(1 + E_neg) + log(1 + E_pos), "logarithm of a product"),
        ],
        [(at_zero, log(1 + E_neg * E_pos + E_neg + E_pos)), *SUMS],
    )

    hard = Statement(
        sp.Limit(T * L(s / T), T, 0),
        "=",
        sp.Max(0, Over("max", s[i], i, neg)) + sp.Max(0, Over("max", -s[j], j, pos)),
        where=SOME_OF_EACH,
        words="As $T$ falls, the right side closes in on 0",
    )

    bounds = Statement(
        0,
        "<",
        T * L(s / T) - M(s),
        "<=",
        T * log(1 + count(neg)) + T * log(1 + count(pos)),
        where=SOME_OF_EACH,
        tight={1: far_and_right, 2: [(s[k], sp.S.Zero)]},
        words="how much more is known from the bounds of logsumexp",
    )

    gradient = Derivation(
        "The gradient is a softmax on each side, with one class more",
        [
            Step(Partial(L(s), s[k]), "change one score"),
            Step(
                Partial(E_neg, s[k]) / (1 + E_neg) + Partial(E_pos, s[k]) / (1 + E_pos),
                "derivative of the two logarithms",
            ),
            Step(
                (1 - y[k]) * (exp(s[k]) / (1 + E_neg)) - y[k] * (exp(-s[k]) / (1 + E_pos)),
                "a negative stands in the first sum only, a positive in the second",
            ),
        ],
        [*LABELS, *SUMS],
    )

    push = Statement(
        negatives(Partial(L(s), s[i])),
        "=",
        E_neg / (1 + E_neg),
        "<",
        1,
        given=SUMS,
        where=SOME_OF_EACH,
        tight={2: [(s[k], sp.Integer(1000))]},
        words="shares of a softmax of which the threshold keeps one",
    )

    binary_gradient = Statement(Partial(B(s), s[k]), "=", sigma(s[k]) - y[k], given=LABELS, proof=True)

    others = (1 - KroneckerDelta(k, 1)) * (1 - KroneckerDelta(k, 2))
    below_binary = Statement(
        L(s),
        "<=",
        binary_sum,
        where={pos: with_1_without_2},
        tight={1: [(s[k], others * (-1000 + 2000 * positives(KroneckerDelta(k, j))))]},  # one class at 0 on each side,
        words="because a product of brackets $(1 + x)$, multiplied out",
    )

    errors = Statement(
        log(1 + fp) + log(1 + fn),
        "<=",
        L(s),
        given=[
            (fp, negatives(sp.Piecewise((1, s[i] > 0), (0, True)))),
            (fn, positives(sp.Piecewise((1, s[j] <= 0), (0, True)))),
        ],
        tight={1: [(s[k], (1 - positives(KroneckerDelta(k, j))) / sp.Integer(10) ** 60)]},  # all wrong, but by a hair,
        words="Each of them puts a term of at least 1 into its sum",
    )

    sparse = Statement(
        false_alarms,
        "=",
        a + log(1 - exp(b - a)),
        given=[(a, log(1 + total(exp(s[i])))), (b, log(positives(exp(s[j]))))],
        where={pos: subset(1)},
        kinds=("mild", "close", "equal", "shifted"),  # at +-1000 the difference needs more than 400 digits
        proof=True,
    )

DERIVATIONS = (one_target, falls_apart, gradient)
STATEMENTS = (ranking, threshold, loss, hard, bounds, push, binary_gradient, below_binary, errors, sparse)
