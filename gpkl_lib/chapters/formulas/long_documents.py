r"""Derivations and statements of the chapter "Long documents": a logsumexp block by block, and what it saves.

n scores x that are met in two blocks (or one by one, y the next), the largest so far m and the sum z of e^(x - m), a
prime on the new ones. B, H, L, d, r are sizes: sentences, heads, tokens, features, rows of a block.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import sympy as sp
from sympy import exp, log

from gpkl_lib.derivations import (
    Derivation,
    Numeric,
    Over,
    Statement,
    Step,
    Together,
    function,
    integers,
    interval,
    partition,
    subset,
)
from gpkl_lib.derivations.notation import Partial, i, n, name, total

x = sp.IndexedBase("x", real=True)
key = sp.IndexedBase("k", real=True)
A, B = partition("A", "B")
a, b, c, y, q, m, m_new, m_1, m_2 = map(name, ("a", "b", "c", "y", "q", "m", "m'", "m_{1}", "m_{2}"))
z, z_new, z_1, z_2 = (sp.Symbol(text, positive=True) for text in ("z", "z'", "z_{1}", "z_{2}"))
Z, Z_1, Z_2 = (sp.Symbol(text, positive=True) for text in ("Z", "Z_{1}", "Z_{2}"))
g, g_1, g_2 = map(name, ("g", "g_{1}", "g_{2}"))
batch, heads, length, rows, features = sp.symbols("B H L r d", positive=True)
M = sp.Symbol("M", positive=True)
BOTH = {A: subset(1, -1)}  # neither block is empty
SIZES = integers(1, 5)


def _bytes(value: Callable[[sp.Expr], Any]) -> int:
    """Bytes of two views of every cell, counted one by one, each a float32 of 32 bits."""
    sizes = [range(int(value(size))) for size in (batch, heads, length, length)]
    return sum(32 // 8 for _ in product(range(2), *sizes))


BYTES = Numeric(_bytes, [batch, heads, length])


def of(block: sp.Expr, term: sp.Expr, what: str = "sum") -> Over:
    """The sum (or another "Over") of a term over a block, index i."""
    return Over(what, term, i, block)


with sp.evaluate(False):
    TOP = (m, Over("max", x[i], i))
    SO_FAR = (TOP, (z, total(exp(x[i] - m))))
    ALL = (
        (m_new, Numeric(lambda value: max(value(y), *(value(x[place]) for place in range(1, value(n) + 1))), [x, y])),
        (z_new, total(exp(x[i] - m_new)) + exp(y - m_new)),
    )
    online = Together(
        Statement(m_new, "=", sp.Max(m, y), given=[*SO_FAR, *ALL], words="The third line holds for"),
        Statement(
            z_new, "=", z * exp(m - m_new) + exp(y - m_new), given=[*SO_FAR, *ALL], words="The third line holds for"
        ),
    )

    one_more = Derivation(
        "One more score: the sum changes its unit",
        [
            Step(log(Z + exp(y)), "the logsumexp with one score more, y"),
            Step(log(exp(m_new) * (exp(-m_new) * Z + exp(y - m_new))), "take out e to the m', whatever m' is"),
            Step(m_new + log(exp(-m_new) * Z + exp(y - m_new)), "logarithm of a product"),
            Step(m_new + log(z * exp(m - m_new) + exp(y - m_new)), "Z is z in the old unit, e to the m"),
        ],
        [(Z, z * exp(m))],
    )

    two_blocks = Derivation(
        "Two blocks: each sum comes in a unit of its own",
        [
            Step(log(Z_1 + Z_2), "the logsumexp of both"),
            Step(m + log(exp(-m) * Z_1 + exp(-m) * Z_2), "take out e to the m, whatever m is"),
            Step(m + log(z_1 * exp(m_1 - m) + z_2 * exp(m_2 - m)), "each block kept its sum in its own unit"),
        ],
        [(Z_1, z_1 * exp(m_1)), (Z_2, z_2 * exp(m_2))],
    )

    WHOLE = (TOP, (z, total(exp(x[i] - m))))
    BLOCKS = (
        (m_1, of(A, x[i], "max")),
        (m_2, of(B, x[i], "max")),
        (z_1, of(A, exp(x[i] - m_1))),
        (z_2, of(B, exp(x[i] - m_2))),
    )
    NUMBER = "is nothing but a notation for the number"
    merge = Together(
        Statement(m, "=", sp.Max(m_1, m_2), given=[*WHOLE, *BLOCKS], where=BOTH, words=NUMBER),
        Statement(z, "=", z_1 * exp(m_1 - m) + z_2 * exp(m_2 - m), given=[*WHOLE, *BLOCKS], where=BOTH, words=NUMBER),
    )

    plus = function(r"\left(#1 \oplus #2\right)", (a, b), sp.Max(a, b) + log(1 + exp(-sp.Abs(a - b))))
    last = function(r"#1 \oplus #2", (a, b), sp.Max(a, b) + log(1 + exp(-sp.Abs(a - b))))
    order = Statement(
        last(plus(a, b), c),
        "=",
        last(a, plus(b, c)),
        "=",
        log(exp(a) + exp(b) + exp(c)),
        words="it inherits what addition has",
    )

    E = sp.Symbol("E", positive=True)
    gradient = Derivation(
        "The gradient needs the last maximum only at the end",
        [
            Step(Partial(log(E), q), "change the query; E is 1 for the threshold and a term for each key"),
            Step(Partial(E, q) / E, "derivative of the logarithm"),
            Step(total(exp(q * key[i]) * key[i]) / E, "the score with key k is q k"),
            Step(
                total(exp(q * key[i] - m) * key[i]) / (exp(-m) + total(exp(q * key[i] - m))),
                "both sums in the unit e to the m, whatever m is",
            ),
            Step(g / z, "two running sums, the second with the threshold's term"),
        ],
        [
            (E, 1 + total(exp(q * key[i]))),
            (g, total(exp(q * key[i] - m) * key[i])),
            (z, exp(-m) + total(exp(q * key[i] - m))),
        ],
        where={q: interval(-3, 3), m: interval(-50, 50)},
    )

    accumulator = Statement(
        g, "=", g_1 * exp(m_1 - m) + g_2 * exp(m_2 - m),
        given=[
            *WHOLE[:1],
            *BLOCKS[:2],
            (g, total(exp(x[i] - m) * key[i])),
            (g_1, of(A, exp(x[i] - m_1) * key[i])),
            (g_2, of(B, exp(x[i] - m_2) * key[i])),
        ],
        where=BOTH,
        words="it is rescaled by the same factor",
    )  # fmt: skip

    cancellation = Statement(
        Partial(log(exp(a) - exp(b)), a), "=", 1 / (1 - exp(b - a)),
        where={a: interval(1, 30), b: interval(-30, 0.99)},
    )  # fmt: skip

    memory = Statement(
        M,
        "=",
        sp.Mul(4, 2 * batch * heads * length**2),
        given=[(M, BYTES)],
        where=dict.fromkeys(BYTES.needs, SIZES),
        words="scores every cell in two views",
    )

    products = Derivation(
        "Half of a square, and a little more",
        [
            Step(
                2 * batch * heads * features * total(rows * (length - (i - 1) * rows)),
                "n row blocks in two views; the i-th begins at the diagonal and goes to the last column",
            ),
            Step(
                2 * batch * heads * features * (n * rows * length - rows**2 * (n * (n - 1) / 2)),
                "0 + 1 + ... + (n - 1) is n (n - 1) / 2",
            ),
            Step(
                2 * batch * heads * features * (length**2 - length * (length - rows) / 2),
                "n r is L",
            ),
            Step(batch * heads * features * length * (length + rows), "collect"),
        ],
        [(length, n * rows)],
    )

DERIVATIONS = (one_more, two_blocks, gradient, products)
STATEMENTS = (online, merge, order, accumulator, cancellation, memory)
